# SPDX-License-Identifier: BSD-3-Clause
"""Builds kmod/ for each kernel of the lab, out of the source tree, into build/kmod/KERNEL/sluice_pci.ko."""
import os
import pathlib
import subprocess

from . import LabError, cache

TREE = cache.HERE.parent.parent
SOURCE = TREE / "kmod"


def path(kernel):
    return TREE / "build/kmod" / kernel / "sluice_pci.ko"


def build_all(sparse=False):
    if not (SOURCE / "Kbuild").exists():
        print("module: there is no kmod/Kbuild, so there is no module to build")
        return
    for name in cache.KERNELS:
        kernel = cache.Kernel(name)
        if kernel.complete:
            build(kernel, sparse)
            print(f"module: {path(name).relative_to(TREE)} for {kernel.version}")
        else:
            print(f"module: kernel {name} is not fetched ('./run deps --guest'), so nothing is built for it")


def build(kernel, sparse=False):
    work = path(kernel.name).parent
    if sparse:
        work = work.with_name(kernel.name + "-sparse")
    mirror_sources(work)
    command = ["make", "-s", f"-j{os.cpu_count()}", "-C", str(kernel.build_tree), f"M={work}", "KCFLAGS=-Werror", "modules"]
    if sparse:
        command += ["C=2", "CF=-D__CHECK_ENDIAN__ -Wsparse-error"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, end="")
    if done.returncode:
        raise LabError(f"the module does not build for kernel {kernel.name}")


def mirror_sources(work):
    """Links every source file into `work`, so that what the kernel's build leaves behind stays out of kmod/."""
    wanted = {file.relative_to(SOURCE) for file in SOURCE.rglob("*") if file.is_file()}
    work.mkdir(parents=True, exist_ok=True)
    for link in [entry for entry in work.rglob("*") if entry.is_symlink()]:
        if link.relative_to(work) not in wanted:
            link.unlink()
    for file in wanted:
        link = work / file
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.unlink(missing_ok=True)
            link.symlink_to(SOURCE / file)
