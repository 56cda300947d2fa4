#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the tables of ours beside DPDK's drivers into a document: from what the guest suite `beside` counted, and from what
`sluice-perf compare --dpdk --counts --json` did without a guest.

usage: table.py RESULTS NATIVE DOCUMENT   between the lines <!-- beside: begin --> and <!-- beside: end -->, and native, of the document
             either is - to leave its table as it is
"""
import json
import pathlib
import re
import statistics
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parents[3]
KINDS = ("descriptor", "mbuf0", "mbuf1", "own", "pool") # lines that are counted: without payload and stack
BEGIN, END = "<!-- beside: begin -->", "<!-- beside: end -->"
NATIVE = "<!-- native: begin -->", "<!-- native: end -->"
NICS = {"e1000e": "82574L (e1000e)", "e1000": "82540EM (e1000)", "virtio": "virtio-net, mergeable buffers", "plain": "virtio-net, one buffer a frame"}
PATHS = {"dpdk": "DPDK `{driver}` on vfio-pci", "vfio": "ours on vfio-pci", "vfio-base": "ours on vfio-pci, without AVX2",
         "sluice_pci": "ours on sluice-pci", "sluice_pci-base": "ours on sluice-pci, without AVX2"}


def figures(runs):
    """Of one row: its median run, and how far the runs lie apart."""
    def each(key):
        return [int(run[key]) / int(run["packets"]) for run in runs]
    per_packet = each("instructions")
    return {"driver": runs[0]["driver"], "runs": len(runs), "instructions": statistics.median(per_packet),
            "spread": max(per_packet) - min(per_packet), "wide": statistics.median(each("wide")),
            "memory": statistics.median(a + b for a, b in zip(each("loads"), each("stores"))),
            "lines": statistics.median(sum(of) for of in zip(*(each(f"lines_{kind}") for kind in KINDS))),
            "by_kind": [statistics.median(each(f"lines_{kind}")) for kind in KINDS],
            "pool": statistics.median(each("watched")),
            "doorbells": statistics.median(int(run["device_writes"]) / int(run["times"]) for run in runs),
            "burst": sum(int(run["packets"]) for run in runs) / sum(int(run["turns"]) for run in runs)}


def lines(rows, qemu, commit):
    measured = {}
    for row in rows:
        measured.setdefault((row["nic"], row["path"]), []).append(row)
    first = rows[0]
    packets = sorted({int(row["packets"]) for row in rows})
    yield (f"Linux {first['kernel']}, QEMU {qemu}, DPDK {first['dpdk']}, ours by {first['compiler']} for corei7, as Debian's DPDK is; "
           f"drivers as of commit {commit}. {'/'.join(map(str, packets))} frames a run, ring 256, pool 8,191 with cache 256.")
    yield ""
    yield ("| NIC | Path | Code that ran | Instructions | of DPDK's | Loads and stores | Lines | descriptor · mbuf line 0 · line 1 · own · pool | "
           "Pool operations | Doorbells a burst | Burst | Runs, spread |")
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for nic, nic_name in NICS.items():
        for path, path_name in PATHS.items():
            if (nic, path) not in measured:
                continue
            row = figures(measured[nic, path])
            base = figures(measured[nic, "dpdk"])["instructions"] if (nic, "dpdk") in measured else None
            share = f"{row['instructions'] / base:.3f}" if base else "-"
            yield (f"| {nic_name} | {path_name.format(driver=row['driver'])} | {'AVX2' if row['wide'] else 'corei7'} | "
                   f"**{row['instructions']:.1f}** | {share} | {row['memory']:.1f} | {row['lines']:.1f} | "
                   f"{' · '.join(f'{lines:.2f}' for lines in row['by_kind'])} | {row['pool']:.2f} | {row['doorbells']:.2f} | "
                   f"{row['burst']:.1f} | {row['runs']}, {row['spread']:.2f} |")


def native_lines(document, commit):
    """Ours beside DPDK's net_virtio_user: the same loop, model and pool."""
    rows = {}
    for each in document["results"]:
        if "a" in each and "b" in each and "/idle/" not in each["scenario"]:
            rows.setdefault(each["scenario"], {})[each["metric"]] = (each["a"], each["b"])
    environment = document["environment"]
    yield (f"{environment['toolchain'].partition(' buildtype')[0]}, DPDK {environment['dpdk']}; drivers as of commit {commit}.")
    yield ""
    yield ("| Scenario | Instructions, DPDK | ours | of DPDK's | Loads and stores, DPDK | ours | Lines, DPDK | ours | "
           "Pool operations, DPDK | ours |")
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for scenario, of in sorted(rows.items()):
        dpdk, ours = of["instructions"]
        memory = [of["loads"][side] + of["stores"][side] for side in (0, 1)]
        yield (f"| `{scenario}` | {dpdk:.1f} | **{ours:.1f}** | {ours / dpdk:.3f} | {memory[0]:.1f} | {memory[1]:.1f} | "
               f"{of['lines'][0]:.1f} | {of['lines'][1]:.1f} | {of['pool-operations'][0]:.2f} | {of['pool-operations'][1]:.2f} |")


def replace(document, body, marks=(BEGIN, END)):
    before, begin, rest = document.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise SystemExit(f"table: the document lacks the lines {marks[0]} and {marks[1]}")
    return f"{before}{marks[0]}\n{body}\n{marks[1]}{after}"


def sources_commit():
    """The last commit that changed what is measured: the drivers, and what their bursts use."""
    git = ["git", "-C", str(TREE)]
    sources = ["--", *(f":(glob){folder}/**/*.?pp" for folder in ("drivers/net", "lib/base", "lib/dma", "lib/net", "lib/reg"))]
    commit = subprocess.run([*git, "log", "-1", "--format=%h", *sources], capture_output=True, text=True, check=True).stdout.strip()
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", *sources]).returncode
    return commit + (" with changes" if changed else "")


def main(results, native, document):
    path = pathlib.Path(document)
    text = path.read_text()
    if results != "-":
        rows = json.loads(pathlib.Path(results).read_text())["rows"]
        if not rows:
            raise SystemExit("table: nothing was measured")
        version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
        text = replace(text, "\n".join(lines(rows, re.search(r"version ([\d.]+)", version)[1], sources_commit())))
    if native != "-":
        text = replace(text, "\n".join(native_lines(json.loads(pathlib.Path(native).read_text()), sources_commit())), NATIVE)
    path.write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
