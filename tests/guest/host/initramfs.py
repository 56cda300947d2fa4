# SPDX-License-Identifier: BSD-3-Clause
"""The initramfs: busybox, our /init, and the few modules that mount the host's root."""
import gzip
import os
import pathlib
import stat
import subprocess

from . import LabError, cache

MODULES = ("virtio_pci", "virtiofs", "overlay")
BUSYBOX = pathlib.Path("/bin/busybox")


def build(kernel, target):
    archive = Cpio()
    for name in ("bin", "dev", "proc", "sys", "host", "upper", "root", "modules"):
        archive.folder(name)
    archive.file("bin/busybox", BUSYBOX.read_bytes(), 0o755)
    archive.file("init", (cache.HERE / "guest/init").read_bytes(), 0o755)
    for order, path in enumerate(module_files(kernel)):
        archive.file(f"modules/{order:02d}-{path.name.removesuffix('.xz')}", content(path))
    target.write_bytes(gzip.compress(archive.finish(), compresslevel=1))


def module_files(kernel):
    """The modules' files in the order in which they load."""
    files = []
    for module in MODULES:
        done = subprocess.run(["/sbin/modprobe", "-d", str(kernel.folder), "-S", kernel.version, "--show-depends", module],
                              capture_output=True, text=True)
        if done.returncode:
            raise LabError(f"kernel {kernel.name} has no module {module}: {done.stderr.strip()}")
        for line in done.stdout.splitlines():
            kind, _, path = line.partition(" ")
            if kind == "insmod" and path.strip() not in files:
                files.append(path.strip())
    return [pathlib.Path(file) for file in files]


def content(path):
    if path.suffix == ".xz":
        return subprocess.run(["xz", "-dc", str(path)], check=True, capture_output=True).stdout
    return path.read_bytes()


class Cpio:
    """An archive in the "newc" format (Linux: Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self):
        self.data, self.inode = bytearray(), 0

    def folder(self, name):
        self.add(name, b"", stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        self.add(name, data, stat.S_IFREG | mode)

    def add(self, name, data, mode):
        self.inode += 1
        encoded = os.fsencode(name) + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        self.data += b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self.pad()
        self.data += data
        self.pad()

    def pad(self):
        self.data += bytes(-len(self.data) % 4)

    def finish(self):
        self.add("TRAILER!!!", b"", 0)
        return bytes(self.data)
