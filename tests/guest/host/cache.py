# SPDX-License-Identifier: BSD-3-Clause
"""Kernels, QEMU 10 and QEMU 11 in a cache folder, unpacked from Debian packages; nothing is installed on the machine.

What the machine's own release has comes by its own apt; what another suite has, by a private apt state inside the
cache, with the machine's own mirror. Versions are whatever the mirror has today.
"""
import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from . import LabError

HERE = pathlib.Path(__file__).resolve().parent.parent
RELEASE = "bookworm"
BACKPORTS = "bookworm-backports"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
KERNEL_SUITES = {"6.1": RELEASE, "6.12": BACKPORTS}
KERNELS = tuple(KERNEL_SUITES)
QEMUS = ("7.2", "10", "11")
QEMU10_PACKAGES = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios")
# QEMU 11 is of the next release, whose libraries it brings along, and takes its firmware from QEMU 10. What these are for is in
# modules of its: sound, screens, Braille, smart cards and USB.
NEXT_RELEASE = "trixie"
NEXT_BACKPORTS = "trixie-backports"
NOT_FOR_QEMU11 = {"libasound2t64", "libbrlapi0.8", "libcacard0", "libncursesw6", "libtinfo6", "libusb-1.0-0", "libusbredirparser1t64", "libpcsclite1"}


def folder():
    return pathlib.Path(os.environ.get("SLUICE_LAB_CACHE") or HERE / ".cache").resolve()


class Kernel:
    """A kernel of the cache: its image, its modules, and its build tree for modules of our own."""

    def __init__(self, name):
        if name not in KERNEL_SUITES:
            raise LabError(f"no kernel '{name}': the lab knows {', '.join(KERNELS)}")
        self.name, self.folder = name, folder() / f"kernel-{name}"

    @property
    def complete(self):
        return (self.folder / "version").exists()

    @property
    def version(self):
        if not self.complete:
            raise LabError(f"kernel {self.name} is not in {folder()}: run './run deps --guest'")
        return (self.folder / "version").read_text().strip()

    @property
    def image(self):
        return self.folder / "boot" / f"vmlinuz-{self.version}"

    @property
    def modules(self):
        return self.folder / "lib" / "modules" / self.version

    @property
    def build_tree(self):
        return self.folder / "usr" / "src" / f"linux-headers-{self.version}"


def qemu_command(version):
    """The start of a command line and its environment for this QEMU."""
    if version == "7.2":
        return ["/usr/bin/qemu-system-x86_64"], {}
    if version not in QEMUS:
        raise LabError(f"no QEMU '{version}': the lab knows {', '.join(QEMUS)}")
    for needed in {"10", version}:
        if not (folder() / f"qemu-{needed}/version").exists():
            raise LabError(f"QEMU {needed} is not in {folder()}: run './run deps --guest'")
    share = folder() / "qemu-10/usr/share"
    firmware = ["-L", str(share / "qemu"), "-L", str(share / "seabios")]
    top = folder() / f"qemu-{version}"
    program, libraries = str(top / "usr/bin/qemu-system-x86_64"), top / "usr/lib/x86_64-linux-gnu"
    environment = {"QEMU_MODULE_DIR": str(libraries / "qemu")}
    if version == "11":
        return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), program, *firmware], environment
    return [program, *firmware], environment


def is_complete():
    return all(Kernel(name).complete for name in KERNELS) and all((folder() / f"qemu-{name}/version").exists() for name in ("10", "11"))


