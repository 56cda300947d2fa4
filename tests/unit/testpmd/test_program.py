#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluice-testpmd on a terminal and in a pipe: every option and command, each with a wrong argument too.

usage: test_program.py PROGRAM
"""
import os
import re
import signal
import sys
import tempfile
import unittest
from xml.sax.saxutils import quoteattr

from terminal import Terminal, run

PROGRAM = ""
EAL = ["-l", "0-1", "-m", "128", "--no-huge", "--no-shconf", "--no-telemetry"]
PORTS = ["--vdev", "net_null0", "--vdev", "net_null1"]


def command(*after, ports=None, eal=None):
    return [PROGRAM, *(EAL if eal is None else eal), *(PORTS if ports is None else ports), "--", *after]


def shape(text):
    """`text` with each number and MAC address made alike."""
    text = re.sub(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", "MAC", text)
    return re.sub(r"\d+ *", "N ", text)


class Prompt(unittest.TestCase):
    """Every command, right and wrong. Tests share a session while it lives, and leave it stopped."""

    terminal = None

    def setUp(self):
        if Prompt.terminal is None:
            Prompt.terminal = self.open()
        if Prompt.terminal.process.poll() is not None or not self.as_at_start():
            self.give_up()
            Prompt.terminal = self.open()
        self.terminal = Prompt.terminal

    @staticmethod
    def open():
        terminal = Terminal(command("-i"))
        terminal.expect(r"Port 0: net_null0, driver ethdev \(net_null\), transport dpdk, kernel driver none, .*\n")
        terminal.expect(r"Port 1: net_null1, .*link up at 10 Gbps, full-duplex\n")
        terminal.expect("testpmd> ")
        return terminal

    def as_at_start(self):
        try:
            for line in ("stop", "set fwd io", "set burst 32", "set promisc all on", "set eth-peer 1 02:00:00:00:00:01"):
                Prompt.terminal.command(line)
            return Prompt.terminal.command("clear port stats all")
        except AssertionError:
            return None

    @classmethod
    def give_up(cls):
        if Prompt.terminal is not None:
            Prompt.terminal.__exit__()
        Prompt.terminal = None

    @classmethod
    def tearDownClass(cls):
        cls.give_up()

    def says(self, line, *patterns):
        answer = self.terminal.command(line)
        for pattern in patterns:
            self.assertRegex(answer, pattern, line)
        return answer

    def test_help(self):
        self.says("help", r"show port info <port\|all>", r"quit +End")
        self.says("help bogus", "^Bad arguments: help$")
        self.says("hlp", "^Command not found$")
        self.assertEqual(self.says(""), "")

    def test_start_and_stop(self):
        self.says("stop", "^Packet forwarding not started$")
        self.says("start", r"io packet forwarding - ports=2 - cores=1 - streams=2\n"
                           r"Logical Core 1 \(socket \d\) forwards packets on 2 streams:\n"
                           r"  RX P=0/Q=0 \(socket \d\) -> TX P=1/Q=0 \(socket \d\) peer=02:00:00:00:00:01\n")
        self.says("start", "^Packet forwarding already started$")
        self.says("start bogus", "^Bad arguments: start")
        self.says("stop bogus", "^Bad arguments: stop$")
        report = self.says("stop", r"Telling cores to stop\.\.\.", r"Forward statistics for port 0 ", r"Done\.")
        counts = [int(n) for n in re.findall(r"[RT]X-packets: (\d+)", report)]
        self.assertEqual(len(counts), 6)
        self.assertEqual(counts[0] + counts[2], counts[4], "received, per port and in all")
        self.assertEqual(counts[1] + counts[3], counts[5], "sent, per port and in all")
        self.assertEqual(counts[4], counts[5], "all that came went out")

    def test_start_tx_first(self):
        self.says("set fwd rxonly", "^Set rxonly packet forwarding mode$")
        self.says("start tx_first", "rxonly packet forwarding")
        report = self.says("stop", "Done")
        self.assertRegex(report, r"port 0 .*\n.*\n  TX-packets: 32 ")

    def test_show_port_info(self):
        info = self.says("show port info 0", "Infos for port 0 ", "Driver name: ethdev \\(net_null\\)", "Transport: dpdk",
                         "Kernel driver: none", "Link status: up", "Promiscuous mode: enabled")
        self.assertNotIn("port 1", info)
        self.says("show port info all", "Infos for port 0 ", "Infos for port 1 ")
        self.says("show port info 2", r"^Invalid port 2\nThe valid ports array is \[ 0 1 \]$")
        self.says("show port info", r"^Bad arguments: show port info <port\|all>$")
        self.says("show port info x", r"^Bad arguments: show port info <port\|all>$")

    def test_show_port_summary(self):
        self.says("show port summary all", "Number of available ports: 2\n", r"0    \S+ net_null0 +ethdev +up +10 Gbps")
        self.says("show port summary 7", "^Invalid port 7")

    def test_show_port_stats(self):
        stats = self.says("show port stats all", "NIC statistics for port 0 ", "NIC statistics for port 1 ",
                          "RX-packets: 0 ", "Rx-pps: +0")
        self.assertEqual(stats.count("RX-nombuf"), 2)
        self.says("show port stats 3", "^Invalid port 3")
        self.says("show port stats -1", "^Bad arguments: show port stats")

    def test_show_port_xstats(self):
        self.says("show port xstats 1", "###### NIC extended statistics for port 1", "rx_good_packets: 0", "tx_q0_packets: 0")
        self.says("show port xstats all", "for port 0", "for port 1")
        self.says("show port xstats 2", "^Invalid port 2")
        self.says("show port xstat 1", "^Bad arguments: show port")

    def test_show_config_fwd(self):
        self.says("show config fwd", "^io packet forwarding - ports=2 - cores=1 - streams=2\n")
        self.says("show config bogus", "^Bad arguments: show config fwd$")

    def test_show_and_clear_fwd_stats(self):
        self.says("start", "packet forwarding")
        self.says("show fwd stats all", "Forward statistics for port 0 ", "Accumulated forward statistics for all ports")
        self.says("stop", "Done")
        self.assertEqual(self.says("clear fwd stats all"), "")
        self.says("show fwd stats all", "RX-packets: 0  .*RX-total: 0\n")
        self.says("show fwd stats 0", "^Bad arguments: show fwd stats all$")
        self.says("clear fwd stats", "^Bad arguments: clear fwd stats all$")

    def test_clear_port(self):
        self.says("start", "packet forwarding")
        self.says("clear port stats 0", "^\n  NIC statistics for port 0 cleared$")
        self.says("stop", "Done")
        self.says("clear port stats all", "port 0 cleared", "port 1 cleared")
        self.says("show port stats all", "RX-packets: 0 .*\n")
        self.says("clear port xstats all", "NIC extended statistics for port 1 cleared")
        xstats = self.says("show port xstats all", "rx_good_packets: 0")
        self.assertNotRegex(xstats, r"_packets: [1-9]")
        self.says("clear port stats 9", "^Invalid port 9")
        self.says("clear port xstats x", "^Bad arguments: clear port xstats")

    def test_clearing_a_port_keeps_what_forwarding_counted(self):
        self.says("start", "packet forwarding")
        self.says("clear port stats all", "cleared")
        report = self.says("stop", "Done")
        self.assertNotRegex(report, r"\d{15}", "a counter went below zero")

    def test_set_fwd(self):
        for mode in ("io", "mac", "macswap", "rxonly", "txonly"):
            self.says(f"set fwd {mode}", f"^Set {mode} packet forwarding mode$")
            self.says("start", f"^{mode} packet forwarding - ports=2")
            self.says("stop", r"Done\.")
        self.says("set fwd bogus", r"^Bad arguments: set fwd <io\|mac\|macswap\|rxonly\|txonly>$")

    def test_set_promisc(self):
        self.assertEqual(self.says("set promisc all off"), "")
        self.says("show port info 0", "Promiscuous mode: disabled")
        self.assertEqual(self.says("set promisc 0 on"), "")
        self.says("show port info 0", "Promiscuous mode: enabled")
        self.says("show port info 1", "Promiscuous mode: disabled")
        self.says("set promisc 0 maybe", r"^Bad arguments: set promisc <port\|all> <on\|off>$")
        self.says("set promisc 5 on", "^Invalid port 5")

    def test_set_burst(self):
        self.says("set burst 8", "^Number of packets per burst set to 8$")
        self.says("start", "packets/burst=8")
        self.says("stop", "Done")
        self.says("set burst 0", "^Bad arguments: burst must be between 1 and 512$")
        self.says("set burst 513", "^Bad arguments: burst must be between 1 and 512$")
        self.says("set burst many", "^Bad arguments: set burst <number>$")

    def test_set_eth_peer(self):
        self.assertEqual(self.says("set eth-peer 1 02:00:00:00:00:77"), "")
        self.says("show config fwd", "TX P=1/Q=0 .*peer=02:00:00:00:00:77")
        self.says("set eth-peer 1 02:00", "^Bad arguments: set eth-peer <port> <mac>$")
        self.says("set eth-peer 4 02:00:00:00:00:77", "^Invalid port 4")

    def test_port_reset(self):
        self.says("start", "packet forwarding")
        self.says("port reset 0", "^Port 0 is reset$")
        report = self.says("stop", "Done")
        self.assertNotRegex(report, r"port 0 .*\n  RX-packets: 0 ")
        self.says("port reset all", "Port 0 is reset\nPort 1 is reset")
        self.says("port reset 2", "^Invalid port 2")
        self.says("port reset", r"^Bad arguments: port reset <port\|all>$")

    def test_quit_while_forwarding(self):
        self.says("start", "packet forwarding")
        self.says("quit now", "^Bad arguments: quit$")
        self.terminal.type("quit\n")
        status, text = self.terminal.ends()
        self.assertEqual(status, 0)
        self.assertRegex(text, r"Accumulated forward statistics(.*\n)*Shutting down port 1\.\.\.\nDone\n\nBye\.\.\.")
        self.assertEqual(self.terminal.modes(), self.terminal.modes_before, "the terminal is as it was")

    def test_interrupt_ends_it_with_its_report(self):
        self.says("start", "packet forwarding")
        self.terminal.type("\x03")
        status, text = self.terminal.ends()
        self.assertEqual(status, 0)
        self.assertRegex(text, r"Accumulated forward statistics(.*\n)*\nBye\.\.\.")
        self.assertEqual(self.terminal.modes(), self.terminal.modes_before, "the terminal is as it was")

    def test_end_of_input_ends_it(self):
        self.terminal.type("\x04")
        self.assertEqual(self.terminal.ends()[0], 0)

    def test_line_editing(self):
        self.terminal.type("sho\t con\tf\t\n")
        self.terminal.expect(r"io packet forwarding - ports=2")
        self.terminal.expect("testpmd> ")
        self.terminal.type("help bogux\x7fs\n")
        self.terminal.expect("Bad arguments: help\n")
        self.terminal.expect("testpmd> ")
        self.terminal.type("\x1b[A\x1b[A\n")
        self.terminal.expect(r"io packet forwarding - ports=2")
        self.terminal.expect("testpmd> ")
        self.terminal.type("set fwd mac\t")
        self.terminal.expect(r" mac\n macswap\n")


class Options(unittest.TestCase):
    """Every option: what it changes, and what a wrong value says."""

    def runs(self, *after, until="packet forwarding - ports", **more):
        status, out, err = run(command(*after, **more), until=until)
        self.assertEqual(status, 0, out + err)
        return out

    def refused(self, words, *patterns, status=2):
        got, out, err = run(words)
        self.assertEqual(got, status, out + err)
        line = err.splitlines()[-1]
        self.assertTrue(line.startswith("sluice-testpmd: "), err)
        for pattern in patterns:
            self.assertRegex(line, pattern)
        return err

    def refused_at_once(self, words, *patterns):
        self.assertEqual(len(self.refused(words, *patterns).splitlines()), 1, "one line, and no EAL before it")

    def test_wrong_values(self):
        for option in ("--bogus", "--stats-period=x", "--nb-cores=0", "--rxq=0", "--txq=65", "--rxd=x", "--txd=-2",
                       "--burst=513", "--total-num-mbufs=9", "--mbuf-size=1", "--mbcache=513", "--forward-mode=bogus",
                       "--port-topology=bogus", "--eth-peer=0", "--txpkts=5", "stray"):
            with self.subTest(option):
                self.refused_at_once(command(option), re.escape(option.split("=")[0]))

    def test_help(self):
        for words in ([PROGRAM, "--help"], [PROGRAM, "-h"], [PROGRAM, "--", "--help"]):
            status, out, err = run(words)
            self.assertEqual((status, err), (0, ""))
            self.assertIn("-a, --allow DEVICE", out)
            self.assertIn("--stats-period", out)

    def test_devices(self):
        out = self.runs(ports=["-a", "ethdev:net_null5", "--vdev=net_null3,size=100"])
        self.assertRegex(out, r"Port 0: net_null5.*\nPort 1: net_null3")
        self.refused_at_once(command(ports=["-a", "eth0"]), "eth0: neither a PCI address")
        self.refused_at_once(command(ports=["-a"]), "needs a device|neither")
        self.refused_at_once(command(ports=["--vdev="]), "--vdev: needs a name")
        self.refused(command(ports=["-a", "bogus:x"]), "bogus:x")
        self.refused(command(ports=["--vdev", "net_bogus0"]), "net_bogus0: DPDK cannot open the device")
        self.refused(command(ports=["-a", "ffff:1f:1f.7"]), "ffff:1f:1f.7: ")

    def test_no_device(self):
        if os.path.isdir("/sys/bus/pci/drivers/sluice-pci"):
            return
        self.refused_at_once(command(ports=[]), "no device is bound to sluice-pci")

    def test_secondary_process(self):
        self.refused_at_once(command(eal=["--proc-type=secondary"]), "one process owns a port")

    def test_eal_refuses(self):
        self.refused(command(eal=["-l", "bogus", "--no-huge", "-m", "64"]), "EAL does not start")

    def test_too_few_lcores(self):
        self.refused(command("--nb-cores=2"), "--nb-cores=2, EAL has 2 lcores: more forwarding lcores")
        self.refused(command(eal=["-l", "0", *EAL[2:]]), "--nb-cores=1, EAL has 1 lcores")

    def test_queues(self):
        out = self.runs("--rxq=2", "--txq=2")
        self.assertIn("ports=2 - cores=1 - streams=4", out)
        self.assertIn("RX queue number: 2 Tx queue number: 2", out)
        self.assertIn("Warning: rxq=3 and txq=1 differ: 1 queues a port forward", self.runs("--rxq=3"))

    def test_rings(self):
        self.assertIn("RX desc=512 TX desc=256", self.runs("--rxd=512", "--txd=256"))

    def test_burst(self):
        self.assertIn("packets/burst=64", self.runs("--burst=64"))

    def test_mbufs(self):
        self.runs("--total-num-mbufs=4096", "--mbuf-size=4096", "--mbcache=32")
        self.refused(command("--total-num-mbufs=1000000"), "1000000 mbufs, .*cannot make the mbuf pool: reserve hugepages")

    def test_small_mbufs_need_scatter(self):
        self.refused(command("--mbuf-size=512"), "net_null0: receive|no such offload")

    def test_modes(self):
        for mode in ("io", "mac", "macswap", "rxonly", "txonly"):
            with self.subTest(mode):
                self.assertIn(f"{mode} packet forwarding", self.runs(f"--forward-mode={mode}"))

    def test_txpkts(self):
        self.assertIn("packet len=128", self.runs("--forward-mode=txonly", "--txpkts=128"))

    def test_topology(self):
        self.assertRegex(self.runs("--port-topology=loop"), r"RX P=0/Q=0 \(socket \d\) -> TX P=0/Q=0")
        self.assertIn("the last port will pair with itself", self.runs(ports=["--vdev", "net_null0"]))

    def test_eth_peer(self):
        self.assertIn("peer=02:00:00:00:00:55", self.runs("--eth-peer=1,02:00:00:00:00:55"))
        self.refused(command("--eth-peer=2,02:00:00:00:00:55"), "--eth-peer=2: there is no such port")

    def test_tx_first(self):
        out = self.runs("--tx-first", "--forward-mode=rxonly")
        self.assertRegex(out, r"Forward statistics for port 0 .*\n.*\n  TX-packets: 32 ")

    def test_auto_start(self):
        for option in ("--auto-start", "-a"):
            with Terminal(command("-i", option)) as terminal:
                terminal.expect("io packet forwarding - ports=2")
                terminal.expect("testpmd> ")
                self.assertIn("already started", terminal.command("start"))

    def test_stats_period_in_a_pipe(self):
        out = self.runs("--stats-period=1", until="Port statistics ====")
        self.assertNotIn("\x1b", out)
        self.assertRegex(out, r"NIC statistics for port 0 .*\n  RX-packets: \d+")

    def test_stats_period_on_a_terminal(self):
        with Terminal(command("--stats-period", "1")) as terminal:
            terminal.expect(r"\x1b\[2J\x1b\[1;1H\nPort statistics ====")
            terminal.type("\x03")
            status, text = terminal.ends()
            self.assertEqual(status, 0)
            self.assertIn("Accumulated forward statistics", text)


class Ending(unittest.TestCase):
    def test_enter_ends_it_on_a_terminal(self):
        with Terminal(command()) as terminal:
            terminal.expect("Press enter to exit\n")
            terminal.type("\n")
            status, text = terminal.ends()
            self.assertEqual(status, 0)
            self.assertIn("Bye...", text)

    def test_signals_end_it_in_a_pipe(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            status, out, _ = run(command(), until="nb forwarding ports=2", signal_number=number)
            self.assertEqual(status, 0)
            self.assertNotIn("Press enter", out)
            self.assertRegex(out, r"Accumulated forward statistics(.*\n)*\nBye\.\.\.")

    def test_commands_from_a_pipe(self):
        status, out, _ = run(command("-i"), given="show port summary all\nstart\nstop\n")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"testpmd> show port summary all\nNumber of available ports: 2\n")
        self.assertIn("Accumulated forward statistics", out)

    def test_lost_mbufs_are_an_error(self):
        """net_ring forgets what lies in its ring when it is closed."""
        status, out, err = run(command("--forward-mode=txonly", "--port-topology=loop", ports=["--vdev", "net_ring0"]),
                               until="nb forwarding ports=1")
        self.assertEqual(status, 1, out + err)
        self.assertRegex(err, r"sluice-testpmd: \d+ of \d+ mbufs did not come back")


class BesideDpdk(unittest.TestCase):
    """The same commands to both programs; what scripts read must be the same but for the numbers."""

    COMMANDS = ("stop", "set fwd macswap", "start", "start", "stop", "show port stats all", "show port xstats 5",
                "show port summary all", "clear port stats 1", "bogus")

    def answers(self, words):
        given = "".join(f"{line}\n" for line in self.COMMANDS) + "quit\n"
        _, out, err = run(words, given=given)
        return out + err

    def test_blocks(self):
        ours = self.answers(command("-i", "--total-num-mbufs=4096"))
        theirs = self.answers(["dpdk-testpmd", *EAL, "--no-pci", *PORTS, "--", "-i", "--total-num-mbufs=4096"])
        blocks = (
            r"  -+ Forward statistics for port 0 .*\n(.*\n){2}  -+\n",
            r"  \++ Accumulated forward statistics for all ports\++\n(.*\n){2}  \++\n",
            r"  #+ NIC statistics for port 1 .*\n(.*\n){8}  #+\n",
            r"Telling cores to stop\.\.\.",
            r"Waiting for lcores to finish\.\.\.",
            r"\nDone\.\n",
            r"Set macswap packet forwarding mode\n",
            r"Packet forwarding already started\n",
            r"Packet forwarding not started\n",
            r"Command not found\n",
            r"Invalid port 5\n",
            r"  NIC statistics for port 1 cleared\n",
            r"Number of available ports: 2\nPort MAC Address       Name         Driver         Status   Link\n",
            r"Logical Core 1 \(socket 0\) forwards packets on 2 streams:\n(  RX P=.*\n){2}",
        )
        for block in blocks:
            with self.subTest(block):
                found, known = re.search(block, ours), re.search(block, theirs)
                self.assertIsNotNone(known, "DPDK prints it: " + theirs)
                self.assertIsNotNone(found, "we print it: " + ours)
                self.assertEqual(shape(found.group()), shape(known.group()))


class Captures(unittest.TestCase):
    """Frames from one file, by the program itself, into another."""

    FRAMES = [bytes((i * 7 + j) & 0xff for j in range(60 + i * 11)) for i in range(130)]

    def write(self, path):
        with open(path, "wb") as capture:
            capture.write(b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(8) + (65535).to_bytes(4, "little") + b"\1\0\0\0")
            for frame in self.FRAMES:
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
            self.write(f"{folder}/in.pcap")
            self.write(f"{folder}/none.pcap")
            os.truncate(f"{folder}/none.pcap", 24)
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


class Report(unittest.TextTestResult):
    """Also writes GoogleTest's kind of XML where GTEST_OUTPUT says, so that cases are counted one by one."""

    def __init__(self, *more):
        super().__init__(*more)
        self.cases = {}

    def startTest(self, test):
        super().startTest(test)
        self.cases[test.id()] = True

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.cases[test.id()] = False

    def addError(self, test, err):
        super().addError(test, err)
        self.cases[test.id()] = False

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.cases[test.id()] = False

    def stopTestRun(self):
        super().stopTestRun()
        where = os.environ.get("GTEST_OUTPUT", "")
        if not where.startswith("xml:"):
            return
        path = where.removeprefix("xml:")
        if path.endswith("/"):
            path += os.path.basename(sys.argv[0]) + ".xml"
        with open(path, "w", encoding="utf-8") as out:
            out.write("<testsuites><testsuite>\n")
            for name, passed in self.cases.items():
                suite, case = name.split(".")[-2:]
                out.write(f"<testcase name={quoteattr(case)} classname={quoteattr(suite)} status='run'>"
                          f"{'' if passed else '<failure/>'}</testcase>\n")
            out.write("</testsuite></testsuites>\n")


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(testRunner=unittest.TextTestRunner(resultclass=Report, verbosity=2))
