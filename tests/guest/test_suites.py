#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Declarations, the matrix and verdicts of the lab, with no guest."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from host import LabError, machine, matrix, runner, suites, topology   # noqa: E402

CELL = suites.Cell("e1000e", "vfio", "6.1", "7.2")
BASE = suites.Cell("e1000e", "dpdk", "6.1", "7.2")


def outcome(cell, **facts):
    config = machine.Config(cell.kernel, cell.qemu)
    result = runner.Outcome(suites.Job(suites.Suite("frames", matrix=True, cases=("one",)), config, cell))
    result.cell = {"model": cell.model, "transport": cell.transport, "kernel": cell.kernel, **facts}
    return result


class Suites(unittest.TestCase):
    def load(self, text):
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(suites, "FOLDER", pathlib.Path(folder)):
            (pathlib.Path(folder) / "some").write_text(text)
            return suites.load("some")

    def test_declarations_are_read_from_the_top(self):
        suite = self.load("#!/bin/bash\n#@ kernels: 6.12\n#@ seconds: 7\n#@ matrix: yes\n#@ cases: a b\ntrue\n#@ qemu: 10\n")
        self.assertEqual((suite.kernels, suite.seconds, suite.matrix, suite.cases, suite.qemu), (("6.12",), 7, True, ("a", "b"), "7.2"))

    def test_unknown_words_are_refused(self):
        for text in ("#@ kernel: 6.1\n", "#@ topology: moon\n", "#@ model: ne2000\n"):
            with self.assertRaises(LabError):
                self.load(text)

    def test_every_suite_and_the_matrix_load(self):
        for name in suites.names():
            suites.jobs(suites.load(name))
        self.assertTrue(suites.matrix())

    def test_each_device_is_alone_behind_a_slot_of_its_own(self):
        devices = topology.Devices("/run")
        devices.add("main", "e1000e")
        devices.add("frames", "e1000e")
        slots = [slot for roles in devices.slots.values() for slot in roles.values()]
        self.assertEqual(len(set(slots)), 6)
        self.assertEqual(set(devices.sockets), {("frames", "e1000e")})

    def test_a_device_beside_another_shares_its_slot(self):
        devices = topology.Devices("/run")
        devices.add("group", "e1000e")
        self.assertEqual(len(set(devices.slots["group", "e1000e"].values())), 1)
        self.assertIn("e1000e,multifunction=on,id=dev4,bus=port4", devices.arguments)
        self.assertIn("e1000e,bus=port4,addr=0.1", devices.arguments)


class RecordedKernels(unittest.TestCase):
    """Who is blamed for a difference from vfio-pci: guest/config_diff.sh, with an uname of its own."""

    FOLDER = pathlib.Path(__file__).resolve().parent

    def ask(self, release, version, question):
        script = f"""uname() {{ if [ "$1" = -r ]; then echo '{release}'; else echo '#1 SMP Debian {version} (2030-01-01)'; fi; }}
                     . guest/config_diff.sh
                     {question}"""
        return subprocess.run(["bash", "-c", script], cwd=self.FOLDER, env={**os.environ, "TREE": str(self.FOLDER.parents[1])},
                              capture_output=True, text=True, check=False)

    def test_a_recorded_kernel_leaves_the_engine_to_blame(self):
        for line in (self.FOLDER / "config_diff/kernels").read_text().splitlines():
            release, version = line.split()
            self.assertEqual(self.ask(release, version, "kernel_is_recorded").returncode, 0, line)
            self.assertEqual(self.ask(release, version, "blame").stdout, "engine wrong\n")

    def test_another_kernel_fails_as_changed_and_says_what_to_do(self):
        release, version = (self.FOLDER / "config_diff/kernels").read_text().split()[:2]
        for newer in ((release, version + "+1"), ("9" + release, version)):
            answer = self.ask(*newer, "kernel_is_recorded")
            self.assertEqual(answer.returncode, 1)
            self.assertRegex(answer.stdout, rf"^kernel changed: '{newer[0]} .*run ./run config-diff, and record it there")
            self.assertEqual(self.ask(*newer, "blame").stdout, "kernel changed, or engine wrong\n")


class Verdicts(unittest.TestCase):
    def judged(self, result, *cases):
        for text in cases:
            runner.Runner.take_case(result, text)
        runner.Runner(pathlib.Path("/"), {}, lambda _: None, "").judge(result)
        return [case.name.rpartition("].")[2] for case in result.failures]

    def test_all_is_well_when_cases_pass(self):
        self.assertEqual(self.judged(outcome(CELL), "one pass", "kernel_log pass"), [])

    def test_a_missing_case_is_a_failure(self):
        self.assertEqual(self.judged(outcome(CELL), "two pass"), ["one"])

    def test_no_case_is_a_failure(self):
        self.assertIn("cases", self.judged(outcome(CELL), "kernel_log pass"))

    def test_another_transport_than_the_cells_is_a_failure(self):
        self.assertEqual(self.judged(outcome(CELL, transport="dpdk"), "one pass"), ["cell"])

    def failed(self, outcomes, complete=False):
        return [case.name for case in matrix.report(outcomes, lambda _: None, complete) if not case.passed]

    def test_half_of_the_baseline_is_enough(self):
        self.assertEqual(self.failed([outcome(BASE, rate="1000"), outcome(CELL, rate="500")]), [])

    def test_less_than_half_of_the_baseline_is_a_failure(self):
        self.assertEqual(self.failed([outcome(BASE, rate="1000"), outcome(CELL, rate="499")]), ["matrix.e1000e vfio 6.1.rate"])

    def test_cells_beside_one_that_falls_short_are_measured_again(self):
        other = suites.Cell("e1000e", "sluice_pci", "6.1", "7.2")
        outcomes = [outcome(BASE, rate="1000"), outcome(CELL, rate="499"), outcome(other, rate="900")]
        self.assertEqual(matrix.too_slow(outcomes + [outcome(suites.Cell("e1000", "dpdk", "6.1", "7.2"), rate="1")]), {BASE, CELL, other})
        again = [outcome(BASE, rate="600"), outcome(CELL, rate="500"), outcome(other, rate="600")]
        self.assertEqual(matrix.too_slow(outcomes + again), set())
        self.assertEqual(self.failed(outcomes + again), [])

    def test_a_cell_that_did_not_run_is_a_failure(self):
        with unittest.mock.patch.object(suites, "matrix", lambda: [BASE, CELL]):
            self.assertEqual(self.failed([outcome(BASE, rate="1000")], complete=True), ["matrix.e1000e vfio 6.1"])


if __name__ == "__main__":
    unittest.main()
