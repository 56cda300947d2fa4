#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Installs what is built below a prefix, and uses it from outside the tree with pkg-config alone.

usage: test_install.py MESON BUILD SOURCE PROGRAM
PROGRAM forwards from one port to another (tests/examples/forward.cpp). CXX names the compiler (g++).
"""
import concurrent.futures
import os
import pathlib
import random
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time

CXX = os.environ.get("CXX", "g++")
FILES = re.compile(r"bin/sluice-\w+|libexec/sluice/sluice-perf-subject|sbin/sluice-\w+|include/sluice/\w+/\w+\.hpp|lib/udev/rules\.d/60-sluice\.rules|"
                   r"lib(/[\w-]+)?/libsluice\.(a|so|so\.1)|lib(/[\w-]+)?/pkgconfig/sluice(-static)?\.pc|"
                   r"share/doc/sluice/LICENSE[\w.-]*|src/sluice-pci-[\d.]+/(\w+\.[ch]|Kbuild|dkms\.conf)")
EAL = "-l 0 --no-huge -m 256 --no-pci --no-shconf --no-telemetry".split()


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=100, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def expect(true, message):
    if not true:
        sys.exit(message)


def staged(meson, build, root):
    """What `meson install --destdir` puts below `root`, as packages have it, and the prefix there."""
    run(meson, "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", root)
    prefix = next(root.rglob("libsluice.so")).parent
    while not (prefix / "include").exists():
        prefix = prefix.parent
    return prefix


def install(meson, build, source, prefix):
    """`meson setup --prefix` and `ninja install`, in a copy of the build beside it: so little is compiled twice."""
    copy = pathlib.Path(f"{build}-prefix-{os.getpid()}")
    try:
        copy.mkdir()
        for name in ("apps", "drivers", "lib", "libsluice.so.1", "libsluice.a", "meson-private", "build.ninja", ".ninja_log", ".ninja_deps"):
            run("cp", "-a", "--reflink=auto", pathlib.Path(build) / name, copy)
        run(meson, "setup", "--reconfigure", f"--prefix={prefix}", "-Dtests=false", copy, source)
        run("ninja", "-C", copy, "build.ninja")
        # These name the folder, and so were written anew: what was made of them is not older.
        for source_file in copy.rglob("*-unity*.cpp"):
            os.utime(source_file, (0, 0))
        run("ninja", "-C", copy, "install")
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def files_below(prefix):
    return {str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir()}


def check_files(prefix, source):
    found = files_below(prefix)
    strange = sorted(name for name in found if not FILES.fullmatch(name))
    expect(not strange, f"installed, and nobody's to use: {strange}")
    headers = {str(path).split("/include/")[1] for path in source.glob("lib/*/include/sluice/*/*.hpp")}
    expect({f"include/{name}" for name in headers} <= found, "a public header of lib/ is not installed")
    module = next(prefix.glob("src/sluice-pci-*"))
    for name in re.findall(r"(\w+)\.o\b", (module / "Kbuild").read_text().split("-y :=")[1]):
        expect((module / f"{name}.c").exists(), f"{module}: Kbuild wants {name}.c")
    return headers


def check_symbols(library, source):
    drivers = "|".join(["drivers"] + [path.name for path in (source / "drivers/net").iterdir()])
    for line in run("nm", "-DC", "--defined-only", library).splitlines():
        name = line.split(maxsplit=2)[2] if " A " not in line else "sluice::v1::"
        expect(re.match(r"([\w -]+ for )?sluice::v1::", name), f"{library} exports a name that is not sluice's: {name}")
        expect(not re.match(rf"([\w -]+ for )?sluice::v1::({drivers})::", name), f"{library} exports a driver's inside: {name}")
    expect("[libsluice.so.1]" in run("readelf", "-d", library), f"{library}: its soname is not libsluice.so.1")


def check_header(name, flags, folder):
    run(CXX, "-std=c++20", "-fsyntax-only", "-include", name, *flags, "-x", "c++", "/dev/null", cwd=folder)


def write_pcap(path, frames):
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) +
                     b"".join(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame for frame in frames))


def read_pcap(data):
    frames, at = [], 24
    while at < len(data):
        captured, length = struct.unpack_from("<II", data, at + 8)
        expect(captured == length, "a frame was cut")
        frames.append(data[at + 16:at + 16 + captured])
        at += 16 + captured
    return frames


def forwarded(program, folder, frames, environment):
    """What comes out when `frames` go in. net_pcap writes a burst to its file at once."""
    into, out = folder / "in.pcap", folder / "out.pcap"
    write_pcap(into, frames)
    out.unlink(missing_ok=True)
    whole = into.stat().st_size
    with open(folder / "log", "w+", encoding="utf-8") as log:
        with subprocess.Popen([program, *EAL, "--", f"ethdev:net_pcap0,rx_pcap={into}", f"ethdev:net_pcap1,tx_pcap={out}"],
                              env=environment, stdout=log, stderr=log) as forwarder:
            end = time.monotonic() + 30
            while forwarder.poll() is None and time.monotonic() < end and not (out.exists() and out.stat().st_size >= whole):
                time.sleep(0.05)
            forwarder.kill()
        expect(out.exists(), f"{program} sent nothing:\n{(folder / 'log').read_text()}")
    return read_pcap(out.read_bytes())


def check_program(package, source, folder, environment):
    program = folder / package
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", package, env=environment))
    run(CXX, "-std=c++20", source, "-o", program, *flags, cwd=folder)
    needed = "[libsluice.so.1]" in run("readelf", "-d", program)
    expect(needed == (package == "sluice"), f"{program}: linked with the wrong one of libsluice.so and libsluice.a")
    make = random.Random(1)
    frames = [make.randbytes(make.randint(60, 1514)) for _ in range(500)]
    expect(forwarded(program, folder, frames, environment) == frames, f"{program}: the frames that came out are not those that went in")


def main(meson, build, source, program):
    source = pathlib.Path(source)
    with tempfile.TemporaryDirectory(prefix="sluice-install-") as name:
        folder = pathlib.Path(name)
        prefix = folder / "prefix"
        install(meson, build, source, prefix)
        expect(files_below(staged(meson, build, folder / "root")) == files_below(prefix), "with a prefix and with DESTDIR, different files are installed")
        for path in prefix.rglob("*.pc"):
            expect(path.read_text().startswith(f"prefix={prefix}\n"), f"{path} names another prefix")
        headers = check_files(prefix, source)
        library = next(prefix.rglob("libsluice.so"))
        check_symbols(library, source)
        environment = {**os.environ, "PKG_CONFIG_PATH": str(library.parent / "pkgconfig"), "LD_LIBRARY_PATH": str(library.parent)}
        flags = shlex.split(run("pkg-config", "--cflags", "sluice", env=environment))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda header: check_header(header, flags, folder), sorted(headers)))
        for package in ("sluice", "sluice-static"):
            check_program(package, program, folder, environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
