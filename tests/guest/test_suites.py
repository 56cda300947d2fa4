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

    def test_a_served_device_is_reached_by_its_socket(self):
        devices = topology.Devices("/run")
        devices.add("vfio_user", "e1000e")
        devices.add("vhost_user", "e1000e")
        self.assertEqual(devices.served, {"vfio-user": ["/run/nic4", "/run/nic5"], "vhost-user": ["/run/nic6", "/run/nic7"]})
        self.assertIn("socket,id=nic6,path=/run/nic6", devices.arguments)
        self.assertTrue(any(word.endswith(",bus=port7,netdev=net7") for word in devices.arguments))
        self.assertTrue(any('"driver": "vfio-user-pci", "socket": {"type": "unix", "path": "/run/nic5"}' in word for word in devices.arguments))

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


class Frames(unittest.TestCase):
    """The verdicts of the suite frames over what the host and the application said."""

    HOST = "size={} sent=10 received=10 lost=0 corrupt=0 duplicate=0 reordered=0 foreign=0 rate=500"
    LOG = """
        ###### NIC extended statistics for port 0
        rx_good_packets: 50
        tx_good_packets: 10
        ###### NIC extended statistics for port 1
        rx_good_packets: 10
        tx_good_packets: 50
        ---------------------- Forward statistics for port 0  ----------------------
        RX-packets: 50             RX-dropped: 0             RX-total: 50
        TX-packets: 10             TX-dropped: 0             TX-total: 10
        ---------------------- Forward statistics for port 1  ----------------------
        RX-packets: 10             RX-dropped: 0             RX-total: 10
        TX-packets: 50             TX-dropped: 0             TX-total: 50
        +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++
        RX-packets: 60             RX-dropped: 0             RX-total: 60
        """

    def failed(self, old="", new=""):
        """The names of the cases that fail once `old` is replaced by `new`."""
        forth = "\n".join(self.HOST.format(size) for size in (60, 64, 128, 512, 1500))
        text = f"forth\n{forth}\nback\n{self.HOST.format('mix')}\nlog\n{self.LOG}"
        self.assertIn(old, text)
        return self.failures(text.replace(old, new, 1))

    def failures(self, text):
        program = pathlib.Path(__file__).with_name("guest") / "frames.awk"
        done = subprocess.run(["awk", "-v", "count=10", "-f", program], input=text, text=True, capture_output=True, check=True)
        cases = [line.split()[1:3] for line in done.stdout.splitlines() if line.startswith("@@case ")]
        self.assertEqual(len(cases), 8)
        return [name for name, result in cases if result == "fail"]

    def test_frames_that_arrive_and_are_counted_pass(self):
        self.assertEqual(self.failed(), [])

    def test_silence_fails_everything(self):
        self.assertEqual(len(self.failures("forth\nback\nlog\n")), 8)

    def test_each_kind_of_damage_fails_its_size(self):
        for word in ("lost", "corrupt", "duplicate", "reordered", "foreign"):
            self.assertEqual(self.failed(f"{word}=0", f"{word}=1"), ["size_60"])

    def test_a_frame_too_few_and_a_size_that_did_not_run_fail(self):
        self.assertEqual(self.failed("received=10 lost", "received=9 lost"), ["size_60", "counters", "device_counters"])
        self.assertEqual(self.failed("size=mix", "error"), ["size_mix"])

    def test_each_counter_is_compared(self):
        self.assertEqual(self.failed("TX-packets: 50", "TX-packets: 49"), ["counters"])
        self.assertEqual(self.failed("rx_good_packets: 50", "rx_good_packets: 51"), ["device_counters"])
        self.assertEqual(self.failed("tx_good_packets: 50", "tx_device_packets: 49"), ["device_counters"])


if __name__ == "__main__":
    unittest.main()
