#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Puts what the suite config_capture saw into the tree's cases.

usage: captured.py RESULTS… CASES

RESULTS are files that tests/guest/lab --results wrote, with both kernels in them; CASES is tests/config-cases. A device whose
image, masks and accesses are the same with both is one case; one where a kernel left hardware otherwise is a case for
each, which has answers of that kernel alone.
"""
import base64
import collections
import io
import json
import pathlib
import sys
import tarfile

KERNELS = ['6.1', '6.12']
INPUTS = ('.bin', '.wm', '.w1c', '.scr')


def unpack(results):
    """{kernel: {device: {ending: bytes}}}"""
    parts, captured = collections.defaultdict(str), {}
    for path in results:
        for row in json.loads(pathlib.Path(path).read_text(encoding='utf-8'))['rows']:
            if 'part' in row:
                parts[row['kernel']] += row['part']
    for kernel, text in parts.items():
        files = captured[kernel] = collections.defaultdict(dict)
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text)), mode='r:xz') as archive:
            for member in archive:
                if member.isfile():
                    path = pathlib.PurePath(member.name)
                    files[path.stem][path.suffix] = archive.extractfile(member).read()
    return captured


def save_reads(captured, cases):
    """How often each kernel read hardware to build its space: NAME 6.1 6.12, by tabs."""
    counts = [dict(line.split('\t') for line in captured[kernel].pop('reads')['.tsv'].decode().splitlines()) for kernel in KERNELS]
    lines = [f'{name}\t{old}\t{counts[1][name]}\n' for name, old in sorted(counts[0].items())]
    (cases / 'captured/reads.tsv').write_text(''.join(lines), encoding='utf-8')


def write(cases, name, files, kernels):
    (cases / 'captured').mkdir(exist_ok=True)
    for ending in INPUTS:
        folder = 'tests' if ending == '.scr' else 'captured'
        (cases / folder / (name + ending)).write_bytes(files[ending])
    for kernel, answers in kernels.items():
        (cases / 'expected' / kernel / (name + '.out')).write_bytes(answers)


def main(*arguments):
    *results, cases = arguments
    captured, cases = unpack(results), pathlib.Path(cases)
    if sorted(captured) != KERNELS:
        print(f'{results} have answers of {sorted(captured)}, and both kernels are needed')
        return 2
    save_reads(captured, cases)
    for name in sorted(name for name in captured['6.1'] if '.scr' in captured['6.1'][name]):
        old, new = captured['6.1'][name], captured['6.12'][name]
        differing = [ending for ending in INPUTS if old[ending] != new[ending]]
        print(f'{name}: {"both kernels" if not differing else "differs in " + " ".join(differing)}')
        if not differing:
            write(cases, name, old, {'6.1': old['.out'], '6.12': new['.out']})
            continue
        for kernel, files in (('6.1', old), ('6.12', new)):
            own = f'{name}-{kernel}'
            renamed = {ending: data.replace(name.encode(), own.encode()) if ending in ('.scr', '.out') else data
                       for ending, data in files.items()}
            write(cases, own, renamed, {kernel: renamed['.out']})
    return 0


sys.exit(main(*sys.argv[1:]))
