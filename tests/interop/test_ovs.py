#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two ports of ours on a bridge of Open vSwitch's DPDK datapath: generated frames go through both ways, every payload is checked, and the
switch is killed under traffic and comes back.

usage: test_ovs.py SLUICE-TESTPMD
"""
import re
import signal
import sys
import tempfile
import time
import unittest

import ovs
from program import EAL, Program

OURS = sys.argv[1]
PATIENCE = 20
GENERATOR = 'soft:virtio?backend=gen&rate=20000'


class Ovs(unittest.TestCase):
    def setUp(self):
        self.assertTrue(ovs.is_cached(), f"Open vSwitch is not in {ovs.folder()}: run './run deps'")
        home = tempfile.TemporaryDirectory(prefix='ovs-')
        self.addCleanup(home.cleanup)
        self.home = home.name
        self.ovs = ovs.OpenVSwitch(self.home)
        self.addCleanup(self.ovs.close)

    def forward(self, first, second):
        """A generator and a sink at each end: 0 with 1, 2 with 3, and the switch between 1 and 2."""
        ours = Program([OURS, *EAL, '-a', GENERATOR, '-a', first, '-a', second, '-a', GENERATOR, '--', '--stats-period=1'])
        self.addCleanup(ours.end, signal.SIGKILL)
        return ours

    def received(self, ours, port):
        found = re.findall(rf'statistics for port {port} .*\n\s+RX-packets: (\d+)', ours.text())
        return int(found[-1]) if found else 0

    def wait_for_frames(self, ours, more=1000):
        end = time.monotonic() + PATIENCE
        before = [self.received(ours, port) for port in (1, 2)]
        while any(self.received(ours, port) < count + more for port, count in zip((1, 2), before)):
            self.assertIsNone(ours.process.poll(), ours.text())
            self.assertLess(time.monotonic(), end, ours.text() + self.ovs.switch.text())
            time.sleep(0.05)

    def check_ends(self, ours):
        # 0: every mbuf was back in its pool, and no sink met a bad frame.
        self.assertEqual(ours.end(), 0, ours.text())
        back = re.findall(r'(\d+) frames came back, every byte of their payload checked: (\d+) bad', ours.text())
        self.assertEqual([bad for _, bad in back], ['0', '0'], ours.text())
        self.assertTrue(all(int(count) > 1000 for count, _ in back), ours.text())

    def test_we_listen_and_the_switch_is_killed(self):
        self.ovs.add_client_port(1, 'v1')
        self.ovs.add_client_port(2, 'v2')
        self.ovs.start(('v1', 'v2'))
        ours = self.forward(f'vhost-user:{self.home}/v1?server=1', f'vhost-user:{self.home}/v2?server=1&packed=0')
        self.wait_for_frames(ours)
        self.ovs.kill()
        for port in 1, 2:
            self.assertTrue(ours.wait_for(rf'Port {port}: .*link down'), ours.text())
        self.ovs.start(('v1', 'v2'))
        for port in 1, 2:
            self.assertTrue(ours.wait_for(rf'Port {port} is reset', seconds=PATIENCE), ours.text())
        self.wait_for_frames(ours)
        self.check_ends(ours)

    def test_the_switch_listens(self):
        self.ovs.add_server_port(1, 'v1')
        self.ovs.add_server_port(2, 'v2')
        self.ovs.start(('v1', 'v2'))
        ours = self.forward(f'vhost-user:{self.home}/v1', f'vhost-user:{self.home}/v2?packed=0')
        self.wait_for_frames(ours)
        self.check_ends(ours)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2, warnings='ignore')
