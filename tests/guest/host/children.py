# SPDX-License-Identifier: BSD-3-Clause
"""Child processes that end with this one, whatever ends it."""
import ctypes
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, **options):
    return subprocess.Popen(command, preexec_fn=_die_with_parent, **options)


def end(process, grace=2.0):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def exit_on_signals():
    """Makes the usual signals leave by an exception, so that every `with` and `finally` is passed."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda caught, _frame: sys.exit(128 + caught))
