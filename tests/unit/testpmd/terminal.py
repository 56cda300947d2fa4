# SPDX-License-Identifier: BSD-3-Clause
"""A program on a terminal of its own, driven as a person would."""
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

PATIENCE = 30  # seconds; a loaded machine is slow, and a program that hangs is ended


class Terminal:
    def __init__(self, command):
        self.master, slave = pty.openpty()
        self.text = ""
        self.seen = 0
        self.modes_before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        preexec_fn=lambda: self.take_control(slave))

    @staticmethod
    def take_control(slave):
        import fcntl
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.text += os.read(self.master, 65536).decode(errors="replace").replace("\r", "")
        return True

    def expect(self, pattern):
        """Waits for `pattern` in what has not been expected yet, and returns the text up to its end."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = re.search(pattern, self.text[self.seen:])
            if found:
                before = self.text[self.seen:self.seen + found.end()]
                self.seen += found.end()
                return before
            left = deadline - time.monotonic()
            if left <= 0 or (self.process.poll() is not None and not self.read(0)):
                raise AssertionError(f"no {pattern!r} in {self.text[self.seen:]!r}")
            self.read(min(left, 0.2))

    def type(self, text):
        os.write(self.master, text.encode())

    def command(self, line):
        """Types a line at the prompt, and returns what is printed before the next prompt."""
        self.type(line + "\n")
        self.expect(re.escape(line) + r"\n")
        return self.expect(r"testpmd> ").removesuffix("testpmd> ")

    def silent(self):
        """Waits until the terminal itself echoes no more. dpdk-testpmd prints its prompt a moment before it says so."""
        deadline = time.monotonic() + PATIENCE
        while self.modes()[3] & termios.ECHO:
            if time.monotonic() > deadline:
                raise AssertionError("the terminal still echoes")
            time.sleep(0.01)

    def ends(self):
        """Waits for the end, and returns the exit status and all that was printed."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"still running after {self.text[-500:]!r}")
            self.read(0.1)
        while self.read(0):
            pass
        return self.process.returncode, self.text

    def modes(self):
        return termios.tcgetattr(self.slave)


def run(command, given="", until=None, signal_number=signal.SIGINT):
    """Runs without a terminal. With `until`, a text of its output, the signal is sent once it stands there, and
    standard input stays open. Returns exit status, standard output, standard error."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        if until is None:
            out, err = process.communicate(given, timeout=PATIENCE)
            return process.returncode, out, err
        out = ""
        deadline = time.monotonic() + PATIENCE
        while until not in out:
            if time.monotonic() > deadline or process.poll() is not None:
                raise AssertionError(f"no {until!r} in {out!r} {process.stderr.read()!r}")
            if select.select([process.stdout], [], [], 0.2)[0]:
                out += os.read(process.stdout.fileno(), 65536).decode()
        process.send_signal(signal_number)
        rest, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out + rest, err
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
