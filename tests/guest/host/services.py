# SPDX-License-Identifier: BSD-3-Clause
"""What a suite may ask of the host, through `host` of lib.sh; each answer is lines that begin with "=" and a ".".

    frames COMMAND…       a command of host/frames.py, which stands at the wires of the suite's topology
    qmp COMMAND [JSON]    a command for QEMU
    alone                 from now on no other guest runs, until `together` or the suite's end: the suite measures
    undisturbed           from now on no other guest stops this one, until the same: the suite has deadlines, or interrupts that must not be lost
    together              the other guests go on, and may stop this one
    softnic PROTOCOL      the statistics of sluice-softnic, which serves the topology's devices by this protocol
    counts RANGE…         what the counting plugin wrote since it was last asked (suites that declare count=on), and the distinct lines by the
                          kind of memory; RANGE is KIND,FIRST,SIZE,STRIDE,COUNT (apps/perf/subject/layout.hpp)
"""
import contextlib
import fcntl
import json
import os
import pathlib
import selectors
import signal
import subprocess
import sys

from . import cache, children, counted, machine


class Services:
    """Those of one boot; a peer process for each topology with wires lives as long as the guest."""

    def __init__(self, guest):
        self.guest, self.peers, self.counted = guest, {}, 0
        self.turn = contextlib.ExitStack()

    def request(self, job, text):
        verb, _, rest = text.partition(" ")
        try:
            {"frames": self.frames, "qmp": self.qmp, "softnic": self.softnic, "counts": self.counts,
             "alone": self.stop_others, "undisturbed": self.take_turn, "together": self.end_turn}[verb](job, rest)
        except (KeyError, ValueError, OSError) as error:
            self.answer([f"error {verb}: {error!r}"])

    def answer(self, lines):
        for line in lines:
            self.guest.send("=" + line)
        self.guest.send(".")

    def qmp(self, _job, rest):
        command, _, arguments = rest.partition(" ")
        self.answer([json.dumps(self.guest.qmp(command, **json.loads(arguments or "{}")))])

    def stop_others(self, _job, _rest):
        self.begin_turn(fcntl.LOCK_EX)
        for path in self.guest.meeting.glob("[0-9]*"):
            if path != self.guest.pid_path:
                stop(int(path.name), self.turn)
        self.answer(["alone"])

    def take_turn(self, _job, _rest):
        self.begin_turn(fcntl.LOCK_SH)
        self.answer(["undisturbed"])

    def begin_turn(self, kind):
        """Guests that measure have it one at a time, and while none has that is undisturbed; closing the turn gives it up."""
        self.end()
        file = self.turn.enter_context(open(self.guest.meeting / "turn.lock", "w"))
        fcntl.flock(file, kind)

    def end_turn(self, _job, _rest):
        self.end()
        self.answer(["together"])

    def end(self):
        self.turn.close()

    def counts(self, _job, rest):
        lines = self.guest.counts_path.read_text().splitlines()
        new, self.counted = lines[self.counted:], len(lines)
        by_kind = counted.by_kind([line for line in new if line.startswith("line ")], rest.split())
        self.answer([f"{line} {by_kind}" for line in new if line.startswith("region=")])

    def softnic(self, _job, protocol):
        """Three lines a device, printed on SIGUSR1."""
        log = self.guest.softnic_log(protocol)
        before = log.read_text().splitlines()
        self.guest.softnics[protocol].send_signal(signal.SIGUSR1)
        wanted = len(before) + 3 * len(self.guest.devices.served[protocol])
        machine.wait_for(lambda: len(log.read_text().splitlines()) >= wanted, "sluice-softnic", lambda: "no statistics")
        self.answer(log.read_text().splitlines()[len(before):])

    def frames(self, job, rest):
        key = (job.suite.topology, job.model)
        if key not in self.peers:
            self.peers[key] = Peer(self.guest, self.guest.wires[key])
        self.peers[key].command(rest)

    def close(self):
        self.end()
        for peer in self.peers.values():
            peer.close()


def stop(pid, turn):
    """Stops another guest's QEMU, if it still runs, until `turn` is closed. (QMP's own `stop` has hung a guest with QEMU's edu.)"""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        turn.callback(go_on, pid)


def go_on(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


class Peer:
    def __init__(self, guest, wires):
        self.guest, self.rest = guest, b""
        descriptors = {role: wire.fileno() for role, wire in wires.items()}
        self.process = children.start(
            [sys.executable, str(cache.HERE / "host/frames.py"), *(f"{role}={number}" for role, number in descriptors.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=descriptors.values())
        guest.selector.register(self.process.stdout, selectors.EVENT_READ, self.on_output)

    def command(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def on_output(self):
        data = self.process.stdout.read1(65536)
        if not data:
            self.guest.selector.unregister(self.process.stdout)
            self.guest.send("=error: the peer ended\n.")
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.guest.send("." if line == b"." else "=" + line.decode())

    def close(self):
        children.end(self.process)
