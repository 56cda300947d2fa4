# SPDX-License-Identifier: BSD-3-Clause
"""Programs of both sides, for the tests of this folder."""
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest

EAL = ['-l', '0,1', '-m', '96', '--no-huge', '--no-telemetry', '--no-shconf', '--log-level=error']


class Program:
    """One testpmd, its output in a file."""

    def __init__(self, command, env=None):
        # DPDK's ends when its standard input does.
        self.out = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.out, stderr=subprocess.STDOUT, env=env)

    def text(self):
        self.out.seek(0)
        return self.out.read().decode(errors='replace')

    def totals(self):
        """Received and sent frames of all ports, from the report at the end."""
        found = re.findall(r'Accumulated.*?RX-packets: (\d+).*?TX-packets: (\d+)', self.text(), re.S)
        return tuple(int(number) for number in found[-1]) if found else (0, 0)

    def wait_for(self, pattern, count=1, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if len(re.findall(pattern, self.text())) >= count:
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        return False

    def end(self, how=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


class SocketTest(unittest.TestCase):
    """A socket in a folder of its own, and programs that end with the test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.socket = os.path.join(folder.name, 's')

    def start(self, command):
        program = Program(command)
        self.addCleanup(program.end, signal.SIGKILL)
        return program
