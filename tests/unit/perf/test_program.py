#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluice-perf as it is started, against build directories that are made up: test_program.py SLUICE_PERF"""
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.realpath(sys.argv.pop(1))

# Costs 10 ns a packet times what the file "cost" says; a fixed sequence of small steps stands for noise.
SUBJECT = """#!/bin/sh
here=$(dirname "$0")
[ ! -e "$here/broken" ] || { cat "$here/broken" >&2; exit 2; }
[ "$1" != --list ] || { cat "$here/list"; exit 0; }
read -r n < "$here/turn"; echo $((n + 1)) > "$here/turn"
read -r cost noise < "$here/cost"
awk -v n="$n" -v cost="$cost" -v noise="$noise" 'BEGIN {
    printf "{\\"scenario\\":\\"s\\",\\"side\\":\\"ours\\",\\"unit\\":\\"ns/packet\\",\\"samples\\":["
    for (i = 0; i < 9; ++i) printf "%s%.6f", i ? "," : "", cost * (1 + noise * ((n * 7919) % 13 - 6) + 0.0001 * i)
    print "]}" }'
"""


def make_build(root, name, cost=10, noise=0.001, dpdk="22.11.11"):
    build = root / name
    subject = build / "apps/perf/subject"
    subject.mkdir(parents=True)
    (build / "meson-info").mkdir()
    info = build / "meson-info"
    (info / "meson-info.json").write_text(json.dumps({"directories": {"source": str(root)}}))
    (info / "intro-targets.json").write_text("[]")
    (info / "intro-buildoptions.json").write_text('[{"name": "buildtype", "value": "debugoptimized"}]')
    (info / "intro-dependencies.json").write_text(json.dumps([{"name": "libdpdk", "version": dpdk}]))
    program = subject / "sluice-perf-subject"
    program.write_text(SUBJECT)
    program.chmod(0o755)
    (subject / "turn").write_text("1\n")
    (subject / "cost").write_text(f"{cost} {noise}\n")
    (subject / "list").write_text(json.dumps([
        {"id": "virtio-split/avx2/fwd/64/b32/r256", "driver": "virtio", "ci": True, "margin": 0.02},
        {"id": "e1000/avx2/fwd/64/b32/r256", "driver": "e1000", "ci": False, "margin": 0.02}]))
    return build


