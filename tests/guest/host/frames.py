#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends frames into one port of a forwarder and compares, byte for byte, what comes out of the other.

It stands at both ends: two sockets of QEMU's `-netdev stream`, where each frame follows its length in four bytes, big
endian. At most `--window` frames are under way, fewer than a ring holds, so that every loss is the forwarder's.
Prints one line for each size; `mix` is a size drawn for each frame. `probe` sends single frames until one comes through.
"""
import argparse
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
    while time.monotonic() < deadline:
        near.queue(frame)
        near.flush()
        sent += 1
        if select.select([far], [], [], 0.5)[0]:
            break
    return sent, settle([near, far])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--near", type=int, required=True, help="the descriptor of the socket that frames are sent on")
    parser.add_argument("--far", type=int, required=True)
    parser.add_argument("--sizes", default="")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--window", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--probe", type=float, default=0, help="seconds to wait for the path first")
    options = parser.parse_args()
    near, far = Wire(options.near), Wire(options.far)
    settle([near, far], 0)
    if options.probe:
        sent, received = probe(near, far, options.probe)
        print(f"probe sent={sent} received={received}", flush=True)
        if not received:
            return 1
    for size in filter(None, options.sizes.split(",")):
        print(Run(near, far, size, options.count, options.window, options.seed).go(), flush=True)
        settle([near, far], 0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main())
