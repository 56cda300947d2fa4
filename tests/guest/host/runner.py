# SPDX-License-Identifier: BSD-3-Clause
"""Runs jobs: those of one machine in one boot, one after the other; the kernels side by side."""
import dataclasses
import itertools
import json
import multiprocessing
import tempfile
import time

from . import LabError, machine, module, services

BOOTS_IN_VAIN = 2


@dataclasses.dataclass
class Case:
    name: str
    passed: bool
    reason: str = ""


@dataclasses.dataclass
class Outcome:
    """What one job reported."""
    job: object
    cases: list = dataclasses.field(default_factory=list)
    cell: dict = dataclasses.field(default_factory=dict)
    rows: list = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    def add(self, name, passed, reason=""):
        self.cases.append(Case(f"{self.job.name}.{name}", passed, reason))

    @property
    def failures(self):
        return [case for case in self.cases if not case.passed]


def run(jobs, settings, say, live=None):
    """Returns the outcomes and the number of boots. Each kernel's guests have a process of their own: guests wait much."""
    with tempfile.TemporaryDirectory(prefix="sluice-guests.") as meeting:
        return run_kernels(jobs, settings, say, live, meeting)


def run_kernels(jobs, settings, say, live, meeting):
    workers = []
    for kernel in sorted({job.config.kernel for job in jobs}):
        results, answer = multiprocessing.Pipe(duplex=False)
        mine = [job for job in jobs if job.config.kernel == kernel]
        worker = multiprocessing.Process(target=run_kernel, args=(mine, settings, say, live, meeting, answer), daemon=True)
        worker.start()
        answer.close()
        workers.append((worker, results))
    outcomes, boots = [], 0
    for worker, results in workers:
        try:
            found, booted = results.recv()
        except EOFError:
            worker.join()
            raise LabError(f"a kernel's guests ended with status {worker.exitcode}: see above") from None
        outcomes += found
        boots += booted
        worker.join()
    return outcomes, boots


def run_kernel(jobs, settings, say, live, meeting, answer):
    runner = Runner(LOGS, settings, say, meeting, live)
    for config, group in itertools.groupby(sorted(jobs, key=lambda job: str(job.config)), lambda job: job.config):
        runner.run_machine(config, list(group))
    answer.send((runner.outcomes, len(runner.boots)))


class Runner:
    def __init__(self, logs, settings, say, meeting, live=None):
        self.logs, self.settings, self.say, self.meeting, self.live = logs, settings, say, meeting, live
        self.outcomes, self.boots = [], []

    def run_machine(self, config, jobs):
        vain = 0
        while jobs:
            before = len(jobs)
            try:
                self.boot_and_run(config, jobs)
            except machine.GuestDied as death:
                if len(jobs) < before:
                    continue   # the job that it died in has its failure; the others get a new boot
                vain += 1
                self.say(f"{config}: no boot: {death}")
                if vain == BOOTS_IN_VAIN:
                    for job in jobs:
                        outcome = Outcome(job)
                        outcome.add("boot", False, str(death))
                        self.outcomes.append(outcome)
                    return

    def boot_and_run(self, config, jobs):
        name = str(config).replace(" ", "-").lower()
        begun = time.monotonic()
        with machine.Guest(config, self.logs / f"{name}.console", self.meeting, self.live) as guest:
            for job in jobs:
                guest.devices.add(job.suite.topology, job.model)
            try:
                guest.boot()
            except machine.GuestDied as death:
                raise machine.GuestDied(f"{death}\n{guest.tail()}") from None
            self.boots.append(time.monotonic() - begun)
            self.say(f"{config}: up in {self.boots[-1]:.1f} s ({guest.accelerator})")
            service = services.Services(guest)
            try:
                while jobs:
                    self.run_job(guest, service, jobs.pop(0))
                    service.end()
            finally:
                service.close()

    def run_job(self, guest, service, job):
        outcome = Outcome(job)
        self.outcomes.append(outcome)
        begun = time.monotonic()
        guest.send(job.line(guest.devices, self.settings))
        try:
            for line in guest.lines(job.suite.seconds * self.patience()):
                kind, _, rest = line.partition(" ")
                if kind == "case":
                    self.take_case(outcome, rest)
                elif kind == "cell":
                    outcome.cell = facts(rest)
                elif kind == "row":
                    outcome.rows.append(facts(rest))
                elif kind == "host":
                    service.request(job, rest)
                elif kind == "ready":   # the suite booted its guest anew, and goes on
                    guest.send(job.line(guest.devices, {**self.settings, "REBOOTED": "1"}))
                elif kind == "done":
                    if rest != "0":
                        outcome.add("exit", False, f"status {rest}")
                    break
        except machine.GuestDied as death:
            outcome.add("guest", False, str(death))
            raise
        finally:
            outcome.seconds = time.monotonic() - begun
            self.judge(outcome)
            if outcome.failures:
                self.say(f"the end of the console ({guest.console_path}):\n{guest.tail()}")

    def patience(self):
        return float(self.settings.get("patience", 1))

    @staticmethod
    def take_case(outcome, text):
        name, _, rest = text.partition(" ")
        verdict, _, reason = rest.partition(" ")
        outcome.add(name, verdict == "pass", reason if verdict != "pass" else "")

    def judge(self, outcome):
        reported = {case.name.rpartition("].")[2] for case in outcome.cases}
        for name in outcome.job.suite.cases:
            if name not in reported:
                outcome.add(name, False, "not reported")
        if not reported - {"kernel_log"}:
            outcome.add("cases", False, "nothing was reported")
        check_cell(outcome)
        failed = len(outcome.failures)
        verdict = f"{failed} of {len(outcome.cases)} failed" if failed else f"{len(outcome.cases)} passed"
        self.say(f"{outcome.job.name}: {verdict}, {outcome.seconds:.1f} s")
        for case in outcome.failures:
            self.say(f"  FAILED {case.name}: {case.reason}")


def facts(text):
    return dict(word.split("=", 1) for word in text.split() if "=" in word)


def check_cell(outcome):
    """A job of the matrix must have run in the cell that it stands for, as sysfs and the open port say."""
    cell = outcome.job.cell
    if not cell:
        return
    expected = {"kernel": cell.kernel, "transport": cell.transport, "model": cell.model}
    wrong = [f"{key} is '{outcome.cell.get(key, '')}', not '{value}'" for key, value in expected.items() if outcome.cell.get(key) != value]
    outcome.add("cell", not wrong, "; ".join(wrong))


def save(path, cases, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cases": [dataclasses.asdict(case) for case in cases], "rows": rows}, indent=1) + "\n")


LOGS = module.TREE / "build/logs/guest"
