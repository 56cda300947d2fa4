# SPDX-License-Identifier: BSD-3-Clause
"""Suites and what they declare; the matrix; the jobs that follow from both.

A suite is one script in suites/. Lines `#@ key: value` at its top declare:
    kernels    6.1 6.12             one job for each (default: both)
    qemu       7.2 | 10 | 11        (default 7.2)
    topology   a name of topology.TOPOLOGIES (default none)
    model      a name of topology.MODELS, the NIC under test (default e1000e)
    matrix     yes                  one job for each cell of the file `matrix` instead
    transports vfio sluice_pci      of the matrix, only these (default: all)
    machine    intremap=off …       options of the emulated IOMMU; iommu=none: there is none; count=on: instructions are counted
    seconds    time limit (default 60)
    cases      names that must all be reported; one that is missing is a failure
    allow      a pattern of kernel log lines that are no failure here
    full       6.1 6.12             for these kernels, run by --full alone
    plugins    all                  every plugin of DPDK's that is installed; without it those that the agent names
    manual     yes                  not a part of the whole run
"""
import dataclasses
import re
import shlex

from . import LabError, cache, machine, topology

FOLDER = cache.HERE / "suites"
MATRIX = cache.HERE / "matrix"
KEYS = {"kernels", "qemu", "topology", "model", "matrix", "transports", "machine", "seconds", "cases", "allow", "full", "plugins", "manual"}


@dataclasses.dataclass(frozen=True)
class Suite:
    name: str
    kernels: tuple = cache.KERNELS
    qemu: str = "7.2"
    topology: str = "none"
    model: str = "e1000e"
    matrix: bool = False
    transports: tuple = ()
    machine: tuple = ()
    seconds: int = 60
    cases: tuple = ()
    allow: str = ""
    full: tuple = ()
    plugins: str = ""
    manual: bool = False


@dataclasses.dataclass(frozen=True)
class Cell:
    model: str
    transport: str
    kernel: str
    qemu: str

    def __str__(self):
        return f"{self.model} {self.transport} {self.kernel}"


@dataclasses.dataclass(frozen=True)
class Job:
    suite: Suite
    config: machine.Config
    cell: Cell = None

    @property
    def model(self):
        return self.cell.model if self.cell else self.suite.model

    @property
    def name(self):
        return f"{self.suite.name}[{self.cell or self.config.kernel}]"

    def line(self, devices, settings):
        variables = {"ALLOW": self.suite.allow, "KERNEL": self.config.kernel, "MODEL": self.model,
                     "TRANSPORT": self.cell.transport if self.cell else "", "PLUGINS": self.suite.plugins,
                     **devices.variables(self.suite.topology, self.model),
                     **settings}
        return " ".join(["job", self.suite.name, *(f"{key}={shlex.quote(value)}" for key, value in variables.items())])


def load(name):
    path = FOLDER / name
    if not re.fullmatch(r"[a-z0-9_]+", name) or not path.is_file():
        raise LabError(f"no suite '{name}': {', '.join(names())}")
    declared = {}
    for line in path.read_text().splitlines():
        if match := re.fullmatch(r"#@ (\w+): (.*)", line):
            declared[match[1]] = match[2].strip()
        elif line and not line.startswith("#"):
            break
    if unknown := declared.keys() - KEYS:
        raise LabError(f"suites/{name} declares '{min(unknown)}': known are {', '.join(sorted(KEYS))}")
    for key in ("kernels", "transports", "machine", "cases", "full"):
        if key in declared:
            declared[key] = tuple(declared[key].split())
    for key in ("matrix", "manual"):
        if key in declared:
            declared[key] = declared[key] == "yes"
    if "seconds" in declared:
        declared["seconds"] = int(declared["seconds"])
    suite = Suite(name, **declared)
    if suite.topology not in topology.TOPOLOGIES:
        raise LabError(f"suites/{name}: no topology '{suite.topology}': {', '.join(topology.TOPOLOGIES)}")
    if suite.model not in topology.MODELS:
        raise LabError(f"suites/{name}: no model '{suite.model}': {', '.join(topology.MODELS)}")
    return suite


def names():
    return sorted(path.name for path in FOLDER.iterdir() if path.is_file())


def matrix():
    cells = []
    for line in MATRIX.read_text().splitlines():
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        if len(fields) != 4 or fields[0] not in topology.MODELS or fields[2] not in cache.KERNELS or fields[3] not in cache.QEMUS:
            raise LabError(f"tests/guest/matrix: '{line}' is not MODEL TRANSPORT KERNEL QEMU")
        cells.append(Cell(*fields))
    return cells


def jobs(suite, kernel=None, qemu=None, cell=None):
    """The jobs of a suite; a kernel, a QEMU or a cell ("MODEL TRANSPORT") narrows or overrides them."""
    if suite.matrix:
        return [Job(suite, machine.Config(entry.kernel, qemu or entry.qemu, suite.machine), entry) for entry in matrix()
                if (not kernel or entry.kernel == kernel) and (not cell or f"{entry.model} {entry.transport}" == cell)
                and (not suite.transports or entry.transport in suite.transports)]
    kernels = [kernel] if kernel else suite.kernels
    return [Job(suite, machine.Config(name, qemu or suite.qemu, suite.machine)) for name in kernels]


def limited(job, seconds):
    return dataclasses.replace(job, suite=dataclasses.replace(job.suite, seconds=seconds))
