#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Throughput over vhost-user: {our driver, DPDK's virtio-user} x {our back-end, DPDK's net_vhost}, split and packed, as ratios to DPDK with
DPDK. Rounds of all cells, each in new processes and in an order of its own; medians of the rounds' ratios.

usage: table.py [--rounds N] [--ms N] [--document FILE] FOLDER
FOLDER holds vhost_front and vhost_back. With FILE the table is written between its lines <!-- vhost: begin --> and <!-- vhost: end -->.
Exit: 0 no cell is behind, 1 one is, 2 it could not run.
"""
import argparse
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BEGIN, END = '<!-- vhost: begin -->', '<!-- vhost: end -->'
FORMATS = ('split', 'packed')
NAMES = {'back': {'dpdk': 'DPDK `net_vhost`', 'ours': 'ours'}, 'front': {'dpdk': 'DPDK `virtio-user`', 'ours': 'ours'}}
CELLS = tuple((back, front) for back in NAMES['back'] for front in NAMES['front'])
BASE = ('dpdk', 'dpdk')
EAL = ['-m', '128', '--no-huge', '--no-pci', '--no-telemetry', '--no-shconf', '--log-level=error']
PATIENCE = 90
FEWEST_ROUNDS = 8  # for a verdict


class CouldNotRun(Exception):
    pass


def cpus():
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise CouldNotRun('two processors are needed')
    return allowed[:2]


def pinned(cpu, command):
    return subprocess.Popen(['taskset', '-c', str(cpu), *command, '-l', str(cpu), *EAL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def measure(folder, back, front, kind, ms):
    """Frames a second that came back, checked."""
    front_cpu, back_cpu = cpus()
    with tempfile.TemporaryDirectory() as home:
        socket = f'{home}/s'
        server = pinned(back_cpu, [f'{folder}/vhost_back', back, socket, str(ms)])
        client = None
        try:
            if server.stdout.readline() != 'ready\n':
                raise CouldNotRun(f'vhost_back {back}: {server.communicate()[1].strip()}')
            client = pinned(front_cpu, [f'{folder}/vhost_front', front, socket, kind])
            out, errors = server.communicate(timeout=PATIENCE)
            found = re.search(r'frames=(\d+) ns=(\d+) bad=0\n', out)
            if server.returncode or not found:
                client.kill()
                raise CouldNotRun(f'{back} with {front}, {kind}: {out} {errors} {client.communicate()[1]}')
        finally:
            for process in (server, client):
                if process and process.poll() is None:
                    process.kill()
                    process.communicate()
    return int(found[1]) / int(found[2]) * 1e9


def interval(ratios, samples=2000):
    """95% of what medians of as many rounds, drawn from these, come to."""
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(samples))
    return medians[int(samples * 0.025)], medians[int(samples * 0.975)]


def rounds_of(folder, rounds, ms):
    """For each format and cell its ratios, one a round."""
    ratios = {(kind, cell): [] for kind in FORMATS for cell in CELLS}
    for number in range(rounds):
        for kind in FORMATS:
            order = list(CELLS)
            random.shuffle(order)
            rates = {cell: measure(folder, *cell, kind, ms) for cell in order}
            for cell in CELLS:
                ratios[kind, cell].append(rates[cell] / rates[BASE])
            print(f'{number + 1}/{rounds} {kind}: ' + ', '.join(f"{back} back {front} front {rates[back, front] / 1e6:.2f}" for back, front in CELLS) +
                  ' Mpps', file=sys.stderr, flush=True)
    return ratios


def lines(ratios, rounds, ms):
    version = subprocess.run(['pkg-config', '--modversion', 'libdpdk'], capture_output=True, text=True, check=True).stdout.strip()
    yield (f'DPDK {version}; 64-byte frames, burst 32, rings of 256, pool 8,191 with cache 256, no hugepages; {rounds} rounds of {ms} ms a cell. '
           'Median of the ratios, and 95% of the medians of rounds drawn from these.')
    yield ''
    yield '| Rings | Back-end | Front-end | Throughput | |'
    yield '|---|---|---|---|---|'
    for kind in FORMATS:
        for cell in CELLS:
            found = ratios[kind, cell]
            low, high = interval(found)
            verdict = '' if cell == BASE or rounds < FEWEST_ROUNDS else 'behind' if high < 1 else 'ahead' if low > 1 else 'same'
            spread = '' if cell == BASE else f' ({low:.2f} to {high:.2f})'
            yield f"| {kind} | {NAMES['back'][cell[0]]} | {NAMES['front'][cell[1]]} | **{statistics.median(found):.2f}**{spread} | {verdict} |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--rounds', type=int, default=24)
    parser.add_argument('--ms', type=int, default=300)
    parser.add_argument('--document', type=pathlib.Path)
    parser.add_argument('folder', type=pathlib.Path)
    options = parser.parse_args()
    began = time.monotonic()
    table = list(lines(rounds_of(options.folder, options.rounds, options.ms), options.rounds, options.ms))
    print('\n'.join(table))
    print(f'{time.monotonic() - began:.0f} s', file=sys.stderr)
    if options.document:
        before, begin, rest = options.document.read_text().partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise CouldNotRun(f'{options.document} lacks the lines {BEGIN} and {END}')
        options.document.write_text(f'{before}{BEGIN}\n' + '\n'.join(table) + f'\n{END}{after}')
    return 1 if any(line.endswith('| behind |') for line in table) else 0


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        sys.exit(main())
    except (CouldNotRun, subprocess.TimeoutExpired) as error:
        print(f'table.py: {error}', file=sys.stderr)
        sys.exit(2)