def fetch():
    folder().mkdir(parents=True, exist_ok=True)
    with open(folder() / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        apts = {RELEASE: Apt(), BACKPORTS: Apt(BACKPORTS)}
        for name, suite in KERNEL_SUITES.items():
            if not Kernel(name).complete:
                print(f"fetching kernel {name} from {suite}", flush=True)
                fetch_kernel(apts[suite], Kernel(name))
        if not (folder() / "qemu-10/version").exists():
            print(f"fetching QEMU 10 from {BACKPORTS}", flush=True)
            with filling(folder() / "qemu-10") as top:
                version = apts[BACKPORTS].unpack(QEMU10_PACKAGES, top)
                shutil.rmtree(top / "usr/share/doc", ignore_errors=True)
            (folder() / "qemu-10/version").write_text(version + "\n")
        if not (folder() / "qemu-11/version").exists():
            print(f"fetching QEMU 11 from {NEXT_BACKPORTS}", flush=True)
            fetch_qemu11(Apt(NEXT_BACKPORTS, NEXT_RELEASE))


def fetch_qemu11(apt):
    with filling(folder() / "qemu-11") as top:
        version = apt.unpack(["qemu-system-x86", *apt.libraries("qemu-system-x86", NOT_FOR_QEMU11)], top)
        for waste in ("usr/share", "usr/lib/x86_64-linux-gnu/qemu", "usr/lib/x86_64-linux-gnu/gconv", "etc", "var"):
            shutil.rmtree(top / waste, ignore_errors=True)
        for other in {*(top / "usr/bin").iterdir()} - {top / "usr/bin/qemu-system-x86_64"}:
            other.unlink()
        shutil.rmtree(apt.state)   # the next release's whole index
        (top / "version").write_text(version + "\n")


@contextlib.contextmanager
def filling(target):
    """A fresh folder that takes the place of `target` once the block has filled it."""
    fresh = target.with_name(target.name + ".new")
    for stale in (fresh, target):
        shutil.rmtree(stale, ignore_errors=True)
    fresh.mkdir(parents=True)
    yield fresh
    fresh.rename(target)


def fetch_kernel(apt, kernel):
    image = apt.dependency("linux-image-amd64", r"linux-image-\d")
    headers = apt.dependency("linux-headers-amd64", r"linux-headers-\d")
    version = image.removeprefix("linux-image-")
    if headers != f"linux-headers-{version}":
        raise LabError(f"the mirror is between two kernels ({image}, {headers}): try again later")
    with filling(kernel.folder) as top:
        apt.unpack([image, headers, *apt.dependencies(headers, r"linux-(headers|kbuild)-\d")], top)
        if not (top / "lib").exists():
            (top / "lib").symlink_to("usr/lib")
        for waste in ("usr/share", f"usr/src/linux-headers-{version}/vmlinux", f"boot/System.map-{version}"):
            path = top / waste
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        run(["/sbin/depmod", "-b", str(top), version])
    # The headers' Makefile names its other half by the path that the package would have on a running system.
    makefile = kernel.folder / f"usr/src/linux-headers-{version}/Makefile"
    makefile.write_text(makefile.read_text().replace(" /usr/src/", f" {kernel.folder}/usr/src/"))
    (kernel.folder / "version").write_text(version + "\n")


class Apt:
    """The machine's own apt (no suite), or a private one that sees other suites of the same mirror, and prefers the first."""

    def __init__(self, *suites):
        self.options, self.ready = [], not suites
        if suites:
            self.suites, self.state = suites, folder() / "apt" / suites[0]
            self.options = [f"-o{key}={value}" for key, value in {
                "Dir::Etc::SourceList": self.state / "sources.list", "Dir::Etc::SourceParts": "/dev/null",
                "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": "/dev/null",
                "Dir::State": self.state / "state", "Dir::State::Lists": self.state / "lists",
                "Dir::State::Status": self.state / "status", "Dir::Cache": self.state,
                "APT::Default-Release": suites[0], "Acquire::Languages": "none", "Debug::NoLocking": "1", "APT::Sandbox::User": "root"}.items()]

    def call(self, program, *arguments, cwd=None):
        if not self.ready:
            self.ready = True
            self.prepare()
        return run([program, *self.options, *arguments], cwd=cwd)

    def prepare(self):
        for name in ("state", "lists/partial"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        (self.state / "status").write_text("")
        source = f"deb [signed-by={KEYRING}] {mirror()}"
        (self.state / "sources.list").write_text("".join(f"{source} {suite} main\n" for suite in self.suites))
        self.call("apt-get", "-qq", "update")

    def dependencies(self, package, pattern):
        text = self.call("apt-cache", "depends", "--no-recommends", "--no-suggests", package)
        return [name for name in re.findall(r"^\s*Depends: (\S+)$", text, re.M) if re.match(pattern, name)]

    def dependency(self, package, pattern):
        found = self.dependencies(package, pattern)
        if len(found) != 1:
            raise LabError(f"package {package} depends on {found or 'nothing'} where one {pattern} was expected")
        return found[0]

    def libraries(self, package, excluded):
        """The libraries that a package depends on, and theirs, but for the excluded and what only they need."""
        text = self.call("apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks",
                         "--no-replaces", "--no-enhances", package)
        needs, current = {}, None
        for line in text.splitlines():
            if match := re.fullmatch(r"([^\s<]\S*)", line):
                current = needs.setdefault(match[1], [])
            elif match := re.fullmatch(r"  (?:Pre)?Depends: (\S+)", line):
                current.append(match[1])
        found, waiting = [], [package]
        while waiting:
            for name in needs.get(waiting.pop(), ()):
                if re.match("lib|zlib", name) and name not in excluded and name not in found:
                    found.append(name)
                    waiting.append(name)
        return found

    def unpack(self, packages, target):
        """Unpacks these packages alone into `target`; returns the first one's version."""
        with tempfile.TemporaryDirectory(dir=folder(), prefix="debs.") as debs:
            self.call("apt-get", "-qq", "download", *packages, cwd=debs)
            files = sorted(pathlib.Path(debs).glob("*.deb"))
            for file in files:
                run(["dpkg-deb", "-x", str(file), str(target)])
            first = next(file for file in files if file.name.startswith(packages[0] + "_"))
            return run(["dpkg-deb", "-f", str(first), "Version"]).strip()


def mirror():
    """Where this machine's apt gets the release's main archive from."""
    targets = run(["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"])
    for line in targets.splitlines():
        codename, _, uri = line.partition(" ")
        if codename == RELEASE:
            return uri
    raise LabError(f"apt's sources have no {RELEASE} archive: the lab is written for Debian 12")


def run(command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if done.returncode:
        tail = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise LabError(f"{command[0]} failed: {tail[0] if tail else done.returncode} ({' '.join(command)})")
    return done.stdout
