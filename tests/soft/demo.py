#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Real TCP through two soft NICs and sluice-testpmd, with no root, no NIC and no hugepages.

usage: demo.py [--replay] [--seconds N] [--queues N] PROGRAM

In an unprivileged user namespace, two network namespaces have a tap each. Behind each tap is a soft NIC; PROGRAM
(sluice-testpmd) forwards between the two. Where the kernel forbids such namespaces or taps, or with --replay, a capture
file goes through instead, and is compared. Exits 0 if all that came through was right.
"""
import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

NOBODY = 65534
PATIENCE = 60
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
ADDRESSES = {"A": "10.77.0.1", "B": "10.77.0.2"}
FILE_BYTES = 16 << 20
libc = ctypes.CDLL(None, use_errno=True)


class Wrong(Exception):
    """Something came out other than it must."""


class Forbidden(Exception):
    """The kernel does not let this user have namespaces or taps."""


def say(text):
    print(text, flush=True)


def system_call(result, what):
    if result != 0:
        raise Forbidden(f"{what}: {os.strerror(ctypes.get_errno())}")


def become_ordinary():
    """Root becomes nobody, so that what follows shows what it says."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: /proc/self stays this user's


def enter_user_namespace():
    uid, gid = os.geteuid(), os.getegid()
    system_call(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET), "a user namespace")
    try:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            file = os.open(f"/proc/self/{name}", os.O_WRONLY)
            os.write(file, text.encode())
            os.close(file)
        os.close(os.open("/dev/net/tun", os.O_RDWR))
        probe = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(probe, 0x400454ca, struct.pack("16sH22x", b"probe", 0x1002))  # TUNSETIFF, IFF_TAP | IFF_NO_PI
        os.close(probe)
    except OSError as error:
        raise Forbidden(f"{error.filename or '/dev/net/tun'}: {error.strerror}") from error


def here():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def go(namespace):
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(namespace):
    before = here()
    go(namespace)
    try:
        yield
    finally:
        go(before)
        os.close(before)


def new_network():
    with contextlib.closing(os.fdopen(here())) as before:
        system_call(libc.unshare(CLONE_NEWNET), "a network namespace")
        made = here()
        go(before.fileno())
    return made


def move_link(name, namespace):
    """RTM_NEWLINK with IFLA_NET_NS_FD (rtnetlink(7))."""
    attribute = struct.pack("=HHI", 8, 28, namespace)
    body = struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(name), 0, 0) + attribute
    message = struct.pack("=IHHII", 16 + len(body), 16, 5, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.send(message)
        error = struct.unpack_from("=i", link.recv(4096), 16)[0]
    if error != 0:
        raise OSError(-error, f"cannot move {name}: {os.strerror(-error)}")


def bring_up(name, address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        def request(number, value):
            fcntl.ioctl(control, number, struct.pack("16s16s8x", name.encode(), value))

        def internet(text):
            return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))
        request(0x8916, internet(address))           # SIOCSIFADDR
        request(0x891c, internet("255.255.255.0"))   # SIOCSIFNETMASK
        request(0x8914, struct.pack("=H14x", 0x41))  # SIOCSIFFLAGS: up, running


