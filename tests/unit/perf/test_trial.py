#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A real trial of a rate, a short one: counts, no times. test_trial.py SLUICE_PERF_SUBJECT"""
import json
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1)


def trial(scenario, *words, side="ours"):
    return subprocess.run([PROGRAM, "--scenario", scenario, "--side", side, "--rate", *map(str, words)], capture_output=True, text=True, timeout=100, env={})


class Trial(unittest.TestCase):
    def test_accounts_for_every_frame(self):
        for scenario in ("virtio-split-mergeable", "virtio-split-inorder", "virtio-packed"):
            for side in ("ours", "dpdk"):
                for rate in (20000, 100000000):
                    with self.subTest(scenario=scenario, side=side, rate=rate):
                        done = trial(f"{scenario}/scalar/fwd/64/b32/r256", rate, "--seconds", 0.05, "--latency", side=side)
                        self.assertEqual(done.returncode, 0, done.stderr)
                        said = json.loads(done.stdout.splitlines()[-1])
                        self.assertEqual(said["offered"], rate / 20)
                        self.assertEqual(said["bad"], 0)
                        self.assertGreater(said["back"], 0)
                        self.assertEqual(said["placed"], said["back"] + said["unsent"])
                        lost = said["offered"] - said["returned"]
                        self.assertGreaterEqual(lost, said["full"] + said["late"])
                        self.assertLessEqual(lost, said["full"] + said["late"] + said["unsent"])
                        self.assertEqual(len(said["latency"]), min(said["returned"], 1001))
                        self.assertEqual(said["latency"], sorted(said["latency"]))

    def test_is_of_forwarding_by_a_soft_nic(self):
        for scenario, why in (("virtio-packed/scalar/rx/64/b32/r256", "/fwd/"), ("e1000-82574/scalar/fwd/64/b32/r256", "virtio")):
            done = trial(scenario, 1000)
            self.assertEqual(done.returncode, 2)
            self.assertIn(why, done.stderr)


if __name__ == "__main__":
    unittest.main()
