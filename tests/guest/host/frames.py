#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stands at both ends of a forwarder: sends frames into one port and compares, byte for byte, what leaves the other.

usage: frames.py ROLE=DESCRIPTOR...   each a socket of QEMU's `-netdev stream`, where every frame follows its length in
four bytes, big endian. Commands come on standard input, one a line; each is answered by lines and a "." at the end:
    probe NEAR FAR SECONDS              single frames until one comes through, then silence
    run NEAR FAR SIZES [COUNT [WINDOW [SEED]]]
                                        frames of each size (60,1500,mix); `mix` draws a size for each frame. At most
                                        WINDOW are under way, fewer than a ring holds: every loss is the forwarder's
    flood NEAR FAR                      frames without regard to what arrives, until the next command
    quiet                               nothing but taking what arrives
"""
import os
import random
import select
import socket
import struct
import sys
import time

HEADER = bytes.fromhex("02534c000002" "02534c000001" "88b5")   # to, from, the type for local experiments
OVERHEAD = len(HEADER) + 4
PROBE = 0xFFFFFFFF
QUIET_SECONDS = 5.0


class Generator:
    """Frame number n of a run, the same at both ends: a pseudo-random body that its number and the seed determine."""

    def __init__(self, size, seed):
        chance = random.Random(seed)
        self.pool = chance.randbytes(1 << 16)
        self.sizes = [chance.randint(60, 1514) for _ in range(4093)] if size == "mix" else [int(size)]

    def frame(self, number):
        length = self.sizes[number % len(self.sizes)] - OVERHEAD
        start = (number * 2654435761 >> 7) % (len(self.pool) - 1500)
        return HEADER + number.to_bytes(4, "big") + self.pool[start:start + length]


class Wire:
    """One end: frames in, frames out, over a stream socket."""

    def __init__(self, descriptor):
        self.socket = socket.socket(fileno=descriptor)
        self.socket.setblocking(False)
        self.out, self.inward = bytearray(), bytearray()

    def fileno(self):
        return self.socket.fileno()

    def queue(self, frame):
        self.out += struct.pack(">I", len(frame)) + frame

    def flush(self):
        try:
            del self.out[:self.socket.send(self.out)]
        except BlockingIOError:
            pass

    def receive(self):
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return []
        if not data:
            raise SystemExit("the guest's port is gone")
        self.inward += data
        frames, at, end = [], 0, len(self.inward)
        while at + 4 <= end:
            length = int.from_bytes(self.inward[at:at + 4], "big")
            if at + 4 + length > end:
                break
            frames.append(bytes(self.inward[at + 4:at + 4 + length]))
            at += 4 + length
        del self.inward[:at]
        return frames


class Run:
    """One size: everything sent at `near` must arrive at `far`, once, unchanged and in order."""

    def __init__(self, near, far, size, count, window, seed):
        self.near, self.far, self.size, self.count, self.window = near, far, size, count, window
        self.generator = Generator(size, seed)
        self.sent = self.received = self.corrupt = self.duplicate = self.reordered = self.foreign = 0
        self.seen, self.expected = set(), 0

    def go(self):
        begun = last = time.monotonic()
        while self.received < self.count and time.monotonic() - last < QUIET_SECONDS:
            while self.sent < min(self.count, self.received + self.window):
                self.near.queue(self.generator.frame(self.sent))
                self.sent += 1
            readable, writable, _ = select.select([self.near, self.far], [self.near] if self.near.out else [], [], 0.5)
            if writable:
                self.near.flush()
            if self.far in readable and (frames := self.far.receive()):
                last = time.monotonic()
                for frame in frames:
                    self.take(frame)
            if self.near in readable:
                self.foreign += len(self.near.receive())
        return self.report(max(last - begun, 1e-6))

    def take(self, frame):
        number = int.from_bytes(frame[len(HEADER):OVERHEAD], "big")
        if not frame.startswith(HEADER) or number >= self.sent:
            self.foreign += 1
        elif number in self.seen:
            self.duplicate += 1
        else:
            self.seen.add(number)
            self.received += 1
            self.corrupt += frame != self.generator.frame(number)
            self.reordered += number != self.expected
            self.expected = number + 1

    def report(self, seconds):
        return (f"size={self.size} sent={self.sent} received={self.received} lost={self.sent - self.received} "
                f"corrupt={self.corrupt} duplicate={self.duplicate} reordered={self.reordered} foreign={self.foreign} "
                f"rate={self.received / seconds:.0f}")


def settle(wires, seconds=0.3):
    """Takes what is still under way; returns how many frames that were."""
    taken = 0
    while readable := select.select(wires, [], [], seconds)[0]:
        taken += sum(len(wire.receive()) for wire in readable)
    return taken


def probe(near, far, seconds):
    """Waits for the path: sends a frame twice a second until one arrives."""
    deadline, sent, frame = time.monotonic() + seconds, 0, HEADER + PROBE.to_bytes(4, "big") + bytes(42)
    taken = settle([near, far], 0)
    while time.monotonic() < deadline:
        near.queue(frame)
        near.flush()
        sent += 1
        if select.select([far], [], [], 0.5)[0]:
            break
    taken += settle([near, far])
    return f"probe sent={sent} received={taken}"


class Peer:
    """The commands, and what goes on between them."""

    def __init__(self, wires):
        self.wires, self.flooding, self.generator, self.number = wires, None, Generator("mix", 7), 0

    def serve(self):
        pending = b""
        while True:
            writers = [self.flooding] if self.flooding else []
            readable, writable, _ = select.select([0, *self.wires.values()], writers, [])
            for wire in self.wires.values():
                if wire in readable:
                    wire.receive()
            if writable:
                self.pour()
            if 0 in readable:
                data = os.read(0, 4096)
                if not data:
                    return
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    self.command(line.decode().split())

    def pour(self):
        while len(self.flooding.out) < 1 << 14:
            self.flooding.queue(self.generator.frame(self.number))
            self.number += 1
        self.flooding.flush()

    def command(self, words):
        self.flooding = None
        verb, ends, rest = words[0], [self.wires[name] for name in words[1:3]], words[3:]
        if verb == "flood":
            self.flooding = ends[0]
        elif verb == "probe":
            print(probe(*ends, float(rest[0])))
        elif verb == "run":
            count, window, seed = (int(word) for word in [*rest[1:], *("10000", "128", "1")[len(rest) - 1:]])
            for size in rest[0].split(","):
                print(Run(*ends, size, count, window, seed).go(), flush=True)
                settle(ends, 0.05)
        elif verb != "quiet":
            print(f"error: no command {verb}")
        print(".", flush=True)


if __name__ == "__main__":
    Peer({role: Wire(int(descriptor)) for role, _, descriptor in (word.partition("=") for word in sys.argv[1:])}).serve()