class Testpmd:
    def __init__(self, program, ports, *options):
        command = [program]
        options = ["--stats-period=1", *options]
        for port in ports:
            command += ["-a", f"soft:virtio?{port}"]
        say("$ " + " ".join(["sluice-testpmd"] + [f"'{word}'" if "?" in word else word for word in command[1:]] + ["--", *options]))
        self.process = subprocess.Popen([*command, "--", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.text = ""

    def until(self, pattern):
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text):
            if time.monotonic() > end:
                raise Wrong(f"sluice-testpmd does not say {pattern!r}:\n{self.text}")
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    raise Wrong(f"sluice-testpmd ended:\n{self.text}")
                self.text += data.decode(errors="replace")

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def wait_for(self, pattern):
        """After drain()."""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text):
            if time.monotonic() > end:
                raise Wrong(f"sluice-testpmd does not say {pattern!r}:\n{self.text}")
            time.sleep(0.05)

    def drain(self):
        """Its output is read while it runs, so that it never waits for a reader."""
        def read():
            while data := os.read(self.process.stdout.fileno(), 65536):
                self.text += data.decode(errors="replace")
        self.reader = threading.Thread(target=read, daemon=True)
        self.reader.start()

    def finish(self):
        if not hasattr(self, "reader"):
            self.drain()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Wrong("sluice-testpmd does not end") from None
        self.reader.join()
        if self.process.returncode != 0:
            raise Wrong(f"sluice-testpmd ended with status {self.process.returncode}:\n{self.text}")
        forwarded = re.search(r"Accumulated.*\n  RX-packets: (\d+) .*\n  TX-packets: (\d+) +TX-dropped: (\d+)", self.text)
        if forwarded is None or int(forwarded[1]) == 0:
            raise Wrong(f"sluice-testpmd forwarded nothing:\n{self.text}")
        say(f"sluice-testpmd: {forwarded[1]} frames received, {forwarded[2]} sent, {forwarded[3]} dropped; ended with status 0, "
            "every mbuf back")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def program_in(namespace, command, **more):
    return subprocess.Popen(command, text=True, preexec_fn=lambda: go(namespace), **more)


def ping(networks):
    if shutil.which("ping") is None:
        say("ping: not installed; TCP shows the same")
        return
    with program_in(networks["A"], ["ping", "-n", "-c", "5", "-i", "0.2", "-W", "5", ADDRESSES["B"]], stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT) as process:
        out, _ = process.communicate(timeout=PATIENCE)
    if "5 received" not in out:
        raise Wrong("ping:\n" + out)
    say("ping: " + re.search(r"5 packets transmitted.*", out)[0])


def iperf(networks, seconds, streams):
    if shutil.which("iperf3") is None:
        say("iperf3: not installed; the file below is TCP all the same")
        return
    server = program_in(networks["B"], ["iperf3", "-s", "-1", "-B", ADDRESSES["B"]], stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
    try:
        for attempt in range(50):
            client = program_in(networks["A"], ["iperf3", "-J", "-c", ADDRESSES["B"], "-t", str(seconds), "-P", str(streams)], stdout=subprocess.PIPE)
            out, _ = client.communicate(timeout=PATIENCE + seconds)
            result = json.loads(out)
            if "refused" not in result.get("error", ""):
                break
            time.sleep(0.1)
        if "error" in result:
            raise Wrong("iperf3: " + result["error"])
        received = result["end"]["sum_received"]
        if received["bytes"] == 0:
            raise Wrong("iperf3: nothing was received")
        say(f"iperf3: {received['bytes'] / 1e6:.1f} MB in {received['seconds']:.1f} s, {received['bits_per_second'] / 1e6:.0f} Mb/s")
    finally:
        server.terminate()
        server.wait()


def transfer(networks):
    """A file by TCP from A to B, and its digest."""
    data = random.Random(1).randbytes(FILE_BYTES)
    with inside(networks["B"]):
        server = socket.create_server((ADDRESSES["B"], 7777))
    with inside(networks["A"]):
        client = socket.socket()
    server.settimeout(PATIENCE)
    client.settimeout(PATIENCE)
    digest = hashlib.sha256()

    def receive():
        connection, _ = server.accept()
        connection.settimeout(PATIENCE)
        with connection:
            while part := connection.recv(1 << 16):
                digest.update(part)
    receiver = threading.Thread(target=receive)
    receiver.start()
    begin = time.monotonic()
    with server, client:
        client.connect((ADDRESSES["B"], 7777))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        receiver.join(PATIENCE)
    took = time.monotonic() - begin
    if digest.digest() != hashlib.sha256(data).digest():
        raise Wrong("file: SHA-256 of what arrived differs from what was sent")
    say(f"file: {FILE_BYTES >> 20} MiB by TCP in {took:.1f} s, SHA-256 {digest.hexdigest()[:16]}… on both sides")


def flows(networks):
    """Datagrams of many flows in both directions, which the kernel spreads over a tap's queues."""
    for sender, receiver in ("A", "B"), ("B", "A"):
        with inside(networks[sender]):
            sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(200)]
        for each in sockets:
            with each:
                each.sendto(b"flow", (ADDRESSES[receiver], 9))


