# SPDX-License-Identifier: BSD-3-Clause
"""Distinct lines of memory by kind, of what the counting plugin reports."""
import collections
import re

KINDS = ("descriptor", "mbuf0", "mbuf1", "own", "pool", "payload", "stack")
LINE_BYTES = 64


class Range:
    def __init__(self, text):
        self.kind, *numbers = text.split(",")
        self.first, self.size, self.stride = (int(number, 16) for number in numbers[:3])
        self.count = int(numbers[3])

    def holds(self, line):
        if line + LINE_BYTES <= self.first:
            return False
        distance = max(line - self.first, 0)
        if self.count == 1 or self.stride == 0:
            return distance < self.size
        return distance // self.stride < self.count and distance % self.stride < self.size


def by_kind(lines, ranges):
    """KIND=LINES…, summed over all turns: the first range that holds a line says what it is, and what none holds is the driver's own."""
    ranges = [Range(text) for text in ranges]
    sums = collections.Counter()
    for line in lines:
        address, touched = re.match(r"line ([0-9a-f]+) touched=(\d+)", line).groups()
        sums[next((each.kind for each in ranges if each.holds(int(address, 16))), "own")] += int(touched)
    return " ".join(f"lines_{kind}={sums[kind]}" for kind in KINDS)
