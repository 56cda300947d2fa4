# SPDX-License-Identifier: BSD-3-Clause
"""What a suite may ask of the host, through `host` of lib.sh; each answer is lines that begin with "=" and a ".".

    frames FROM TO OPTIONS…     host/frames.py between two roles of the suite's topology
    qmp COMMAND [JSON]          a command for QEMU
"""
import json
import selectors
import subprocess
import sys

from . import cache, children


class Services:
    def __init__(self, guest, job):
        self.guest, self.job, self.child, self.output = guest, job, None, b""

    def request(self, text):
        verb, _, rest = text.partition(" ")
        try:
            {"frames": self.frames, "qmp": self.qmp}[verb](rest)
        except (KeyError, ValueError, OSError) as error:
            self.answer([f"error {verb}: {error!r}"])

    def answer(self, lines):
        for line in lines:
            self.guest.send("=" + line)
        self.guest.send(".")

    def qmp(self, rest):
        command, _, arguments = rest.partition(" ")
        self.answer([json.dumps(self.guest.qmp(command, **json.loads(arguments or "{}")))])

    def frames(self, rest):
        near, far, *options = rest.split()
        key = (self.job.suite.topology, self.job.model)
        ends = [self.guest.wires[(*key, role)].fileno() for role in (near, far)]
        self.child = children.start([sys.executable, str(cache.HERE / "host/frames.py"), f"--near={ends[0]}", f"--far={ends[1]}", *options],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=ends)
        self.output = b""
        self.guest.selector.register(self.child.stdout, selectors.EVENT_READ, self.on_output)

    def on_output(self):
        data = self.child.stdout.read1(65536)
        self.output += data
        if not data:
            self.close()
            self.answer(self.output.decode().splitlines())

    def close(self):
        if self.child:
            self.guest.selector.unregister(self.child.stdout)
            children.end(self.child)
            self.child.stdout.close()
            self.child = None