def check_queues(testpmd, queues):
    """Frames went in and out on each queue pair of both soft NICs, as these count them."""
    testpmd.say("show port xstats all")
    testpmd.wait_for(r"(?s)" + rf"model_pair{queues - 1}_received.*" * 2)
    for pair in range(queues):
        for way in "sent", "received":
            counted = re.findall(rf"model_pair{pair}_{way}: (\d+)", testpmd.text)
            if len(counted) != 2 or min(map(int, counted)) < 10:
                raise Wrong(f"queue pair {pair}: {way} {counted} on the two ports")
    say(f"queues: frames went both ways on each of {queues} queue pairs of both taps")


def over_taps(program, seconds, queues):
    say("Two network namespaces in a user namespace of an ordinary user, a tap and a soft NIC each:")
    say("  A, 10.77.0.1 - tap - soft NIC - port 0 [sluice-testpmd] port 1 - soft NIC - tap - 10.77.0.2, B")
    several = [f"&queues={queues}", f"--rxq={queues}", f"--txq={queues}", "--interactive", "--auto-start"] if queues > 1 else [""]
    testpmd = Testpmd(program, [f"backend=tap&ifname=sl{name}{several[0]}" for name in ADDRESSES], *several[1:])
    try:
        testpmd.until(r"io packet forwarding")
        testpmd.drain()
        networks = {name: new_network() for name in ADDRESSES}
        for name, network in networks.items():
            move_link("sl" + name, network)
            with inside(network):
                bring_up("sl" + name, ADDRESSES[name])
        ping(networks)
        iperf(networks, seconds, 2 * queues - 1)
        transfer(networks)
        if queues > 1:
            flows(networks)
            check_queues(testpmd, queues)
        testpmd.finish()
    finally:
        testpmd.kill()


def over_captures(program):
    """Frames of all sizes from one capture file, through both ports, into another."""
    source = random.Random(2)
    frames = [source.randbytes(source.randint(60, 1514)) for _ in range(2000)]
    with tempfile.TemporaryDirectory(prefix="sluice-demo-") as folder:
        with open(f"{folder}/in.pcap", "wb") as capture:
            capture.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for frame in frames:
                capture.write(struct.pack("=IIII", 0, 0, len(frame), len(frame)) + frame)
        testpmd = Testpmd(program, [f"backend=pcap&rx={folder}/in.pcap", f"backend=pcap&tx={folder}/out.pcap"],
                          "--rxd=64")  # fewer than fit the transmit ring: none is dropped, however fast they come
        try:
            testpmd.until(rf"TX-packets: {len(frames)} ")
            testpmd.finish()
        finally:
            testpmd.kill()
        with open(f"{folder}/out.pcap", "rb") as capture:
            data = capture.read()[24:]
    came, at = [], 0
    while at < len(data):
        length = struct.unpack_from("=I", data, at + 8)[0]
        came.append(data[at + 16:at + 16 + length])
        at += 16 + length
    if came != frames:
        raise Wrong(f"replay: {len(frames)} frames went in, {len(came)} came out, and they are not the same")
    say(f"replay: {len(frames)} frames of 60 to 1514 bytes went through both soft NICs, each as it was, in their order")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replay", action="store_true", help="the capture file, even where taps are possible")
    parser.add_argument("--seconds", type=int, default=3, help="how long iperf3 runs")
    parser.add_argument("--queues", type=int, default=1, help="queue pairs of each tap and port")
    parser.add_argument("program")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sluice-demo-") as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(options.program, folder)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = demonstrate(program, options)
            except BaseException:  # nothing of the parent's may run here
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 1


def demonstrate(program, options):
    try:
        become_ordinary()
        os.environ.pop("XDG_RUNTIME_DIR", None)
        try:
            if options.replay:
                raise Forbidden("--replay was given")
            enter_user_namespace()
        except Forbidden as reason:
            say(f"No taps in a user namespace ({reason}): a capture file is replayed through both ports, and compared.")
            over_captures(program)
        else:
            over_taps(program, options.seconds, options.queues)
        say("All of it is right.")
        return 0
    except Wrong as wrong:
        say(f"WRONG: {wrong}")
    except (OSError, subprocess.SubprocessError) as error:
        say(f"WRONG: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
