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
here=${0%/*}
[ ! -e "$here/broken" ] || { cat "$here/broken" >&2; exit 2; }
[ "$1" != --list ] || { cat "$here/list"; exit 0; }
[ "$1" != --built-by ] || { cat "$here/built-by"; exit 0; }
[ "$5" != --rate ] || { . "$here/carries"; exit 0; }
read -r n < "$here/turn"; echo $((n + 1)) > "$here/turn"
read -r cost noise < "$here/cost"
awk -v n="$n" -v cost="$cost" -v noise="$noise" 'BEGIN {
    printf "{\\"scenario\\":\\"s\\",\\"side\\":\\"ours\\",\\"unit\\":\\"ns/packet\\",\\"samples\\":["
    for (i = 0; i < 9; ++i) printf "%s%.6f", i ? "," : "", cost * (1 + noise * ((n * 7919) % 13 - 6) + 0.0001 * i)
    print "]}" }'
"""

# A device that carries so many frames a second; the others find the ring full. $6: what is offered, in a second.
CARRIES = """
back=$(( $6 < {carries} ? $6 : {carries} ))
full=$(( $6 - back - {late} ))
[ $# -lt 9 ] || latency=',"latency":[900,{latency},5000]'
echo "{{\\"offered\\":$6,\\"returned\\":$back,\\"full\\":$full,\\"late\\":{late},\\"placed\\":$back,\\"back\\":{back},\\"unsent\\":0,\\"bad\\":0$latency}}"
"""


def carry(build, carries=5000000, late=0, latency=1000, back="$back"):
    (build / "apps/perf/subject/carries").write_text(CARRIES.format(carries=carries, late=late, latency=latency, back=back))
    return build


# In place of what counts: as many instructions a packet as the file "cost" says, and one doorbell a burst.
VALGRIND = """#!/bin/sh
for word; do
    case $word in
    --callgrind-out-file=*) out=${word#*=} ;;
    */sluice-perf-subject) read -r cost noise < "${word%/*}/cost" ;;
    esac