def git(tree, *words):
    return subprocess.run(["git", "-C", str(tree), "-c", "user.name=x", "-c", "user.email=x@x", *map(str, words)],
                          check=True, capture_output=True, text=True).stdout.strip()


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        self.database = self.root / "perf.db"
        self.a = make_build(self.root, "a")
        self.virtio = ["--scenario", "virtio*", "--time", "--budget", "20", "--rounds", "20"]

    def perf(self, *words):
        return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=100,
                              env={**os.environ, "SLUICE_PERF_DATABASE": str(self.database)}, cwd=self.root)

    def compare(self, b, *words):
        return self.perf("compare", self.a, b, *self.virtio, *words)

    def test_lists_scenarios(self):
        done = self.perf("list", self.a)
        self.assertEqual((done.returncode, done.stdout.count("\n")), (0, 2), done.stderr)
        listed = json.loads(self.perf("list", self.a, "--ci", "--json").stdout)
        self.assertEqual([one["scenario"] for one in listed["results"]], ["virtio-split/avx2/fwd/64/b32/r256"])

    def test_regressed_is_exit_1_with_every_output(self):
        b = make_build(self.root, "b", cost=10.7)
        done = self.compare(b, "--json", "--junit", self.root / "j.xml", "--markdown", self.root / "m.md", "--html", self.root / "r.html")
        self.assertEqual(done.returncode, 1, done.stderr)
        answer = json.loads(done.stdout)
        self.assertEqual((answer["program"], answer["format"]), ("sluice-perf", 1))
        [result] = [one for one in answer["results"] if "verdict" in one]
        self.assertEqual((result["verdict"], result["rounds"]), ("regressed", 20))
        self.assertAlmostEqual(result["ratio"], 1.07, delta=0.01)
        self.assertIn("--seed", result["command"])
        self.assertIn("1 regressed; exit 1", done.stderr)
        self.assertIn("<failure", (self.root / "j.xml").read_text())
        self.assertIn("**regressed**", (self.root / "m.md").read_text())
        self.assertIn("regressed", (self.root / "r.html").read_text())

    def test_improved_and_same_are_exit_0(self):
        self.assertEqual(self.compare(make_build(self.root, "b", cost=9)).returncode, 0)
        self.assertIn("improved", self.perf("show").stdout)
        done = self.compare(self.a)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("same", done.stdout)

    def test_too_noisy_is_exit_3_unless_it_may_pass(self):
        b = make_build(self.root, "b", noise=0.05)
        done = self.compare(b)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("more rounds would decide", done.stdout)
        self.assertEqual(self.compare(b, "--noisy", "pass").returncode, 0)

    def test_what_is_built_otherwise_is_not_comparable(self):
        done = self.compare(make_build(self.root, "b", dpdk="23.11"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("built against DPDK 22.11.11 beside 23.11", done.stdout)
        self.assertIn("not-comparable", done.stdout)

    def test_what_cannot_run_is_exit_2_with_the_programs_own_line(self):
        b = make_build(self.root, "b")
        (b / "apps/perf/subject/list").replace(b / "list")
        (b / "apps/perf/subject/list").write_text((b / "list").read_text())
        broken = self.a / "apps/perf/subject/broken"
        broken.write_text("no memory: reserve hugepages\n")
        done = self.compare(b)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no memory: reserve hugepages", done.stdout)

    def test_wrong_arguments_are_exit_2(self):
        for words in ([], ["fly"], ["compare"], ["record", self.a, "--counts", "--time"], ["list", self.root / "none"],
                      ["record", self.a, "--scenario", "none", "--time"], ["gate", self.a, "--time"], ["show", "--run", "x"]):
            done = self.perf(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr.strip(), words)

    def test_gate_compares_time_with_a_base(self):
        b = make_build(self.root, "b", cost=11)
        done = self.perf("gate", b, "--base", self.a, *self.virtio)
        self.assertEqual(done.returncode, 1, done.stderr)

    def test_gate_takes_the_scenarios_of_drivers_that_changed(self):
        """Since the commit of another working tree; in one tree, since the base's program was built."""
        tree, other = self.root / "tree", self.root / "other"
        (tree / "drivers/net/e1000").mkdir(parents=True)
        source = tree / "drivers/net/e1000/tx.cpp"
        source.write_text("1\n")
        (tree / "README.md").write_text("1\n")
        (tree / ".gitignore").write_text("build*\n")
        git(tree, "init", "-q")
        git(tree, "add", ".")
        git(tree, "commit", "-qm", "1")
        git(self.root, "clone", "-q", tree, other)
        base, after, near = make_build(other, "build"), make_build(tree, "build"), make_build(tree, "build-before")
        for build in (base, after, near):
            (build / "apps/perf/subject/list").write_text((build / "apps/perf/subject/list").read_text().replace("false", "true"))
        words = ["--time", "--budget", "20", "--rounds", "20", "--json"]

        def judged(before):
            done = self.perf("gate", after, "--base", before, *words)
            self.assertEqual(done.returncode, 0, done.stderr)
            return [one["scenario"] for one in json.loads(done.stdout)["results"] if "verdict" in one], done.stderr

        (tree / "README.md").write_text("2\n")
        for before in (base, near):
            self.assertEqual(judged(before)[0], [])
            self.assertIn("nothing that is measured changed", judged(before)[1])
        source.write_text("2\n")
        for before in (base, near):
            self.assertEqual(judged(before)[0], ["e1000/avx2/fwd/64/b32/r256"])
        (other / "README.md").write_text("of an unknown state\n")
        self.assertEqual(len(judged(base)[0]), 2)

    def test_records_shows_and_exports(self):
        done = self.perf("record", self.a, *self.virtio)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("90", done.stdout)
        google = json.loads(self.perf("export", "--format", "benchmark").stdout)
        self.assertEqual(len([one for one in google["benchmarks"] if one["run_type"] == "iteration"]), 90)
        path = self.root / "google.json"
        path.write_text(json.dumps(google))
        self.assertIn("virtio-split", self.perf("show", "--input", path).stdout)
        self.assertIn("record", self.perf("show", "--history").stdout)
        self.assertEqual(json.loads(self.perf("export").stdout)["format"], 1)

    def test_show_of_no_history_is_one_line(self):
        done = self.perf("show")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1))
        self.database.touch()
        done = self.perf("show")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1))
        self.assertIn("no runs yet", done.stderr)

    def test_killed_while_it_records_loses_at_most_a_round(self):
        child = subprocess.Popen([PROGRAM, "compare", str(self.a), str(self.a), "--time", "--budget", "60", "--scenario", "virtio*"],
                                 env={**os.environ, "SLUICE_PERF_DATABASE": str(self.database)},
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        turn = self.a / "apps/perf/subject/turn"
        until = time.monotonic() + 60
        while int(turn.read_text() or 0) < 22 and time.monotonic() < until:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        child.wait()
        turns = int(turn.read_text() or 0) - 1
        with sqlite3.connect(self.database) as kept:
            rounds = kept.execute("SELECT count(DISTINCT round) FROM sample").fetchone()[0]
            self.assertEqual(kept.execute("SELECT count(*) FROM sample").fetchone()[0], 27 * rounds)
        self.assertGreaterEqual(rounds, turns // 3 - 1)
        self.assertIn("ended before its end", self.perf("show", "--history").stdout)

    def test_bisect_finds_the_commit(self):
        tree = self.root / "tree"
        tree.mkdir()
        git(tree, "init", "-q")
        commits = []
        for cost in (10, 10, 10, 11, 11):
            (tree / "cost").write_text(f"{cost} 0.001\n")
            (tree / "more").write_text(str(len(commits)))
            git(tree, "add", ".")
            git(tree, "commit", "-qm", f"cost {cost}")
            commits.append(git(tree, "rev-parse", "HEAD"))
        b = make_build(self.root, "b")
        make = f"cp {tree}/cost {b}/apps/perf/subject/cost"
        done = subprocess.run([PROGRAM, "bisect", commits[0], "--base", str(self.a), "--build", str(b), "--make", make, *self.virtio],
                              cwd=tree, capture_output=True, text=True, timeout=200)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{commits[3]} is the first bad commit", done.stdout)

    def test_bisect_step_skips_what_is_too_noisy_or_does_not_build(self):
        b = make_build(self.root, "b", noise=0.05)
        step = ["bisect", "x", "--step", "--base", self.a, "--build", b, *self.virtio]
        self.assertEqual(self.perf(*step, "--make", "true").returncode, 125)
        self.assertEqual(self.perf(*step, "--make", "false").returncode, 125)


if __name__ == "__main__":
    unittest.main()
