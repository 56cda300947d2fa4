#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""host/frames.py must see every way in which a forwarder can be wrong. Forwarders here are threads between two sockets."""
import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading
import unittest

PEER = pathlib.Path(__file__).resolve().parent / "host/frames.py"


def frames_of(stream):
    buffer = b""
    while data := stream.recv(65536):
        buffer += data
        while len(buffer) >= 4 and len(buffer) >= 4 + (length := struct.unpack(">I", buffer[:4])[0]):
            yield buffer[4:4 + length]
            buffer = buffer[4 + length:]


class Forwarder(threading.Thread):
    """Hands each frame to `change`, which returns the frames to send on; both ways."""

    def __init__(self, source, target, change):
        super().__init__(daemon=True)
        self.source, self.target, self.change = source, target, change
        self.start()

    def run(self):
        for number, frame in enumerate(frames_of(self.source)):
            for out in self.change(number, frame):
                self.target.sendall(struct.pack(">I", len(out)) + out)


class Frames(unittest.TestCase):
    def ask(self, change, command):
        (left_peer, left), (right_peer, right) = socket.socketpair(), socket.socketpair()
        Forwarder(left, right, change)
        Forwarder(right, left, change)
        ends = [left_peer.fileno(), right_peer.fileno()]
        done = subprocess.run([sys.executable, PEER, f"left={ends[0]}", f"right={ends[1]}"], input=command + "\n", pass_fds=ends,
                              capture_output=True, text=True, timeout=60)
        for end in (left_peer, left, right_peer, right):
            end.close()
        self.assertEqual(done.stderr, "")
        return done.stdout

    def counts(self, change, size="60", count=500):
        answer = self.ask(change, f"run left right {size} {count}")
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", answer)}

    def test_exact_when_all_is_forwarded(self):
        for size in ("60", "1500", "mix"):
            counts = self.counts(lambda _, frame: [frame], size)
            self.assertEqual((counts["sent"], counts["received"]), (500, 500))
            self.assertEqual([counts[key] for key in ("lost", "corrupt", "duplicate", "reordered", "foreign")], [0] * 5)
            self.assertGreater(counts["rate"], 0)

    def test_lost_when_one_is_dropped(self):
        self.assertEqual(self.counts(lambda number, frame: [] if number == 77 else [frame])["lost"], 1)

    def test_corrupt_when_the_last_byte_differs(self):
        def flip(number, frame):
            return [frame[:-1] + bytes([frame[-1] ^ 1])] if number == 77 else [frame]
        self.assertEqual(self.counts(flip)["corrupt"], 1)

    def test_corrupt_when_one_is_cut(self):
        self.assertEqual(self.counts(lambda number, frame: [frame[:-1]] if number == 77 else [frame], "mix")["corrupt"], 1)

    def test_duplicate_when_one_comes_twice(self):
        self.assertEqual(self.counts(lambda number, frame: [frame, frame] if number == 77 else [frame])["duplicate"], 1)

    def test_reordered_when_two_change_places(self):
        held = []

        def swap(number, frame):
            if number == 77:
                held.append(frame)
                return []
            return [frame, held.pop()] if held else [frame]
        self.assertGreaterEqual(self.counts(swap)["reordered"], 1)

    def test_foreign_when_a_stranger_appears(self):
        self.assertEqual(self.counts(lambda number, frame: [bytes(60), frame] if number == 77 else [frame])["foreign"], 1)

    def test_probe_counts_what_came_through(self):
        dropped = self.ask(lambda number, frame: [] if number == 0 else [frame], "probe left right 10")
        self.assertEqual(dropped, "probe sent=2 received=1\n.\n")

    def test_unknown_command_is_answered(self):
        self.assertEqual(self.ask(lambda _, frame: [frame], "stampede left right"), "error: no command stampede\n.\n")


if __name__ == "__main__":
    unittest.main()
