#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluice-testpmd with no device: two soft NICs, for a user with no rights, no hugepages and no NIC.

usage: test_soft.py PROGRAM SECONDS

PROGRAM is to have moved frames SECONDS after it was started.
"""
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from program import PROGRAM, Report

PATIENCE = 60
NOBODY = 65534


class SoftNics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # A place that every user may read, wherever the build is.
        cls.folder = tempfile.mkdtemp(prefix="sluice-soft-")
        os.chmod(cls.folder, 0o755)
        cls.program = shutil.copy(PROGRAM, cls.folder)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def start(self, *arguments, cpu=None):
        command = [self.program, *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", *command]
        if cpu is not None:
            command = ["taskset", "-c", str(cpu), *command]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_") and name != "HOME"}
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                env=environment)

    def until(self, process, pattern):
        """All that is printed up to `pattern`."""
        text = ""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, text):
            self.assertLess(time.monotonic(), end, text)
            if select.select([process.stdout], [], [], 0.1)[0]:
                data = os.read(process.stdout.fileno(), 65536)
                self.assertTrue(data, text)
                text += data.decode()
        return text

    def finish(self, process):
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE)
        return rest.decode()

    def check_end(self, process, text):
        text += self.finish(process)
        self.assertEqual(process.returncode, 0, text)
        sinks = re.findall(r"Soft NIC of port (\d): (\d+) frames made; (\d+) frames came back, every byte of their payload "
                           r"checked: (\d+) bad, (\d+) missing", text)
        self.assertEqual([sink[0] for sink in sinks], ["0", "1"], text)
        for _, made, came, bad, _ in sinks:
            self.assertGreater(int(made), 0)
            self.assertGreater(int(came), 0)
            self.assertEqual(int(bad), 0)
        return text

    def test_moves_frames_at_once(self):
        times = []
        for _ in range(5):
            begin = time.monotonic()
            process = self.start()
            text = self.until(process, r"RX-packets: [1-9]")
            times.append(time.monotonic() - begin)
            self.check_end(process, text)
            self.assertIn("two soft NICs are used", text)
            self.assertRegex(text, r"Port 0: soft0, driver virtio \(virtio-net\), transport inproc, ")
            self.assertRegex(text, r"Soft NICs are polled by (a thread|2 threads) on CPU|between bursts")
            if min(times) < SECONDS:
                break
        print(f"frames had moved {min(times):.2f} s after the start")
        self.assertLess(min(times), SECONDS)

    def test_polls_inline_on_a_lone_cpu(self):
        cpu = min(os.sched_getaffinity(0))
        process = self.start("--", "--rxq=2", "--txq=2", cpu=cpu)
        text = self.check_end(process, self.until(process, r"RX-packets: [1-9]"))
        self.assertIn("polled by the forwarding lcores, between bursts", text)
        self.assertRegex(text, r"TX-dropped: 0 +TX-total: \d+\n  \+")

    def test_takes_soft_nics_by_name_and_eals_options(self):
        process = self.start("-a", "soft:virtio?backend=gen&size=1000&mrg=0", "-a", "soft:virtio?backend=gen&size=300", "-m", "96",
                             "--no-huge", "--no-shconf", "--", "--forward-mode=macswap", "--stats-period=1")
        text = self.check_end(process, self.until(process, r"RX-packets: [1-9]"))
        self.assertNotIn("two soft NICs are used", text)

    def test_replays_a_capture(self):
        frames = [bytes((7 * i + j) & 0xff for j in range(60 + i * 11)) for i in range(130)]
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-pcap-"))
        os.chmod(folder, 0o777)
        self.addCleanup(shutil.rmtree, folder)
        with open(folder / "in.pcap", "wb") as capture:
            capture.write(b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(8) + (65535).to_bytes(4, "little") + b"\1\0\0\0")
            for frame in frames:
                capture.write(bytes(8) + len(frame).to_bytes(4, "little") * 2 + frame)
        process = self.start("-a", f"soft:virtio?backend=pcap&rx={folder}/in.pcap", "-a", f"soft:virtio?backend=pcap&tx={folder}/out.pcap",
                             "--", "--stats-period=1", "--rxd=64")
        text = self.until(process, rf"TX-packets: {len(frames)} ")
        text += self.finish(process)
        self.assertEqual(process.returncode, 0, text)
        data = (folder / "out.pcap").read_bytes()[24:]
        came = []
        while data:
            length = int.from_bytes(data[8:12], "little")
            came.append(data[16:16 + length])
            data = data[16 + length:]
        self.assertEqual(came, frames)


if __name__ == "__main__":
    SECONDS = float(sys.argv.pop(1))
    unittest.main(testRunner=unittest.TextTestRunner(resultclass=Report, verbosity=2))
