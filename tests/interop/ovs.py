#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch's DPDK datapath, unpacked from Debian's packages beside the guest lab's kernels and run in a folder of its own: nothing
of it is installed, and no service of the machine's is started or asked.

usage: ovs.py --cached|--fetch|--folder
"""
import os
import pathlib
import signal
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'guest'))
from host import LabError, cache  # noqa: E402

from program import Program  # noqa: E402

PACKAGES = ('openvswitch-switch-dpdk', 'openvswitch-switch', 'openvswitch-common')
PATIENCE = 20


def folder():
    return cache.folder() / 'openvswitch'


def is_cached():
    return (folder() / 'version').exists()


def fetch():
    cache.folder().mkdir(parents=True, exist_ok=True)
    with cache.filling(folder()) as top:
        version = cache.Apt().unpack(PACKAGES, top)
        for waste in ('etc', 'lib', 'usr/share/doc', 'usr/share/man'):
            shutil.rmtree(top / waste, ignore_errors=True)
        (top / 'version').write_text(version + '\n')
    print(f'Open vSwitch {version} is in {folder()}')


class OpenVSwitch:
    """A database, a switch and one bridge between two vhost-user ports. Its memory is no-huge, its threads are on CPU 0, and the
    interface that a bridge brings along is in a network namespace of its own."""

    def __init__(self, home):
        self.home, self.top = home, folder()
        self.environment = {**os.environ, 'OVS_RUNDIR': home, 'OVS_LOGDIR': home, 'OVS_DBDIR': home, 'OVS_SYSCONFDIR': home}
        self.database = f'unix:{home}/db.sock'
        self.switch = None
        data = f'{home}/conf.db'
        self.run('usr/bin/ovsdb-tool', 'create', data, str(self.top / 'usr/share/openvswitch/vswitch.ovsschema'))
        self.server = self.program('usr/sbin/ovsdb-server', data, f'--remote=p{self.database}', f'--unixctl={home}/ovsdb.ctl')
        self.wait_for_file('db.sock')
        self.configure('init')
        self.configure('set', 'Open_vSwitch', '.', 'other_config:dpdk-init=true', 'other_config:pmd-cpu-mask=0x1',
                       'other_config:dpdk-lcore-mask=0x1', 'other_config:per-port-memory=true',
                       'other_config:dpdk-extra=--no-huge --legacy-mem --no-shconf -m 256 --no-pci --no-telemetry')
        self.configure('add-br', 'bridge', '--', 'set', 'Bridge', 'bridge', 'datapath_type=netdev')

    def run(self, program, *words):
        done = subprocess.run([self.top / program, *words], env=self.environment, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise AssertionError(f'{program} {words}: {done.stderr}')
        return done.stdout

    def program(self, program, *words, before=()):
        return Program([*before, str(self.top / program), '--no-chdir', '-vconsole:info', *words], env=self.environment)

    def wait_for_file(self, name):
        end = time.monotonic() + PATIENCE
        while not os.path.exists(f'{self.home}/{name}'):
            if time.monotonic() > end or self.server.process.poll() is not None:
                raise AssertionError(f'no {name}: {self.server.text()}')
            time.sleep(0.01)

    def configure(self, *words):
        self.run('usr/bin/ovs-vsctl', f'--db={self.database}', '--no-wait', *words)

    def add_client_port(self, number, name):
        """One that connects to who listens at `name`."""
        self.configure('add-port', 'bridge', name, '--', 'set', 'Interface', name, 'type=dpdkvhostuserclient',
                       f'options:vhost-server-path={self.home}/{name}', f'ofport_request={number}')

    def add_server_port(self, number, name):
        """One that listens at `name`."""
        self.configure('add-port', 'bridge', name, '--', 'set', 'Interface', name, 'type=dpdkvhostuser', f'ofport_request={number}')

    def start(self, ports):
        """The switch, with all of `ports`, and frames from 1 to 2 and back."""
        # A user who is not root gets a namespace where he is.
        alone = ('unshare', '-n') if os.geteuid() == 0 else ('unshare', '-rn')
        self.switch = self.program('usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk', self.database, f'--unixctl={self.home}/vs.ctl',
                                   before=alone)
        for sign in (*(f'added interface {name} on port' for name in ports), 'added service controller'):
            if not self.switch.wait_for(sign, seconds=PATIENCE):
                raise AssertionError(self.switch.text())
        manage = f'unix:{self.home}/bridge.mgmt'
        self.run('usr/bin/ovs-ofctl', 'del-flows', manage)
        for here, there in ((1, 2), (2, 1)):
            self.run('usr/bin/ovs-ofctl', 'add-flow', manage, f'in_port={here},actions=output:{there}')

    def kill(self):
        """The switch, as a crash does."""
        if self.switch:
            self.switch.end(signal.SIGKILL)

    def close(self):
        self.kill()
        self.server.end(signal.SIGKILL)


def main(arguments):
    if arguments == ['--cached']:
        return 0 if is_cached() else 1
    if arguments == ['--folder']:
        print(folder())
    elif arguments == ['--fetch']:
        fetch()
    else:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        print(f'ovs.py: {error}', file=sys.stderr)
        sys.exit(2)