done
printf 'events: Ir Dr Dw\\nfn=(1) send\\n16 %d 2 1\\ntotals: %d 2 1\\n' "$cost" "$cost" > "$out"
echo '{"packets": 1, "bursts": 1}'
"""
QEMU = """#!/bin/sh
for word; do
    case $word in *,out=*) out=${word#*,out=}; out=${out%%,*} ;; esac
    [ "$last" != --layout ] || layout=$word
    last=$word
done
echo 'region=1 times=1 instructions=1 watched=0 device_writes=1' > "$out"
echo 'range mbuf0 1000 40 100 4' > "$layout"
echo '{"packets": 1, "bursts": 1}'
"""


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


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
    write_program(subject / "sluice-perf-subject", SUBJECT)
    (subject / "built-by").write_text("some compiler\n")
    (subject / "turn").write_text("1\n")
    (subject / "cost").write_text(f"{cost} {noise}\n")
    (subject / "list").write_text(json.dumps([
        {"id": "virtio-split/avx2/fwd/64/b32/r256", "driver": "virtio", "ci": True, "full": True, "margin": 0.02},
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

    def perf(self, *words, tree=None):
        path = f"{self.root / 'tools'}:{os.environ['PATH']}"
        return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=200,
                              env={**os.environ, "SLUICE_PERF_DATABASE": str(self.database), "PATH": path}, cwd=tree or self.root)

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

    def test_records_rates_and_latency(self):
        carry(self.a)
        done = self.perf("record", self.a, "--full", "--junit", self.root / "j.xml", "--markdown", self.root / "m.md", "--html", self.root / "r.html")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("s left", done.stderr)
        found = json.loads(self.perf("export").stdout)["results"]
        bounds = {one["metric"]: one["samples"] for one in found if one["unit"] == "frames/s" and one["metric"] != "offered"}
        for metric, rate in (("ndr", 5e6), ("pdr", 5e6 / 0.995)):
            self.assertLessEqual(bounds[metric][0], rate)
            self.assertGreaterEqual(bounds[metric][1], rate)
            self.assertLessEqual(bounds[metric][1] - bounds[metric][0], 0.006 * rate)
        trials = [one for one in found if one["metric"] == "lost"]
        self.assertGreater(len(trials), 40)
        for load in (10, 50, 90):
            rounds = [one["samples"] for one in found if one["metric"] == f"latency-pdr-{load}"]
            self.assertEqual(rounds, 5 * [[900, 1000, 5000]])
            self.assertRegex(done.stdout, rf"latency-pdr-{load} +ns +15 +1000 +5000 +5000 +5000 +5000")
        self.assertRegex(done.stdout, rf"ndr +{bounds['ndr'][0]:.0f} +{bounds['ndr'][1]:.0f} +0%")
        self.assertEqual(self.perf("show").stdout, done.stdout)
        self.assertIn(f"<system-out>{bounds['ndr'][0]:.0f} frames/s", (self.root / "j.xml").read_text())
        self.assertIn(f"| ndr | {bounds['ndr'][0]:.0f} |", (self.root / "m.md").read_text())
        self.assertIn('"rates":[{"scenario"', (self.root / "r.html").read_text())

    def test_rates_whose_trials_disagree_are_exit_3(self):
        # From the 60th trial on nothing is carried any more.
        carries = carry(self.a) / "apps/perf/subject/carries"
        turns = self.root / "turns"
        carries.write_text(f"echo >> {turns}\nlines=$(wc -l < {turns})" + carries.read_text().replace("back=$((", "back=$(( lines >= 60 ? 0 :", 1))
        done = self.perf("record", self.a, "--full")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("too-noisy", done.stdout)
        self.assertEqual(self.perf("record", self.a, "--full", "--noisy", "pass").returncode, 2, "nothing comes back")

    def test_frames_that_vanish_are_exit_2(self):
        for broken in ({"back": 0}, {"late": 6000000}):
            done = self.perf("record", carry(self.a, **broken), "--full")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("vanished in the driver", done.stdout)

    def test_compares_rates_and_latency(self):
        carry(self.a)
        b = carry(make_build(self.root, "b"), carries=4500000, latency=1100)
        done = self.perf("compare", self.a, b, "--full", "--rounds", "10", "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        verdicts = {one["metric"]: one for one in json.loads(done.stdout)["results"] if "verdict" in one}
        self.assertEqual({name: one["verdict"] for name, one in verdicts.items()},
                         {"ndr": "regressed", "pdr": "regressed", "latency-pdr-10-p50": "regressed", "latency-pdr-10-p99": "same",
                          "latency-pdr-50-p50": "regressed", "latency-pdr-50-p99": "same", "latency-pdr-90-p50": "regressed",
                          "latency-pdr-90-p99": "same"})
        self.assertAlmostEqual(verdicts["ndr"]["ratio"], 5 / 4.5, delta=0.02)
        self.assertIn("--full", verdicts["ndr"]["command"])

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

    def bisect(self, *words):
        """Over seven commits: what the sixth says is the first bad one; two between do not build."""
        tree = self.root / "tree"
        tree.mkdir()
        git(tree, "init", "-q")
        commits = []
        for cost in (10, 10, 10, "broken", "broken", 10, 11, 11):
            (tree / "cost").write_text(f"{cost} 0.001\n")
            (tree / "more").write_text(str(len(commits)))
            git(tree, "add", ".")
            git(tree, "commit", "-qm", f"cost {cost}")
            commits.append(git(tree, "rev-parse", "HEAD"))
        b = make_build(self.root, "b's")
        make = f"""! grep -q "broken" {tree}/cost && cp {tree}/cost "{b}/apps/perf/subject/cost" """
        done = self.perf("bisect", commits[0], "--base", self.a, "--build", b, "--make", make, *words, tree=tree)
        return done, commits[6], tree

    def test_bisect_finds_the_commit_by_time(self):
        done, first, _ = self.bisect(*self.virtio)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{first} is the first bad commit", done.stdout)

    def test_bisect_finds_the_commit_by_counts_and_leaves_the_tree_as_it_was(self):
        self.make_counters()
        done, first, tree = self.bisect("--counts", "--scenario", "virtio*")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{first} is the first bad commit", done.stdout)
        self.assertEqual(git(tree, "log", "-1", "--format=%s", "HEAD"), "cost 11")
        self.assertEqual(git(tree, "status", "--porcelain"), "")

    def make_counters(self):
        write_program(self.root / "tools/valgrind", VALGRIND)
        write_program(self.root / "tools/qemu-x86_64", QEMU)

    def test_counts_become_budgets_and_are_gated_by_them(self):
        self.make_counters()
        file = self.root / "apps/perf/budgets.json"
        file.parent.mkdir(parents=True)
        file.write_text('{"format": 1, "built_by": "some compiler", "scenarios": {}}')
        cost = self.a / "apps/perf/subject/cost"

        def gate(now, status, *words):
            cost.write_text(f"{now} 0\n")
            done = self.perf("gate", self.a, "--counts", *words)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
            return done.stdout + done.stderr

        def record(how, status=0):
            done = self.perf("record", self.a, "--counts", "--scenario", "virtio*", how)
            self.assertEqual(done.returncode, status, done.stderr)
            budgets = json.loads(file.read_text())["scenarios"]
            return budgets and budgets["virtio-split/avx2/fwd/64/b32/r256"]["instructions"]

        self.assertIn("has no budget: add one", gate(10, 2))
        self.assertEqual(record("--tighten"), 10)
        self.assertIn("12 same; exit 0", gate(10, 0))
        self.assertRegex(gate(11, 1), r"instructions +regressed .*\n +1 a packet above its budget of 10\n +\+1\.000  send\n")
        self.assertEqual(record("--tighten"), 10)
        self.assertEqual(record("--accept"), 11)
        self.assertIn("tighten the file", gate(9, 0))
        self.assertEqual(record("--tighten"), 9)
        (self.a / "apps/perf/subject/built-by").write_text("another compiler\n")
        self.assertIn("budgets are of some compiler, this build is of another compiler", gate(8, 2))
        self.assertEqual(record("--tighten", status=2), 9)
        # Then the build before stands in.
        before = make_build(self.root, "before", cost=8)
        self.assertIn("12 same; exit 0", gate(8, 0, "--base", before))
        self.assertIn("1 regressed, 11 same; exit 1", gate(9, 1, "--base", before))

    def test_bisect_step_skips_what_is_too_noisy_or_does_not_build(self):
        b = make_build(self.root, "b", noise=0.05)
        step = ["bisect", "x", "--step", "--base", self.a, "--build", b, *self.virtio]
        self.assertEqual(self.perf(*step, "--make", "true").returncode, 125)
        self.assertEqual(self.perf(*step, "--make", "false").returncode, 125)


if __name__ == "__main__":
    unittest.main()
