# SPDX-License-Identifier: BSD-3-Clause
"""Boots a guest and talks with it: its console, the channel of the agent, and QMP."""
import collections
import dataclasses
import functools
import itertools
import json
import os
import pathlib
import selectors
import shutil
import socket
import subprocess
import tempfile
import time

from . import LabError, cache, children, initramfs, topology

VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
BOOT_SECONDS = 90
COUNTER = cache.HERE.parent.parent / "build/apps/perf/subject/libcount_marked.so"
SOFTNIC = cache.HERE.parent.parent / "build/apps/softnic/sluice-softnic"


class GuestDied(Exception):
    """QEMU ended, or the guest said nothing more within its time."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What makes two guests the same machine."""
    kernel: str
    qemu: str
    options: tuple = ()   # of: intremap=off, aw-bits=48, iommu=none, count=on

    @property
    def counts(self):
        """Instructions are counted (apps/perf/subject/count_marked.c): one virtual CPU, emulated, whose time they are."""
        return "count=on" in self.options

    def __str__(self):
        return " ".join([f"Linux {self.kernel} on QEMU {self.qemu}", *self.options])


@functools.cache
def accelerator():
    wanted = os.environ.get("SLUICE_ACCEL", "")
    if wanted in ("kvm", "tcg"):
        return wanted
    if wanted:
        raise LabError(f"SLUICE_ACCEL is '{wanted}': kvm or tcg")
    return "kvm" if kvm_works() else "tcg"


