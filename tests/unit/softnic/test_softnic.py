#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluice-softnic with sluice-testpmd as its client, by each of its protocols.

usage: test_softnic.py TESTPMD SOFTNIC
"""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../testpmd"))
from program import PROGRAM, Report  # noqa: E402

SOFTNIC = os.path.abspath(sys.argv.pop(1))
PATIENCE = 60


class Process:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text = ""

    def until(self, pattern):
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text):
            if time.monotonic() > end:
                raise AssertionError(f"no {pattern!r} in {self.text}")
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    raise AssertionError(f"ended without {pattern!r}: {self.text}")
                self.text += data.decode()
        return self.text

    def finish(self, number=signal.SIGINT):
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=PATIENCE)
        self.text += rest.decode()
        return self.process.returncode

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class SoftNic(unittest.TestCase):
    PROTOCOL = "vfio-user"

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sluice-softnic-")
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, *command):
        process = Process(command)
        self.addCleanup(process.kill)
        return process

    def serve(self, *uris):
        arguments = [SOFTNIC, "--protocol", self.PROTOCOL]
        for number, uri in enumerate(uris):
            arguments += ["--device", uri, "--socket", f"{self.folder}/{number}"]
        server = self.start(*arguments)
        server.until(rf"Serving .* at {self.folder}/{len(uris) - 1}\n")
        return server

    def drive(self, count=2, *options):
        ports = []
        for number in range(count):
            ports += ["-a", f"{self.PROTOCOL}:{self.folder}/{number}"]
        return self.start(PROGRAM, "-l", "0-1", "--no-huge", "--no-shconf", "--no-telemetry", "-m", "128", *ports, "--",
                          "--stats-period=1", *options)

    def report(self, server):
        server.text = ""
        server.process.send_signal(signal.SIGUSR1)
        return server.until(rf"at {self.folder}/1\n.*\n.*\n")

    def counted(self, report, name):
        return [int(value) for value in re.findall(rf" {name} (\d+)", report)]

    def test_serves_clients_one_after_another(self):
        server = self.serve("soft:virtio?backend=gen&packed=1", "soft:virtio?backend=gen&size=1000")
        self.assertEqual(self.report(server).count("client: none"), 2)
        for round_ in range(1, 4):
            client = self.drive()
            client.until(r"RX-packets: [1-9]\d{2}")
            busy = socket.socket(socket.AF_UNIX)
            busy.connect(f"{self.folder}/0")
            self.assertEqual(busy.recv(1), b"", "a second client is sent away")
            report = self.report(server)
            self.assertEqual(report.count("client: connected"), 2, report)
            if round_ == 2:
                client.kill()
            else:
                self.assertEqual(client.finish(), 0, client.text)
                self.assertRegex(client.text, r"Port 0: \S+, driver virtio \(virtio-net\), ")
            end = time.monotonic() + PATIENCE
            while self.report(server).count("client: none") != 2:
                self.assertLess(time.monotonic(), end)
            self.assertEqual(self.counted(server.text, "clients"), [round_, round_])
        self.assertEqual(server.finish(), 0)
        last = server.text
        self.assertTrue(all(self.counted(last, "sink_received")), last)
        self.assertEqual(set(self.counted(last, "sink_bad")), {0}, last)
        self.assertEqual(set(self.counted(last, "lies")), {0}, last)
        self.assertFalse(os.path.exists(f"{self.folder}/0"), "the socket is gone")

    def test_ends_on_sigterm_under_traffic(self):
        server = self.serve("soft:virtio?backend=loop", "soft:virtio?backend=loop")
        client = self.drive(2, "--tx-first")
        client.until(r"RX-packets: [1-9]\d{2}")
        self.assertEqual(server.finish(signal.SIGTERM), 0)
        self.assertIn(client.finish(), (0, 1), client.text)

    def test_says_what_is_wrong(self):
        def refused(pattern, *arguments):
            done = subprocess.run([SOFTNIC, "--protocol", self.PROTOCOL, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertEqual(done.returncode, 2, done)
            self.assertRegex(done.stderr, pattern)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        where = f"{self.folder}/socket"
        refused("each --device needs its --socket")
        refused("each --device needs its --socket", "--device", "soft:virtio")
        refused("see sluice-softnic --help", "--colour")
        refused("soft", "--device", "pci:0000:01:00.0", "--socket", where)
        refused("soft:virtio is the one", "--device", "soft:e1000", "--socket", where)
        refused(r"tcp not in .*see sluice-softnic --help", "--device", "soft:virtio", "--socket", where, "--protocol", "tcp")
        if self.PROTOCOL == "vfio-user":
            refused("--connect is for --protocol vhost-user", "--device", "soft:virtio", "--socket", where, "--connect")
        refused("loop, pair, pcap, tap or gen", "--device", "soft:virtio?backend=magic", "--socket", where)
        refused("no/such/folder", "--device", "soft:virtio", "--socket", f"{self.folder}/no/such/folder/socket")
        done = subprocess.run([SOFTNIC, "--help"], capture_output=True, text=True, timeout=PATIENCE, check=True)
        self.assertIn("--socket", done.stdout)

    def test_client_outlives_a_server_that_is_killed(self):
        uris = "soft:virtio?backend=gen&packed=1", "soft:virtio?backend=gen"
        server = self.serve(*uris)
        client = self.drive()
        client.until(r"RX-packets: [1-9]\d{2}")
        for _ in range(2):
            server.kill()
            for number in 0, 1:
                client.until(rf"Port {number}: .*link down")
            client.text = ""
            server = self.serve(*uris)
            for number in 0, 1:
                client.until(rf"Port {number} is reset")
            end = time.monotonic() + PATIENCE
            while not all(self.counted(self.report(server), "sink_received")):
                self.assertLess(time.monotonic(), end, server.text)
        # 0: every mbuf was back in its pool.
        self.assertEqual(client.finish(), 0, client.text)
        self.assertEqual(server.finish(), 0)
        self.assertEqual(set(self.counted(server.text, "sink_bad")), {0}, server.text)
        self.assertEqual(set(self.counted(server.text, "lies")), {0}, server.text)


class VhostUser(SoftNic):
    PROTOCOL = "vhost-user"


if __name__ == "__main__":
    unittest.main(testRunner=unittest.TextTestRunner(resultclass=Report, verbosity=2))
