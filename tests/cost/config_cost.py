#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Counts the instructions that a mediated access adds to the raw one, and fails beyond the limit.

usage: config_cost.py PROGRAM VALGRIND LIMIT

A write's raw counterpart is a read and a write, which is what a write to part of a register needs.
"""
import re
import subprocess
import sys
import tempfile

FEW, MANY = 1000, 3000


def instructions(program, valgrind, kind, count):
    with tempfile.NamedTemporaryFile() as out:
        run = subprocess.run([valgrind, '--tool=callgrind', f'--callgrind-out-file={out.name}', program, kind, str(count)],
                             capture_output=True, text=True, check=True, timeout=120)
    return int(re.search(r'Collected\s*:\s*(\d+)', run.stderr)[1])


def each(program, valgrind, kind):
    few, many = (instructions(program, valgrind, kind, count) for count in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def main(program, valgrind, limit):
    raw = {'read': each(program, valgrind, 'raw-read'), 'write': each(program, valgrind, 'raw-write')}
    worst = 0
    for kind in ('read-hardware', 'read-shadow', 'read-mixed', 'write'):
        cost = each(program, valgrind, kind)
        added = cost - raw[kind.split('-')[0]]
        worst = max(worst, added)
        print(f'{kind:14} {cost:6.1f} instructions, {added:+6.1f} over the raw access')
    print(f'worst: {worst:.1f}, limit {limit}')
    return 0 if worst <= int(limit) else 1


sys.exit(main(*sys.argv[1:]))
