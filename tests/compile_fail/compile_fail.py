#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Proves that a misuse does not compile, and that nothing but the misuse is wrong.

usage: compile_fail.py FILE COMPILER [ARGUMENT...]

FILE is compiled twice. As it is (the fixed twin) it must compile; with -DMISUSE it must not, and the
compiler must say what the file's line "// expect: TEXT" promises.
"""
import subprocess
import sys


def main() -> int:
    source, compiler = sys.argv[1], sys.argv[2:]
    with open(source, encoding='utf-8') as file:
        expected = [line.split('// expect:', 1)[1].strip() for line in file if '// expect:' in line]
    if not expected or 'MISUSE' not in open(source, encoding='utf-8').read():
        print(f'{source}: has no "// expect:" line or no MISUSE in it')
        return 1
    base = compiler + ['-std=c++20', '-fsyntax-only', source]
    fixed = subprocess.run(base, capture_output=True, text=True, check=False)
    if fixed.returncode != 0:
        print(f'{source}: the fixed twin does not compile\n{fixed.stderr}')
        return 1
    misuse = subprocess.run(base + ['-DMISUSE'], capture_output=True, text=True, check=False)
    if misuse.returncode == 0:
        print(f'{source}: the misuse compiles')
        return 1
    missing = [text for text in expected if text not in misuse.stderr]
    if missing:
        print(f'{source}: fails to compile, but not with {missing}\n{misuse.stderr}')
        return 1
    return 0


sys.exit(main())
