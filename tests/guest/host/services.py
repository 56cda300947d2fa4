# SPDX-License-Identifier: BSD-3-Clause
"""What a suite may ask of the host, through `host` of lib.sh; each answer is lines that begin with "=" and a ".".

    frames COMMAND…       a command of host/frames.py, which stands at the wires of the suite's topology
    qmp COMMAND [JSON]    a command for QEMU
    counts                what the counting plugin wrote since it was last asked (suites that declare count=on)
"""
import json
import selectors
import subprocess
import sys

from . import cache, children


class Services:
    """Those of one boot; a peer process for each topology with wires lives as long as the guest."""

    def __init__(self, guest):
        self.guest, self.peers, self.counted = guest, {}, 0

    def request(self, job, text):
        verb, _, rest = text.partition(" ")
        try:
            {"frames": self.frames, "qmp": self.qmp, "counts": self.counts}[verb](job, rest)
        except (KeyError, ValueError, OSError) as error:
            self.answer([f"error {verb}: {error!r}"])

    def answer(self, lines):
        for line in lines:
            self.guest.send("=" + line)
        self.guest.send(".")

    def qmp(self, _job, rest):
        command, _, arguments = rest.partition(" ")
        self.answer([json.dumps(self.guest.qmp(command, **json.loads(arguments or "{}")))])

    def counts(self, _job, _rest):
        lines = self.guest.counts_path.read_text().splitlines()
        self.answer(lines[self.counted:])
        self.counted = len(lines)

    def frames(self, job, rest):
        key = (job.suite.topology, job.model)
        if key not in self.peers:
            self.peers[key] = Peer(self.guest, self.guest.wires[key])
        self.peers[key].command(rest)

    def close(self):
        for peer in self.peers.values():
            peer.close()


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
