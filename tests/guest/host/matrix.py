# SPDX-License-Identifier: BSD-3-Clause
"""Prints the matrix of a run, and judges what only shows across its cells."""
from . import runner, suites

BASELINE = "dpdk"
SHARE_OF_BASELINE = 0.5


def report(outcomes, say, complete):
    """Prints the matrix; returns the cases of its own: no expected cell missing, and each cell's rate beside the baseline's."""
    cells = by_cell(outcomes)
    if not cells:
        return []
    expected = suites.matrix() if complete else list(cells)
    cases = [runner.Case(f"matrix.{cell}", cell in cells, "this cell did not run") for cell in expected]
    rates = {cell: rate(results) for cell, results in cells.items()}
    cases += [case for cell in cells if (case := judge_rate(cell, rates))]
    say(f"{'driver':10} {'transport':12} {'kernel':22} {'passed':>7} {'failed':>7} {'frames/s':>9}  of the baseline")
    for cell in expected:
        results = cells.get(cell, [])
        failed = sum(len(result.failures) for result in results)
        passed = sum(len(result.cases) for result in results) - failed
        kernel = next((result.cell["release"] for result in results if "release" in result.cell), f"({cell.kernel})")
        base = baseline(cell, rates)
        share = f"{rates[cell] / base:.2f}" if base and rates.get(cell) else "-"
        say(f"{cell.model:10} {cell.transport:12} {kernel:22} {passed:7} {failed:7} {rates.get(cell) or 0:9.0f}  {share}")
    return cases


def rate(results):
    """Frames a second of a cell, as the suite that measures it said last."""
    return next((float(result.cell["rate"]) for result in reversed(results) if result.cell.get("rate")), None)


def too_slow(outcomes):
    """All cells of a NIC and kernel where a rate falls short: on a busy machine they are measured again, together."""
    cells = by_cell(outcomes)
    rates = {cell: rate(results) for cell, results in cells.items()}
    slow = [cell for cell in cells if (case := judge_rate(cell, rates)) and not case.passed]
    return {cell for cell in cells if any((cell.model, cell.kernel) == (short.model, short.kernel) for short in slow)}


def by_cell(outcomes):
    cells = {}
    for outcome in outcomes:
        if outcome.job.cell:
            cells.setdefault(outcome.job.cell, []).append(outcome)
    return cells


def baseline(cell, rates):
    return next((value for other, value in rates.items()
                 if (other.model, other.kernel, other.transport) == (cell.model, cell.kernel, BASELINE)), None)


def judge_rate(cell, rates):
    base = baseline(cell, rates)
    if cell.transport == BASELINE or not base:
        return None
    share = (rates[cell] or 0) / base
    return runner.Case(f"matrix.{cell}.rate", share >= SHARE_OF_BASELINE,
                       f"{share:.2f} of what dpdk-testpmd sustains ({base:.0f} frames/s)")