def kvm_works():
    """/dev/kvm may be there and still run no guest: one that says a word within a second proves it."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with tempfile.NamedTemporaryFile(prefix="sluice-kvm.") as boot_sector:
        # mov al,'K'; mov dx,0x3f8; out dx,al; hlt
        boot_sector.write(bytes.fromhex("b04bbaf803eef4").ljust(510, b"\0") + b"\x55\xaa")
        boot_sector.flush()
        command = [cache.qemu_command("7.2")[0][0], "-accel", "kvm", "-cpu", "host", "-machine", "q35,kernel-irqchip=split",
                   "-m", "64", "-nodefaults", "-display", "none", "-serial", "stdio",
                   "-drive", f"file={boot_sector.name},format=raw,if=ide,readonly=on"]
        probe = children.start(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(probe.stdout, selectors.EVENT_READ)
                return bool(selector.select(1.0)) and b"K" in os.read(probe.stdout.fileno(), 4096)
        finally:
            children.end(probe)
            probe.stdout.close()


class Guest:
    """One boot. Use as a context; `lines()` yields what the agent sends, while the console goes to a file."""

    MEMORY = "2G"

    def __init__(self, config, console_path, meeting, live=None):
        self.config, self.meeting, self.live = config, pathlib.Path(meeting), live
        self.console_path = pathlib.Path(console_path)
        self.console_tail = collections.deque(maxlen=60)
        self.pid_path = None   # where all of a run's are: another guest's process stops this one while it measures
        self.processes, self.selector = [], selectors.DefaultSelector()
        self.softnics = {}   # a process for each protocol
        self.buffers, self.pending, self.wires = {}, collections.deque(), {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-guest."))
        self.devices = topology.Devices(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid_path:
            self.pid_path.unlink()
        for process in reversed(self.processes):
            children.end(process)
        for key in list(self.selector.get_map().values()):
            self.selector.unregister(key.fileobj)
            key.fileobj.close()
        self.selector.close()
        for wire in itertools.chain.from_iterable(wires.values() for wires in self.wires.values()):
            wire.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def boot(self):
        kernel = cache.Kernel(self.config.kernel)
        initramfs.build(kernel, self.folder / "initramfs")
        self.start_virtiofsd()
        for protocol, paths in self.devices.served.items():
            self.softnics[protocol] = self.start_softnic(protocol, paths)
        program, environment = cache.qemu_command(self.config.qemu)
        self.console_path.parent.mkdir(parents=True, exist_ok=True)
        self.console_log = open(self.console_path, "ab", buffering=0)
        qemu = children.start(program + self.arguments(kernel), env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.processes.append(qemu)
        self.qemu = qemu
        self.pid_path = self.meeting / str(qemu.pid)
        self.pid_path.touch()
        self.selector.register(qemu.stdout, selectors.EVENT_READ, self.on_console)
        self.channel = self.connect("channel")
        self.selector.register(self.channel, selectors.EVENT_READ, self.on_channel)
        self.qmp_socket = self.connect("qmp")
        self.qmp_file = self.qmp_socket.makefile("rw", encoding="utf-8", newline="\n")
        self.qmp_file.readline()
        self.qmp("qmp_capabilities")
        for key, paths in self.devices.sockets.items():
            self.wires[key] = {role: self.connect(path) for role, path in paths.items()}
        for line in self.lines(BOOT_SECONDS):
            if line.startswith("ready "):
                return

    def start_virtiofsd(self):
        path = self.folder / "root.sock"
        with open(self.folder / "virtiofsd.log", "wb") as log:
            self.processes.append(children.start(
                [VIRTIOFSD, f"--socket-path={path}", "-o", "source=/", "-o", "sandbox=chroot", "-o", "cache=always", "-o", "xattr"],
                stdout=log, stderr=log))
        wait_for(path.exists, "virtiofsd", lambda: (self.folder / "virtiofsd.log").read_text())

    def start_softnic(self, protocol, paths):
        """Serves soft NICs on a cable at these sockets; prints into softnic_log."""
        if not SOFTNIC.exists():
            raise LabError(f"{SOFTNIC} is not built: './run build'")
        with open(self.softnic_log(protocol), "wb") as log:
            process = children.start([str(SOFTNIC), "--protocol", protocol,
                                      *(word for path in paths for word in ("--device", topology.SOFT_NIC, "--socket", path))],
                                     stdout=log, stderr=log)
        self.processes.append(process)
        wait_for(lambda: all(os.path.exists(path) for path in paths), "sluice-softnic", self.softnic_log(protocol).read_text)
        return process

    def softnic_log(self, protocol):
        return self.folder / f"softnic-{protocol}.log"

    def arguments(self, kernel):
        options = dict(option.split("=", 1) for option in self.config.options)
        options.pop("count", "")
        iommu = [] if options.pop("iommu", "") == "none" else [
            "-device", "intel-iommu," + ",".join(f"{key}={value}" for key, value in {"intremap": "on", "caching-mode": "on", **options}.items())]
        # QEMU 7.2 emulates cmpxchg16b so that newer kernels die at boot; they do without it.
        cpu = "host" if self.accelerator == "kvm" else "max,cx16=off" if (self.config.qemu, kernel.name) == ("7.2", "6.12") else "max"
        # no_timer_check: on a busy machine the kernel's own count of timer interrupts at boot comes out too low, and it panics.
        # init_on_alloc: virtiofsd writes the guest's memory behind the emulator's back, and a page that the guest itself
        # stores to before its use is translated afresh.
        append = (f"console=ttyS0 quiet panic=-1 no_timer_check intel_iommu=on init_on_alloc=1 "
                  f"lab.agent={cache.HERE}/guest/agent lab.modules={kernel.modules}")
        return ["-machine", "q35,kernel-irqchip=split,memory-backend=memory", "-accel", self.accelerator, "-cpu", cpu,
                "-object", f"memory-backend-memfd,id=memory,size={self.MEMORY},share=on", "-m", self.MEMORY,
                *self.processors(),
                "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
                "-chardev", f"socket,id=channel,path={self.folder}/channel,server=on,wait=off", "-serial", "chardev:channel",
                "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off",
                *iommu,
                "-chardev", f"socket,id=root,path={self.folder}/root.sock",
                "-device", "vhost-user-fs-pci,chardev=root,tag=hostroot,queue-size=1024,addr=0x2",
                *self.devices.arguments,
                "-kernel", str(kernel.image), "-initrd", str(self.folder / "initramfs"), "-append", append]

    @property
    def accelerator(self):
        return "tcg" if self.config.counts else accelerator()

    @property
    def counts_path(self):
        return self.folder / "counts"

    def processors(self):
        if not self.config.counts:
            return ["-smp", "2"]
        if not COUNTER.exists():
            raise LabError(f"{COUNTER} is not built: './run build'")
        return ["-smp", "1", "-icount", "shift=4", "-plugin", f"{COUNTER},out={self.counts_path},lines=on"]

    def connect(self, name):
        path = str(self.folder / name)
        client = socket.socket(socket.AF_UNIX)

        def attempt():
            if self.qemu.poll() is not None:
                self.drain_console()
                raise GuestDied(f"QEMU ended at its start, status {self.qemu.returncode}")
            try:
                client.connect(path)
            except OSError:
                return False
            return True
        wait_for(attempt, "QEMU", lambda: path)
        return client

    def drain_console(self):
        while data := os.read(self.qemu.stdout.fileno(), 65536):
            self.take_console(data)

    def on_console(self):
        data = os.read(self.qemu.stdout.fileno(), 65536)
        if not data:
            raise GuestDied(f"QEMU ended, status {self.qemu.wait()} (a panic or a power-off of the guest is status 0)")
        self.take_console(data)

    def take_console(self, data):
        self.console_log.write(data)
        for line in self.split("console", data):
            self.console_tail.append(line)
            if self.live:
                self.live(line)

    def on_channel(self):
        try:
            data = self.channel.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.selector.unregister(self.channel)   # the console's end says why
            return
        self.pending.extend(line[2:] for line in self.split("channel", data) if line.startswith("@@"))

    def split(self, name, data):
        *lines, rest = (self.buffers.get(name, b"") + data).split(b"\n")
        self.buffers[name] = rest
        return [line.decode("utf-8", "replace").rstrip("\r") for line in lines]

    def lines(self, seconds):
        """What the agent sends, line by line, until the caller leaves; at most `seconds` in all."""
        deadline = time.monotonic() + seconds
        while True:
            while self.pending:
                yield self.pending.popleft()
            left = deadline - time.monotonic()
            if left <= 0:
                raise GuestDied(f"no end within {seconds:.0f} s")
            for key, _ in self.selector.select(left):
                key.data()

    def send(self, line):
        self.channel.sendall(line.encode() + b"\n")

    def qmp(self, command, **arguments):
        self.qmp_file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.qmp_file.flush()
        while answer := self.qmp_file.readline():
            message = json.loads(answer)
            if "return" in message or "error" in message:
                return message
        raise GuestDied("QMP ended")

    def tail(self):
        return "\n".join("    | " + line for line in self.console_tail)


def wait_for(condition, what, detail, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what} does not answer: {detail().strip()}")
        time.sleep(0.01)
