#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The same words to dpdk-testpmd and to ours: the answers are the same but for the numbers, and for what differences.py argues.

usage: test_beside_dpdk.py PROGRAM
"""
import difflib
import re
import unittest

import differences
from program import EAL, PORTS, command, main, shape
from terminal import Terminal, run

DPDK = ["dpdk-testpmd", *EAL, "--no-pci", *PORTS, "--", "--total-num-mbufs=4096"]
OURS = command("--total-num-mbufs=4096")

# In this order; a word with ! is typed again, where forwarding has started or stopped meanwhile.
SESSION = ("stop", "show port info 0", "show port summary all", "show config fwd", "set fwd macswap", "start", "start!",
           "show port stats all", "show fwd stats all", "set burst 16", "set burst 0", "set burst 600", "clear fwd stats all", "stop!",
           "show port xstats 0", "show port stats 5", "show port info x", "clear port stats 1", "clear port xstats all",
           "set promisc 0 off", "set promisc all on", "set eth-peer 1 02:00:00:00:00:07", "set fwd bogus", "set fwd", "bogus",
           "start bogus", "show")


def lines(text):
    return shape(text).splitlines()


class Session(unittest.TestCase):
    """On a terminal, at the prompt."""

    @staticmethod
    def session(words):
        answers = {}
        with Terminal([*words, "-i"]) as terminal:
            answers[""] = terminal.expect("testpmd> ")
            terminal.silent()
            for line in SESSION:
                answers[line] = terminal.command(line.rstrip("!"))
            typed = len(terminal.text)
            terminal.type("quit\n")
            terminal.ends()
            answers["quit"] = terminal.text[typed:]
        return answers

    @classmethod
    def setUpClass(cls):
        cls.dpdk, cls.ours = cls.session(DPDK), cls.session(OURS)

    def test_every_answer_is_compared(self):
        argued = [row[0] for row in differences.ARGUED]
        self.assertEqual(sorted([*argued, *differences.SAME]), sorted(["", *SESSION, "quit"]))

    def test_same(self):
        for line in differences.SAME:
            with self.subTest(line):
                self.assertEqual(lines(self.ours[line]), lines(self.dpdk[line]))

    def test_argued(self):
        for line, theirs, ours, _ in differences.ARGUED:
            with self.subTest(line):
                changes = [one for one in difflib.ndiff(lines(self.dpdk[line]), lines(self.ours[line])) if one[0] in "+-"]
                for sign, patterns in (("-", theirs), ("+", ours)):
                    found = [one[2:] for one in changes if one[0] == sign]
                    self.assertEqual([one for one in found if not any(re.fullmatch(p, one) for p in patterns)], [], sign)
                    self.assertEqual([p for p in patterns if not any(re.fullmatch(p, one) for one in found)], [], sign)

    def test_statistics_have_the_same_labels(self):
        """What scripts read, without the table's help."""
        for line, count in (("show port stats all", 2 * 12), ("show fwd stats all", 3 * 6), ("stop!", 3 * 6)):
            labels = [re.findall(r"([RT][Xx]-\w+): +\d+", answers[line]) for answers in (self.dpdk, self.ours)]
            self.assertEqual(labels[1], labels[0], line)
            self.assertEqual(len(labels[0]), count, line)


class NoTerminal(unittest.TestCase):
    """In a pipe, ended by a signal."""

    @staticmethod
    def report(words):
        _, out, err = run(["stdbuf", "-oL", *words, "--stats-period=1", "--tx-first"], until="NIC statistics for port 1")
        return re.sub(r"\x1b\[\S+?[HJ]", "", out)

    def test_blocks(self):
        dpdk, ours = self.report(DPDK), self.report(OURS)
        for block in (r"\nPort statistics =+\n(?:.*\n){12}", r"Telling cores to stop\.\.\.\n(?:.*\n)*\nDone\.\n"):
            found, known = re.search(block, ours), re.search(block, dpdk)
            self.assertIsNotNone(known, dpdk)
            self.assertIsNotNone(found, ours)
            self.assertEqual(lines(found.group()), lines(known.group()))
        self.assertRegex(ours, r"\n  RX-packets: \d+ ")


if __name__ == "__main__":
    main()
