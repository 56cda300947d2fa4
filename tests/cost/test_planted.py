#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plants an instruction, a cache line and a doorbell into each driver's bursts, and has the counts find and name each.

usage: test_planted.py BUILD COUNT_GATE [--all]   without --all: one driver, all three at once
Every driver rings reg::Doorbell once a transmitted burst, so a copy of that header carries what is planted, and the driver
is compiled against it and linked over its own archive. A comment in its place must move nothing, in another folder too.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

BURST = 32
ANCHOR = "        publish();\n"
PLANTS = {
    # name: (what stands at the doorbell, metric, how much more)
    "instruction": (f'        asm volatile(".rept {BURST}\\n\\tnop\\n\\t.endr");\n', "instructions", 1.0),
    "line": (f"        static volatile char planted[1 << 16];\n        for (int i = 0; i < {BURST}; ++i)\n"
             "            static_cast<void>(planted[(1 << 15) + 64 * i]);\n", "lines", 1.0),
    "doorbell": ("        if (at_ != nullptr)\n            *at_ = to_little(value);\n", "doorbells", 1.0),
    "comment": ("        // Nothing.\n", None, 0.0),
}
SCENARIOS = {"virtio": "virtio-split-mergeable/scalar/tx/64/b32/r256", "e1000": "e1000-82574/scalar/tx/64/b32/r256"}


class Tree:
    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.source = pathlib.Path(__file__).resolve().parents[2]
        self.compiles = json.loads((self.build / "compile_commands.json").read_text())
        commands = subprocess.run(["ninja", "-C", self.build, "-t", "commands", "apps/perf/subject/sluice-perf-subject"],
                                  capture_output=True, text=True, check=True).stdout.splitlines()
        self.link = shlex.split(commands[-1])
        self.scenarios = json.loads(subprocess.run([self.build / "apps/perf/subject/sluice-perf-subject", "--list"],
                                                   capture_output=True, text=True, check=True).stdout)

    def drivers(self):
        return sorted({each["driver"] for each in self.scenarios})

    def scenario(self, driver):
        """Sends whole bursts."""
        wanted = [each["id"] for each in self.scenarios if each["driver"] == driver and each["path"] == "tx" and each["isa"] == "scalar"]
        return SCENARIOS.get(driver, wanted[0] if wanted else None)

    def plant(self, driver, text, folder):
        """A build's folder with the measured program, whose driver is compiled with `text` at its doorbell."""
        header = (self.source / "lib/reg/include/sluice/reg/doorbell.hpp").read_text()
        if header.count(ANCHOR) != 1:
            raise SystemExit("test_planted: Doorbell::ring() is not what it was: plant elsewhere")
        patched = folder / "include/sluice/reg/doorbell.hpp"
        patched.parent.mkdir(parents=True)
        patched.write_text(header.replace(ANCHOR, ANCHOR + text))
        objects = []
        for compile in self.compiles:
            if f"sluice_net_{driver}.a.p/" not in compile["output"]:
                continue
            objects.append(str(folder / f"{len(objects)}.o"))
            words = shlex.split(compile["command"])
            first = next(i for i, word in enumerate(words) if word.startswith("-I"))
            words[first:first] = [f"-I{folder / 'include'}"]
            words[words.index("-o") + 1] = objects[-1]
            for flag in ("-MQ", "-MF"):
                words[words.index(flag) + 1] = objects[-1] + ".d"
            subprocess.run(words, cwd=self.build, check=True)
        program = folder / "build/apps/perf/subject/sluice-perf-subject"
        program.parent.mkdir(parents=True)
        words = list(self.link)
        words[words.index("-o") + 1] = str(program)
        words[words.index("-Wl,--as-needed"):words.index("-Wl,--as-needed")] = objects
        subprocess.run(words, cwd=self.build, check=True)
        (program.parent / "libcount_marked.so").symlink_to(self.build / "apps/perf/subject/libcount_marked.so")
        return folder / "build"


def gate(program, *words):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=300)
    if done.returncode not in (0, 1):
        raise SystemExit(f"test_planted: {done.stderr}")
    print(done.stdout, end="")
    return done


def regressed(text):
    """Metrics that regressed: by how much."""
    return {m[1]: float(m[3]) - float(m[2]) for m in re.finditer(r"^\S+ (\S+) regressed (\S+) (\S+)$", text, re.M)}


def try_plants(tree, program, driver, names, folder):
    scenario = tree.scenario(driver)
    budgets = folder / "budgets.json"
    gate(program, "write", tree.build, budgets, scenario)
    print(f"-- {driver}: {' '.join(names)}")
    found = gate(program, "check", tree.plant(driver, "".join(PLANTS[name][0] for name in names), folder), budgets, scenario)
    moved = regressed(found.stdout)
    failures = []
    for name in names:
        _, metric, more = PLANTS[name]
        exact = metric != "instructions" or names == [name]
        if metric is None:
            if found.returncode != 0 or found.stdout:
                failures.append(f"{driver}: {name} moved {moved}")
        elif found.returncode != 1 or moved.get(metric, 0) < more or (exact and abs(moved[metric] - more) > 1e-5):
            failures.append(f"{driver}: {name} is not found, or is not {more} of {metric}: {moved}")
    if "instruction" in names and not re.search(r"^  \+\d", found.stdout, re.M):
        failures.append(f"{driver}: no function is named")
    return failures


def main(build, program, *rest):
    tree = Tree(build)
    failures = []
    everything = "--all" in rest
    for driver in tree.drivers() if everything else ["virtio"]:
        for names in [[name] for name in PLANTS] if everything else [["instruction", "line", "doorbell"], ["comment"]]:
            with tempfile.TemporaryDirectory(prefix="planted-") as folder:
                failures += try_plants(tree, program, driver, names, pathlib.Path(folder))
    print("\n".join(failures) or "every plant was found, and a comment moved nothing")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
