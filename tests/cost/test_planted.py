#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plants an instruction, a cache line and a doorbell into drivers' bursts, and has the counts find and name each.

usage: test_planted.py BUILD COUNT_GATE [--all]   without --all: one form of one driver, all three at once
A comment in their place must move nothing, in another folder too.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

from plant import BURST, Tree

PLANTS = {
    # name: (what stands at the doorbell, metric, how much more)
    "instruction": (f'        asm volatile(".rept {BURST}\\n\\tnop\\n\\t.endr");\n', "instructions", 1.0),
    "line": (f"        static volatile char planted[1 << 16];\n        for (int i = 0; i < {BURST}; ++i)\n"
             "            static_cast<void>(planted[(1 << 15) + 64 * i]);\n", "lines", 1.0),
    "doorbell": ("        if (at_ != nullptr)\n            *at_ = to_little(value);\n", "doorbells", 1.0),
    "comment": ("        // Nothing.\n", None, 0.0),
}


class Moved:
    """What count_gate says of one scenario: metrics that regressed, by how much, and the functions that hold more instructions."""

    def __init__(self, said, scenario):
        text = "".join(re.findall(rf"^{re.escape(scenario)} .*\n(?:  .*\n)*", said, re.M))
        self.text = text.strip()
        self.metrics = {m[1]: float(m[3]) - float(m[2]) for m in re.finditer(r"^\S+ (\S+) regressed (\S+) (\S+)$", text, re.M)}
        self.functions = re.findall(r"^  \+\S+ (.+)$", text, re.M)


def missed(names, moved):
    """What of the planted was not found, or not by its figure."""
    for name in names:
        _, metric, more = PLANTS[name]
        exact = metric != "instructions" or names == [name]
        if metric is None:
            if moved.text:
                yield f"{name} moved something"
        elif moved.metrics.get(metric, 0) < more or (exact and abs(moved.metrics[metric] - more) > 1e-5):
            yield f"{name} is not found, or is not {more} of {metric}"
    if "instruction" in names and not moved.functions:
        yield "no function is named"


def run_gate(program, *words):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=300)
    if done.returncode not in (0, 1):
        raise SystemExit(f"test_planted: {done.stderr}")
    return done.stdout


def try_driver(tree, program, driver, scenarios, plantings, folder, **files):
    budgets = folder / "budgets.json"
    run_gate(program, "write", tree.build, budgets, *scenarios)
    for names in plantings:
        build = tree.plant(driver, "".join(PLANTS[name][0] for name in names), folder / "-".join(names), **files)
        said = run_gate(program, "check", build, budgets, *scenarios)
        for scenario in scenarios:
            moved = Moved(said, scenario)
            print(f"{scenario}: {' '.join(names)}: {moved.metrics or 'nothing moved'}, {moved.functions[0] if moved.functions else 'no function'}", flush=True)
            for failure in missed(names, moved):
                yield f"{scenario}: {failure}:\n{moved.text}"


def main(build, program, *rest):
    tree = Tree(build)
    failures = []

    def of(driver):
        """What sends whole bursts, with one doorbell each."""
        return [each["id"] for each in tree.scenarios if each["driver"] == driver and each["path"] == "tx"]

    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        folder = pathlib.Path(name)
        if rest != ("--all",):
            failures += try_driver(tree, program, "virtio", of("virtio")[:1], [["instruction", "line", "doorbell"], ["comment"]], folder, files=r"tx\.cpp")
        for driver in tree.drivers() if rest == ("--all",) else []:
            (folder / driver).mkdir()
            failures += try_driver(tree, program, driver, of(driver), [[each] for each in PLANTS], folder / driver)
    print("\n".join(failures) or "every plant was found, and a comment moved nothing")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
