# SPDX-License-Identifier: BSD-3-Clause
"""The host side of the guest lab (doc/guest-lab.md)."""


class LabError(Exception):
    """Something that the person in front of the terminal can act on; printed in one line."""
