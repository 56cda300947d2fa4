#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Our vhost-user back-end with DPDK's front-end, virtio-user: generated frames come back, and each one's payload is checked.

usage: test_virtio_user.py SLUICE-SOFTNIC DPDK-TESTPMD
"""
import re
import signal
import sys
import time
import unittest

from program import EAL, SocketTest

SOFTNIC, DPDKS = sys.argv[1:3]
PATIENCE = 20


class VirtioUser(SocketTest):
    def back_end(self, *words, queues=1):
        back = self.start([SOFTNIC, '--protocol', 'vhost-user', '--device', f'soft:virtio?backend=gen&packed=1&queues={queues}',
                           '--socket', self.socket, *words])
        self.assertTrue(back.wait_for('Serving'), back.text())
        return back

    def front_end(self, queues=1, **arguments):
        vdev = f'net_virtio_user0,path={self.socket},queues={queues}' + ''.join(f',{name}={value}' for name, value in arguments.items())
        return self.start([DPDKS, *EAL, '--no-pci', '--vdev', vdev, '--', '--no-flush-rx', '--auto-start', '--total-num-mbufs=8192',
                           '--forward-mode=io', '--port-topology=loop', f'--rxq={queues}', f'--txq={queues}'])

    def statistic(self, back, name):
        """By the last report."""
        return int(re.findall(rf' {name} (\d+)', back.text())[-1])

    def wait_for_frames(self, back, front, more=2000):
        """Until so many frames have come back since the first look, each of them right."""
        end = time.monotonic() + PATIENCE
        first = None
        while True:
            reports = back.text().count('client:')
            back.process.send_signal(signal.SIGUSR1)
            self.assertTrue(back.wait_for('client:', reports + 1), back.text())
            received = self.statistic(back, 'sink_received')
            first = received if first is None else first
            if received >= first + more:
                break
            self.assertIsNone(front.process.poll(), front.text())
            self.assertLess(time.monotonic(), end, back.text())
            time.sleep(0.02)
        self.assertEqual(self.statistic(back, 'sink_bad'), 0)
        self.assertEqual(self.statistic(back, 'lies'), 0)

    def test_front_ends_one_after_another(self):
        back = self.back_end()
        cases = ((0, 1, signal.SIGINT), (1, 1, signal.SIGKILL), (0, 0, signal.SIGKILL), (1, 0, signal.SIGINT))
        for packed, mergeable, how in cases:
            with self.subTest(packed=packed, mergeable=mergeable):
                front = self.front_end(packed_vq=packed, mrg_rxbuf=mergeable)
                self.wait_for_frames(back, front)
                self.assertEqual(self.statistic(back, 'packed'), packed)
                front.end(how)
                if how == signal.SIGINT:
                    received, sent = front.totals()
                    self.assertGreater(min(received, sent), 2000, front.text())
        self.assertEqual(back.end(), 0)
        self.assertEqual([self.statistic(back, name) for name in ('clients', 'dropped', 'refused', 'sink_bad', 'lies')],
                         [len(cases), 0, 0, 0, 0], back.text())

    def test_front_end_listens_and_the_back_end_is_killed(self):
        for packed in 0, 1:
            with self.subTest(packed=packed):
                back = self.back_end('--connect', queues=2)
                front = self.front_end(server=1, packed_vq=packed, queues=2)
                self.wait_for_frames(back, front)
                back.end(signal.SIGKILL)
                self.assertTrue(front.wait_for('link state change event'), front.text())
                back = self.back_end('--connect', queues=2)
                self.wait_for_frames(back, front)
                self.assertEqual(self.statistic(back, 'packed'), packed)
                front.end()
                self.assertEqual(back.end(), 0)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2, warnings='ignore')
