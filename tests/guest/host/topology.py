# SPDX-License-Identifier: BSD-3-Clause
"""What devices a guest has, as data.

A suite names one topology, a set of roles on wires; a machine carries the topologies of all the suites that run in it.
Every device sits alone behind a root port, unless it is a second function beside another, and a suite finds it by that port's slot: the variable NIC_LEFT=5 says that
role `left` is behind slot 5.
"""
import dataclasses
import json

# What the guest's driver under test is called, and the device of QEMU that it drives.
MODELS = {
    "e1000e": "e1000e",
    "e1000": "e1000",
    "igb": "igb",
    "vmxnet3": "vmxnet3",
    "virtio": "virtio-net-pci,disable-legacy=on,iommu_platform=on,romfile=",
}
# The guest kernel's own NIC: not behind the IOMMU, where virtio is half as fast and loses frames with a long ring.
KERNEL_NIC = "virtio-net-pci,disable-legacy=on,romfile=,rx_queue_size=1024"
# The soft NICs of another process, on a cable between them: whole devices by vfio-user, or the rings of QEMU's by vhost-user.
SOFT_NIC = "soft:virtio?backend=pair&peer=cable&packed=1&queues=4"
SOFT_NIC_QUEUES = 4
VHOST_NIC = f"virtio-net-pci,disable-legacy=on,romfile=,packed=on,mq=on,vectors={2 * SOFT_NIC_QUEUES + 2}"
WHOLE_BURSTS = ",ioeventfd=off,tx=timer"
QEMU10_ONLY = {"igb"}


@dataclasses.dataclass(frozen=True)
class Role:
    name: str
    device: str = ""      # empty: the NIC model under test
    beside: str = ""      # a role before this one: this is function 1 of its slot, and they share an IOMMU group
    wire: str = ""        # roles of one machine on the same wire share a hub; "host" is a socket to a host process
    needs: tuple = ()     # arguments of QEMU that must stand before the device's
    served: str = ""      # a soft NIC's, which sluice-softnic serves on the host by this protocol: vfio-user (QEMU 11) or vhost-user


TOPOLOGIES = {
    # netns a – hub – left (under test) – right (under test) – hub – netns b
    "main": (Role("left", wire="0"), Role("right", wire="1"),
             Role("a", KERNEL_NIC, wire="0"), Role("b", KERNEL_NIC, wire="1")),
    # a host process – left – right – the same host process
    "frames": (Role("left", wire="host"), Role("right", wire="host")),
    # one NIC that nobody talks to, and QEMU's teaching device, which does DMA where it is told
    "solo": (Role("left", wire="0"), Role("edu", "edu")),
    # two functions in one IOMMU group
    "group": (Role("left"), Role("mate", beside="left")),
    # what the module's own suite needs: also function reset, vendor capabilities, error reporting, and a group of two
    "kmod": (Role("nic", "e1000e"), Role("edu", "edu"), Role("flr", "virtio-net-pci,disable-legacy=on,iommu_platform=on,romfile=,aer=on"),
             Role("pair0", "e1000e"), Role("pair1", "e1000e", beside="pair0")),
    # three kinds of config space: PCI Express with everything common, vendor capabilities and function reset, and conventional PCI
    "config_diff": (Role("nic", "e1000e"), Role("flr", "virtio-net-pci,disable-legacy=on,iommu_platform=on,romfile=,aer=on"),
                    Role("edu", "edu")),
    # as many kinds of config space as QEMU 10 has: each with other capabilities, or with none
    "config_devices": (
        Role("nic", "e1000e"), Role("edu", "edu"), Role("igb", "igb"), Role("vmxnet3", "vmxnet3"),
        Role("flr", "virtio-net-pci,disable-legacy=on,iommu_platform=on,romfile=,aer=on,ats=on"),
        Role("rng", "virtio-rng-pci"),
        Role("nvme", "nvme,serial=1,subsys=subsys0,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2,max_ioqpairs=6,msix_qsize=8",
             needs=("-device", "nvme-subsys,id=subsys0,nqn=subsys0")),
        Role("xhci", "qemu-xhci"), Role("ehci", "usb-ehci"), Role("ahci", "ich9-ahci"), Role("hda", "ich9-intel-hda"),
        Role("rtl8139", "rtl8139"), Role("e1000", "e1000"), Role("i82559", "i82559c"), Role("tulip", "tulip"),
        Role("megasas", "megasas-gen2"), Role("pvscsi", "pvscsi"), Role("mptsas", "mptsas1068"), Role("lsi", "lsi53c895a"),
        Role("ivshmem", "ivshmem-plain,memdev=ivshmem", needs=("-object", "memory-backend-ram,id=ivshmem,size=1M")),
        Role("sdhci", "sdhci-pci"), Role("testdev", "pci-testdev"), Role("tpci200", "tpci200"), Role("esb", "i6300esb"),
    ),
    # two NICs of each kind on a wire of their own. virtio's transmit timer keeps bursts whole: the device takes one at once
    "beside": tuple(Role(f"{name}_{end}", f"{MODELS[model]}{options}", wire=name)
                    for name, model, options in (("e1000e", "e1000e", ""), ("e1000", "e1000", ""),
                                                 ("virtio", "virtio", WHOLE_BURSTS), ("plain", "virtio", WHOLE_BURSTS + ",mrg_rxbuf=off"))
                    for end in ("left", "right")),
    # what the guest's kernel drives: two soft NICs, or QEMU's own NICs with their rings
    "vfio_user": tuple(Role(end, served="vfio-user") for end in ("left", "right")),
    "vhost_user": tuple(Role(end, VHOST_NIC, served="vhost-user") for end in ("left", "right")),
    "none": (),
}


