#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The table of ours beside DPDK's drivers, from made-up counts."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "beside"))
import table   # noqa: E402
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from host import counted   # noqa: E402


def row(path, instructions, wide=0):
    return {"nic": "e1000", "path": path, "driver": "some", "kernel": "6.1", "dpdk": "22.11", "compiler": "g++", "turns": "10", "times": "10",
            "packets": "320", "instructions": str(instructions), "wide": str(wide), "loads": "320", "stores": "640", "lines": "960",
            "lines_descriptor": "320", "lines_mbuf0": "320", "lines_mbuf1": "0", "lines_own": "160", "lines_pool": "160", "watched": "32",
            "device_writes": "20"}


class Table(unittest.TestCase):
    def test_a_row_is_the_median_of_its_runs_with_their_spread(self):
        row_lines = list(table.lines([row("dpdk", 3200), row("vfio", 320, 1), row("vfio", 640, 1), row("vfio", 352, 1)], "7.2", "abc"))
        self.assertIn("| 82540EM (e1000) | DPDK `some` on vfio-pci | corei7 | **10.0** | 1.000 | 3.0 | 3.0 | 1.00 · 1.00 · 0.00 · 0.50 · 0.50 | 0.10 | 2.00 | 32.0 | 1, 0.00 |", row_lines)
        self.assertIn("| 82540EM (e1000) | ours on vfio-pci | AVX2 | **1.1** | 0.110 | 3.0 | 3.0 | 1.00 · 1.00 · 0.00 · 0.50 · 0.50 | 0.10 | 2.00 | 32.0 | 3, 1.00 |", row_lines)

    def test_lines_are_of_the_first_range_that_holds_them(self):
        ranges = ["mbuf0,1000,40,100,4", "pool,1000,400,0,1"]
        lines = ["line 1100 touched=3 read=3 written=0 stores=0", "line 1140 touched=2 read=2 written=0 stores=0",
                 "line 5000 touched=1 read=1 written=0 stores=0"]
        self.assertIn("lines_mbuf0=3 ", counted.by_kind(lines, ranges))
        self.assertIn("lines_pool=2 ", counted.by_kind(lines, ranges))
        self.assertIn("lines_own=1 ", counted.by_kind(lines, ranges))

    def test_a_native_row_has_both_sides(self):
        metrics = {"instructions": (400.0, 100.0), "loads": (30.0, 10.0), "stores": (20.0, 5.0), "lines": (10.0, 3.0), "pool-operations": (2.0, 0.5)}
        document = {"environment": {"toolchain": "g++", "dpdk": "22.11"},
                    "results": [{"scenario": "virtio/fwd", "metric": metric, "a": a, "b": b} for metric, (a, b) in metrics.items()]}
        self.assertIn("| `virtio/fwd` | 400.0 | **100.0** | 0.250 | 50.0 | 15.0 | 10.0 | 3.0 | 2.00 | 0.50 |",
                      list(table.native_lines(document, "abc")))

    def test_only_what_is_between_the_markers_is_replaced(self):
        document = f"above\n{table.BEGIN}\nold\n{table.END}\nbelow\n"
        self.assertEqual(table.replace(document, "new"), f"above\n{table.BEGIN}\nnew\n{table.END}\nbelow\n")
        with self.assertRaises(SystemExit):
            table.replace("no marker", "new")


if __name__ == "__main__":
    unittest.main()
