#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds the include graph against the table in doc/architecture.md.

A library uses what its row there lists as "may use", and nothing else; apps, drivers and tests have
rows too. Prints one line for each include that has no right to be there, and exits 1 if there is any.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
ROW = re.compile(r'^\|\s*`([a-z0-9_/]+)`\s*\|([^|]*)\|([^|]*)\|')
# What an include's first words name, where it is not one of ours.
FOREIGN = {
    'rte_': 'DPDK', 'fmt/': 'fmt', 'CLI/': 'CLI11', 'nlohmann/': 'nlohmann-json', 'pci/': 'libpci',
    'gtest/': 'GoogleTest', 'gmock/': 'GoogleTest', 'benchmark/': 'Google Benchmark',
    'numa.h': 'libnuma', 'pcap': 'libpcap', 'tl/': 'expected',
}
# Anyone may use these.
FREE = {'expected'}
SUFFIXES = {'.hpp', '.cpp', '.h', '.c'}


def table(document):
    """unit -> set of what it may use, from the rows of the document."""
    rows = {}
    for line in document.read_text(encoding='utf-8').splitlines():
        if match := ROW.match(line):
            rows[match[1]] = {word.strip(' `') for word in match[2].split(',') if word.strip()}
    return rows


def unit_of(path, rows):
    """The row that a file belongs to: the longest one that is a prefix of its path."""
    fits = [unit for unit in rows if path.as_posix().startswith(unit + '/')]
    return max(fits, key=len, default=None)


def target_of(name, rows):
    """What an #include of `name` uses: a row, a foreign library, or None for the C and C++ libraries."""
    if name.startswith('sluice/'):
        library = 'lib/' + name.split('/')[1]
        return library if library in rows else 'unknown ' + library
    if name.startswith('sluice_pci_uapi'):
        return 'kmod uapi'
    return next((library for prefix, library in FOREIGN.items() if name.startswith(prefix)), None)


def complaints(root, rows):
    for top in ('lib', 'drivers', 'apps'):
        for path in sorted((root / top).rglob('*')):
            if path.suffix not in SUFFIXES:
                continue
            relative = path.relative_to(root)
            unit = unit_of(relative, rows)
            if unit is None:
                yield f'{relative}: no row of doc/architecture.md covers it; add one'
                continue
            for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
                match = INCLUDE.match(line)
                target = match and target_of(match[1], rows)
                if target and target not in rows[unit] | FREE | {unit}:
                    yield f'{relative}:{number}: {unit} may not use {target} (<{match[1]}>)'


def order_complaints(rows):
    """The rows of lib/ stand in dependency order: each uses only those above it."""
    seen = set()
    for unit, uses in rows.items():
        if not unit.startswith('lib/'):
            continue
        for used in sorted(uses):
            if used.startswith('lib/') and used not in seen:
                yield f'doc/architecture.md: {unit} lists {used}, which does not stand above it'
        seen.add(unit)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else '.').resolve()
    rows = table(root / 'doc/architecture.md')
    if not rows:
        sys.exit('doc/architecture.md has no table of who may use what')
    found = list(order_complaints(rows)) + list(complaints(root, rows))
    print('\n'.join(found) if found else f'{len(rows)} units keep to the table')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
