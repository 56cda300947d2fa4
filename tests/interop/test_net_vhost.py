#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Our driver on vhost-user against DPDK's back-end, net_vhost: frames both ways, and a back-end that is killed under traffic.

usage: test_net_vhost.py SLUICE-TESTPMD DPDK-TESTPMD
"""
import os
import re
import signal
import sys
import time
import unittest

from program import EAL, SocketTest

OURS, DPDKS = sys.argv[1:3]


class NetVhost(SocketTest):
    def back_end(self, *words, queues=1, client=0):
        vdev = f'net_vhost0,iface={self.socket},queues={queues},client={client}'
        program = self.start([DPDKS, *EAL, '--no-pci', '--vdev', vdev, '--', '--no-flush-rx', '--auto-start',
                              '--total-num-mbufs=8192', f'--rxq={queues}', f'--txq={queues}', *words])
        if not client:
            self.assertTrue(program.wait_for('packet forwarding'), program.text())
        return program

    def front_end(self, keys, *words):
        return self.start([OURS, *EAL, '-a', f'vhost-user:{self.socket}?{keys}', '--', '--stats-period=1',
                           '--port-topology=loop', *words])

    def received(self, front):
        """Frames received, by the last of the reports that come every second."""
        found = re.findall(r'RX-packets: (\d+)\s+RX-missed', front.text())
        return int(found[-1]) if found else 0

    def wait_for_traffic(self, front, above):
        end = time.monotonic() + 15
        while self.received(front) <= above:
            self.assertIsNone(front.process.poll(), front.text())
            self.assertLess(time.monotonic(), end, front.text())
            time.sleep(0.02)

    def round_trip(self, keys, queues=1, client=0):
        """The back-end sends and receives, and we send back what comes."""
        words = ['--forward-mode=io', f'--rxq={queues}', f'--txq={queues}']
        if client:
            front = self.front_end(keys, *words)
            back = self.back_end('--forward-mode=flowgen', queues=queues, client=1)
        else:
            back = self.back_end('--forward-mode=flowgen', queues=queues)
            front = self.front_end(keys, *words)
        self.wait_for_traffic(front, 512)
        self.assertEqual(front.end(), 0, front.text())
        self.assertEqual(back.end(), 0, back.text())
        received, sent = front.totals()
        back_received, back_sent = back.totals()
        self.assertGreater(received, 512)
        self.assertLessEqual(received, back_sent)
        self.assertLessEqual(back_received, sent)
        self.assertGreater(back_received, 512)

    def test_split(self):
        self.round_trip('packed=0')

    def test_packed_as_server(self):
        self.round_trip('packed=1&server=1', client=1)

    def test_two_queue_pairs(self):
        self.round_trip('queues=2', queues=2)

    def test_back_end_is_killed_under_traffic_and_comes_back(self):
        for keys in ('packed=0', 'packed=1'):
            with self.subTest(keys):
                back = self.back_end('--forward-mode=flowgen')
                front = self.front_end(keys, '--forward-mode=io')
                self.wait_for_traffic(front, 0)
                back.end(signal.SIGKILL)
                self.assertTrue(front.wait_for('link down'), front.text())
                os.unlink(self.socket)
                before = self.received(front)
                back = self.back_end('--forward-mode=flowgen')
                self.assertTrue(front.wait_for('Port 0 is reset'), front.text())
                self.assertTrue(front.wait_for('link up'), front.text())
                self.wait_for_traffic(front, before)
                # 0: every mbuf was back in its pool.
                self.assertEqual(front.end(), 0, front.text())
                back.end()
                os.path.exists(self.socket) and os.unlink(self.socket)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2, warnings='ignore')
