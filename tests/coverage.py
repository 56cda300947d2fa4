#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Adds up the branches that a test run took, file by file, and fails below a limit.

usage: coverage.py BUILD FOLDER LIMIT

BUILD was configured with -Db_coverage=true and its tests have run; FOLDER is one of the source tree. Branches that
only an exception takes are not counted: nothing there throws.
"""
import collections
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile


def reports(build, folder):
    notes = [path for path in build.rglob('*.gcda')]
    with tempfile.TemporaryDirectory() as out:
        for first in range(0, len(notes), 50):
            subprocess.run(['gcov', '--json-format', '--branch-probabilities', *map(str, notes[first:first + 50])],
                           cwd=out, check=True, capture_output=True)
            for path in pathlib.Path(out).glob('*.gcov.json.gz'):
                yield json.loads(gzip.decompress(path.read_bytes()))
                path.unlink()


def main(build, folder, limit):
    build, folder = pathlib.Path(build).resolve(), pathlib.Path(folder).resolve()
    taken = collections.defaultdict(dict)
    for report in reports(build, folder):
        base = pathlib.Path(report['current_working_directory'])
        for file in report['files']:
            path = (base / file['file']).resolve()
            if folder not in path.parents:
                continue
            for line in file['lines']:
                for number, branch in enumerate(b for b in line['branches'] if not b['throw']):
                    key = (line['line_number'], line.get('function_name', ''), number)
                    taken[path][key] = taken[path].get(key, 0) + branch['count']
    total = covered = 0
    for path in sorted(taken):
        branches = taken[path]
        hit = sum(1 for count in branches.values() if count)
        missed = sorted({key[0] for key, count in branches.items() if not count})
        total, covered = total + len(branches), covered + hit
        if missed:
            print(f'{path.relative_to(folder)}: {hit}/{len(branches)}, not all of lines {", ".join(map(str, missed))}')
    share = 100 * covered / max(total, 1)
    print(f'branches of {folder.name}: {covered} of {total} taken, {share:.1f}%, limit {limit}%')
    return 0 if share >= float(limit) else 1


sys.exit(main(*sys.argv[1:]))
