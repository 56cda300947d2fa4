#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluice-perf held against a real machine: A beside itself must not regress, +7% of time must be found.

selftest.py BUILD [--runs 20] [--budget SECONDS] [--rounds N] [--scenario ID] [--only quiet|spinner|slower]

The slower build is BUILD with nine additions more for two packets in the measured driver's transmit burst (tests/cost/plant.py).
Exit: 0 as promised, 1 not.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cost"))
import plant   # noqa: E402

# Nine additions for two packets, each of which waits for the one before: about +7% of the default scenario's time.
SLOWER = f"""        std::uint64_t planted = 0;
        asm volatile(".rept {9 * plant.BURST // 2}\\n\\tlea 1(%0), %0\\n\\t.endr" : "+r"(planted));
"""


def slower_build(options, folder):
    """BUILD's program, whose driver does more for each packet."""
    tree = plant.Tree(options.build)
    driver = next(each["driver"] for each in tree.scenarios if each["id"] == options.scenario)
    return tree.plant(driver, SLOWER, folder / "slower")


class Spinner(threading.Thread):
    """Takes a CPU for up to two seconds now and then, on whichever CPU the kernel chooses."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over = threading.Event()

    def run(self):
        choose = random.Random(1)
        while not self.over.is_set():
            spinning = subprocess.Popen(["sh", "-c", "while :; do :; done"])
            self.over.wait(choose.uniform(0.1, 2))
            spinning.kill()
            spinning.wait()
            self.over.wait(choose.uniform(0.1, 2))


def compare(options, a, b, folder):
    words = [options.build / "apps/perf/sluice-perf", "compare", a, b, "--time", "--json", "--database", folder / "perf.db",
             "--scenario", options.scenario, "--budget", str(options.budget), "--rounds", str(options.rounds)]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if not done.stdout:
        sys.exit(f"selftest: {done.stderr.strip()}")
    return next(one for one in json.loads(done.stdout)["results"] if "verdict" in one)


def series(options, name, a, b, runs, folder):
    verdicts = collections.Counter()
    begun = time.monotonic()
    for i in range(runs):
        one = compare(options, a, b, folder)
        verdicts[one["verdict"]] += 1
        if one["verdict"] == "could-not-run":
            sys.exit(f"selftest: {one['reason']}")
        low, high = one["interval"]
        left = (time.monotonic() - begun) / (i + 1) * (runs - i - 1)
        print(f"{name} {i + 1} of {runs}: {one['verdict']}, {one['ratio']:.4f} [{low:.4f}, {high:.4f}], {one['rounds']} rounds, "
              f"load {os.getloadavg()[0]:.1f}, {left:.0f} s left", flush=True)
    print(f"{name}: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())), flush=True)
    return verdicts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--budget", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--scenario", default="virtio-split-mergeable/scalar/fwd/64/b32/r256")
    parser.add_argument("--only", choices=["quiet", "spinner", "slower"])
    options = parser.parse_args()
    options.build = options.build.resolve()
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if options.only in (None, "quiet"):
            failed |= series(options, "A/A", options.build, options.build, options.runs, folder)["regressed"] > 1
        if options.only in (None, "spinner"):
            spinner = Spinner()
            spinner.start()
            failed |= series(options, "A/A beside a spinner", options.build, options.build, options.runs, folder)["regressed"] > 0
            spinner.over.set()
            spinner.join()
        if options.only in (None, "slower"):
            found = series(options, "+7%", options.build, slower_build(options, folder), max(1, options.runs // 5), folder)
            failed |= found["same"] + found["improved"] > 0 or found["regressed"] == 0
    print("selftest:", "FAILED" if failed else "as promised")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
