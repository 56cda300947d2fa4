#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each C++ block of README.md is, line for line, a part of an example that compiles.

usage: test_readme.py README EXAMPLE...
"""
import pathlib
import re
import sys

readme, *examples = (pathlib.Path(name).read_text() for name in sys.argv[1:])
blocks = re.findall(r"^```cpp\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
if not blocks:
    sys.exit("README.md has no C++ block")
for block in blocks:
    if not any(block in example for example in examples):
        sys.exit(f"README.md: this block is in no example of tests/examples:\n{block}")
