#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluice-testpmd on a terminal and in a pipe: every option and command, each with a wrong argument too.

usage: test_program.py PROGRAM
"""
import concurrent.futures
import os
import re
import signal
import unittest

import arguments
from program import EAL, PORTS, PROGRAM, THREE_LCORES, command, main
from terminal import Terminal, run

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

    def test_wrong_commands(self):
        for running in (False, True):
            if running:
                self.says("start", "packet forwarding - ports=2")
            for line, answer in arguments.WRONG_COMMANDS:
                with self.subTest(line, running=running):
                    self.assertEqual(self.terminal.command(line), answer)
        self.says("stop", "Done")

    def test_help(self):
        self.says("help", r"show port info <port\|all>", r"quit +End")
        self.assertEqual(self.says(""), "")

    def test_start_and_stop(self):
        self.says("stop", "^Packet forwarding not started$")
        self.says("start", r"io packet forwarding - ports=2 - cores=1 - streams=2\n"
                           r"Logical Core 1 \(socket \d\) forwards packets on 2 streams:\n"
                           r"  RX P=0/Q=0 \(socket \d\) -> TX P=1/Q=0 \(socket \d\) peer=02:00:00:00:00:01\n")
        self.says("start", "^Packet forwarding already started$")
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

    def test_show_port_summary(self):
        self.says("show port summary all", "Number of available ports: 2\n", r"0    \S+ net_null0 +ethdev +up +10 Gbps")

    def test_show_port_stats(self):
        stats = self.says("show port stats all", "NIC statistics for port 0 ", "NIC statistics for port 1 ",
                          "RX-packets: 0 ", "Rx-pps: +0")
        self.assertEqual(stats.count("RX-nombuf"), 2)

    def test_show_port_xstats(self):
        self.says("show port xstats 1", "###### NIC extended statistics for port 1", "rx_good_packets: 0", "tx_q0_packets: 0")
        self.says("show port xstats all", "for port 0", "for port 1")

    def test_show_config_fwd(self):
        self.says("show config fwd", "^io packet forwarding - ports=2 - cores=1 - streams=2\n")

    def test_show_and_clear_fwd_stats(self):
        self.says("start", "packet forwarding")
        self.says("show fwd stats all", "Forward statistics for port 0 ", "Accumulated forward statistics for all ports")
        self.says("stop", "Done")
        self.assertEqual(self.says("clear fwd stats all"), "")
        self.says("show fwd stats all", "RX-packets: 0  .*RX-total: 0\n")

    def test_clear_port(self):
        self.says("start", "packet forwarding")
        self.says("clear port stats 0", "^\n  NIC statistics for port 0 cleared$")
        self.says("stop", "Done")
        self.says("clear port stats all", "port 0 cleared", "port 1 cleared")
        self.says("show port stats all", "RX-packets: 0 .*\n")
        self.says("clear port xstats all", "NIC extended statistics for port 1 cleared")
        xstats = self.says("show port xstats all", "rx_good_packets: 0")
        self.assertNotRegex(xstats, r"_packets: [1-9]")

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

    def test_set_promisc(self):
        self.assertEqual(self.says("set promisc all off"), "")
        self.says("show port info 0", "Promiscuous mode: disabled")
        self.assertEqual(self.says("set promisc 0 on"), "")
        self.says("show port info 0", "Promiscuous mode: enabled")
        self.says("show port info 1", "Promiscuous mode: disabled")

    def test_set_burst(self):
        self.says("set burst 8", "^Number of packets per burst set to 8$")
        self.says("start", "packets/burst=8")
        self.says("stop", "Done")

    def test_set_eth_peer(self):
        self.assertEqual(self.says("set eth-peer 1 02:00:00:00:00:77"), "")
        self.says("show config fwd", "TX P=1/Q=0 .*peer=02:00:00:00:00:77")

    def test_port_reset(self):
        self.says("start", "packet forwarding")
        self.says("port reset 0", "^Port 0 is reset$")
        report = self.says("stop", "Done")
        self.assertNotRegex(report, r"port 0 .*\n  RX-packets: 0 ")
        self.says("port reset all", "Port 0 is reset\nPort 1 is reset")

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

    def refused(self, words):
        """The one line on standard error that says what to do; what EAL says stands before."""
        status, out, err = run(words)
        self.assertEqual((status, out), (2, ""), err)
        *before, line = err.splitlines()
        self.assertTrue(line.startswith("sluice-testpmd: "), err)
        self.assertFalse([other for other in before if other.startswith("sluice-testpmd: ")], err)
        return before, line.removeprefix("sluice-testpmd: ")

    def together(self, check, rows):
        """The programs mostly wait: for memory, for their end."""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for words, answer in [(words, pool.submit(check, words, says)) for words, says in rows]:
                with self.subTest(" ".join(words)):
                    answer.result()

    def check_right(self, after, pattern):
        found = [line for line in self.runs(*after, eal=THREE_LCORES).splitlines() if re.match(pattern, line)]
        self.assertTrue(found, f"no line like {pattern}")

    def check_wrong(self, words, says):
        self.assertEqual(self.refused([PROGRAM, *words]), ([], says), "one line, and no EAL before it")

    def check_wrong_for_eal(self, words, pattern):
        before, says = self.refused([PROGRAM, *words])
        self.assertRegex(says, f"^{pattern}$")
        self.assertLess(len(before), 12, "EAL's list of options hides what is wrong")

    def test_right(self):
        self.together(self.check_right, arguments.RIGHT)

    def test_wrong(self):
        self.together(self.check_wrong, [(command(*after)[1:], says) for after, says in arguments.WRONG])
        self.together(self.check_wrong, arguments.WRONG_BEFORE)

    def test_wrong_on_a_terminal(self):
        for after, says in arguments.WRONG[::8]:
            with self.subTest(after), Terminal(command(*after)) as terminal:
                self.assertEqual(terminal.ends(), (2, f"sluice-testpmd: {says}\n"))

    def test_wrong_for_eal_or_a_driver(self):
        self.together(self.check_wrong_for_eal, arguments.WRONG_AFTER_EAL)

    def test_help(self):
        for words in ([PROGRAM, "--help"], [PROGRAM, "-h"], [PROGRAM, "--", "--help"]):
            status, out, err = run(words)
            self.assertEqual((status, err), (0, ""))
            self.assertIn("-a, --allow DEVICE", out)
            self.assertIn("--stats-period", out)

    def test_devices(self):
        out = self.runs(ports=["-a", "ethdev:net_null5", "--vdev=net_null3,size=100"])
        self.assertRegex(out, r"Port 0: net_null5.*\nPort 1: net_null3")

    def test_no_device(self):
        if os.path.isdir("/sys/bus/pci/drivers/sluice-pci"):
            return
        self.assertIn("two soft NICs are used", self.runs(ports=[]))

    def test_help_of_eal_is_shown_when_asked_for(self):
        status, out, _ = run([PROGRAM, *EAL, "--log-level=help", *PORTS])
        self.assertEqual(status, 0)
        self.assertRegex(out, r"lib\.eal")

    def test_last_odd_port(self):
        self.assertIn("the last port will pair with itself", self.runs(ports=["--vdev", "net_null0"]))

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


if __name__ == "__main__":
    main()