class Devices:
    """The devices of one machine: each topology asked for, once for each model."""

    FIRST_SLOT = 4

    def __init__(self, run_folder):
        self.run_folder, self.arguments, self.slots, self.sockets, self.served = run_folder, [], {}, {}, {}
        self.next_slot, self.next_hub = self.FIRST_SLOT, 0

    def add(self, topology, model):
        if (topology, model) in self.slots:
            return
        hubs, slots = {}, {}
        accompanied = {role.beside for role in TOPOLOGIES[topology]}
        for role in TOPOLOGIES[topology]:
            device = role.device or MODELS[model]
            if role.beside:
                slots[role.name] = slots[role.beside]
                self.arguments += ["-device", f"{device},bus=port{slots[role.beside]},addr=0.1"]
                continue
            slots[role.name] = self.next_slot
            self.add_device(role, device + (",multifunction=on" if role.name in accompanied else ""), hubs, (topology, model))
        self.slots[topology, model] = slots

    def add_device(self, role, device, hubs, key):
        slot = self.next_slot
        self.next_slot += 1
        self.arguments += role.needs
        self.arguments += ["-device", f"pcie-root-port,id=port{slot},chassis={slot},slot={slot},addr={slot:#x}"]
        netdev = ""
        if role.served:
            path = f"{self.run_folder}/nic{slot}"
            self.served.setdefault(role.served, []).append(path)
            if role.served == "vfio-user":
                self.arguments += ["-device", json.dumps({"driver": "vfio-user-pci", "socket": {"type": "unix", "path": path},
                                                          "id": f"dev{slot}", "bus": f"port{slot}"})]
                return
            self.arguments += ["-chardev", f"socket,id=nic{slot},path={path}",
                               "-netdev", f"vhost-user,id=net{slot},chardev=nic{slot},queues={SOFT_NIC_QUEUES}"]
            netdev = f",netdev=net{slot}"
        elif role.wire == "host":
            path = f"{self.run_folder}/net{slot}"
            self.sockets.setdefault(key, {})[role.name] = path
            self.arguments += ["-netdev", f"stream,id=net{slot},server=on,addr.type=unix,addr.path={path}"]
            netdev = f",netdev=net{slot}"
        elif role.wire:
            if role.wire not in hubs:
                hubs[role.wire] = self.next_hub
                self.next_hub += 1
            self.arguments += ["-netdev", f"hubport,id=net{slot},hubid={hubs[role.wire]}"]
            netdev = f",netdev=net{slot}"
        self.arguments += ["-device", f"{device},id=dev{slot},bus=port{slot}{netdev}"]

    def variables(self, topology, model):
        """NIC_ROLE=SLOT for the suite."""
        return {f"NIC_{role.upper()}": str(slot) for role, slot in self.slots[topology, model].items()}
