#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Frames through sluice-testpmd: what comes out, by mode, by queue and by lcore.

usage: test_forwarding.py PROGRAM
"""
import re
import tempfile
import unittest

from program import THREE_LCORES, command, main
from terminal import Terminal

# Two queues of two ports on two lcores, as start prints it.
DEALT = (r"packet forwarding - ports=2 - cores=2 - streams=4\n"
         r"Logical Core 1 .*2 streams:\n  RX P=0/Q=0 .*-> TX P=1/Q=0 .*\n  RX P=1/Q=0 .*-> TX P=0/Q=0 .*\n"
         r"Logical Core 2 .*2 streams:\n  RX P=0/Q=1 .*-> TX P=1/Q=1 .*\n  RX P=1/Q=1 .*-> TX P=0/Q=1 .*\n")

class Captures(unittest.TestCase):
    """Frames from files, by the program itself, into others."""

    FRAMES = [bytes((i * 7 + j) & 0xff for j in range(60 + i * 11)) for i in range(130)]
    OTHERS = [bytes((i * 5 + 3 * j) & 0xff for j in range(61 + i * 13)) for i in range(100)]

    def write(self, path, frames):
        with open(path, "wb") as capture:
            capture.write(b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(8) + (65535).to_bytes(4, "little") + b"\1\0\0\0")
            for frame in frames:
                capture.write(bytes(8) + len(frame).to_bytes(4, "little") * 2 + frame)

    def read(self, path):
        with open(path, "rb") as capture:
            data = capture.read()[24:]
        frames = []
        while data:
            length = int.from_bytes(data[8:12], "little")
            frames.append(data[16:16 + length])
            data = data[16 + length:]
        return frames

    def forward(self, mode):
        with tempfile.TemporaryDirectory() as folder:
            self.write(f"{folder}/in.pcap", self.FRAMES)
            self.write(f"{folder}/none.pcap", [])
            ports = ["--vdev", f"net_pcap0,rx_pcap={folder}/in.pcap,tx_pcap={folder}/back.pcap",
                     "--vdev", f"net_pcap1,rx_pcap={folder}/none.pcap,tx_pcap={folder}/out.pcap"]
            with Terminal(command("-i", f"--forward-mode={mode}", "--eth-peer=1,02:00:00:00:00:77", ports=ports)) as terminal:
                terminal.expect("testpmd> ")
                terminal.command("start")
                while f"RX-packets: {len(self.FRAMES)} " not in terminal.command("show fwd stats all"):
                    pass
                report = terminal.command("stop")
                mac = re.search(r"MAC address: (\S+)", terminal.command("show port info 1")).group(1)
                terminal.type("quit\n")
                self.assertEqual(terminal.ends()[0], 0)
            self.assertRegex(report, rf"port 1 .*\n.*\n  TX-packets: {len(self.FRAMES)} ")
            self.assertEqual(self.read(f"{folder}/back.pcap"), [])
            return self.read(f"{folder}/out.pcap"), bytes.fromhex(mac.replace(":", ""))

    def test_io(self):
        self.assertEqual(self.forward("io")[0], self.FRAMES)

    def test_mac(self):
        frames, mac = self.forward("mac")
        self.assertEqual(frames, [b"\2\0\0\0\0\x77" + mac + frame[12:] for frame in self.FRAMES])

    def test_macswap(self):
        self.assertEqual(self.forward("macswap")[0], [frame[6:12] + frame[:6] + frame[12:] for frame in self.FRAMES])

    def test_each_queue_on_an_lcore_of_its_own(self):
        """Two queues a port, two lcores: what comes from a queue goes to the same queue of the other port."""
        given = {"00": self.FRAMES, "01": self.OTHERS, "10": self.OTHERS[:40], "11": self.FRAMES[:70]}
        total = sum(map(len, given.values()))
        with tempfile.TemporaryDirectory() as folder:
            for where, frames in given.items():
                self.write(f"{folder}/in{where}", frames)
            ports = []
            for port in "01":
                files = "".join(f",rx_pcap={folder}/in{port}{queue},tx_pcap={folder}/out{port}{queue}" for queue in "01")
                ports += ["--vdev", f"net_pcap{port}{files}"]
            with Terminal(command("-i", "--rxq=2", "--txq=2", "--nb-cores=2", eal=THREE_LCORES, ports=ports)) as terminal:
                terminal.expect("testpmd> ")
                self.assertRegex(terminal.command("start"), DEALT)
                while f"RX-packets: {total} " not in terminal.command("show fwd stats all"):
                    pass
                terminal.type("quit\n")
                status, text = terminal.ends()
            self.assertEqual(status, 0)
            self.assertRegex(text, rf"Accumulated .*\n  RX-packets: {total} .*\n  TX-packets: {total} +TX-dropped: 0 ")
            for where, frames in given.items():
                other = str(1 - int(where[0])) + where[1]
                self.assertEqual(self.read(f"{folder}/out{other}"), frames, f"from port and queue {where}")


class Lcores(unittest.TestCase):
    def test_all_queues_of_all_ports_are_served(self):
        with Terminal(command("-i", "--rxq=2", "--txq=2", "--nb-cores=2", "--burst=8", eal=THREE_LCORES)) as terminal:
            terminal.expect("testpmd> ")
            for mode in ("io", "mac", "macswap", "rxonly", "txonly"):
                terminal.command(f"set fwd {mode}")
                terminal.command("clear port xstats all")
                self.assertRegex(terminal.command("start"), DEALT)
                counters = [f"{way}_q{queue}_packets" for way in ("rx", "tx") for queue in (0, 1)
                            if (way, mode) not in (("tx", "rxonly"), ("rx", "txonly"))]
                pattern = re.compile(rf"\n({'|'.join(counters)}): [1-9]")
                while len(pattern.findall(terminal.command("show port xstats all"))) < 2 * len(counters):
                    pass
                report = terminal.command("stop")
                received, sent, dropped = (int(re.search(rf"Accumulated .*\n(?:.*\n)?.*{name}: (\d+)", report).group(1))
                                           for name in ("RX-packets", "TX-packets", "TX-dropped"))
                if mode == "rxonly":
                    self.assertEqual((sent, dropped), (0, 0))
                elif mode == "txonly":
                    self.assertEqual(received, 0)
                else:
                    self.assertEqual(received, sent + dropped, mode)
            terminal.type("quit\n")
            self.assertEqual(terminal.ends()[0], 0)

    def test_no_more_lcores_than_streams(self):
        with Terminal(command("-i", "-a", "--nb-cores=2", ports=["--vdev", "net_null0"], eal=THREE_LCORES)) as terminal:
            terminal.expect("ports=1 - cores=1 - streams=1\n")


if __name__ == "__main__":
    main()
