# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the program share: its command line, and how results are reported."""
import os
import re
import sys
import unittest
from xml.sax.saxutils import quoteattr

PROGRAM = os.path.abspath(sys.argv.pop(1))
EAL = ["-l", "0-1", "-m", "128", "--no-huge", "--no-shconf", "--no-telemetry"]
# Three lcores on any number of CPUs: two that forward.
THREE_LCORES = ["--lcores", "0@0,1@0,2@0", *EAL[2:]]
PORTS = ["--vdev", "net_null0", "--vdev", "net_null1"]


def command(*after, ports=None, eal=None):
    return [PROGRAM, *(EAL if eal is None else eal), *(PORTS if ports is None else ports), "--", *after]


def shape(text):
    """`text` with each number and MAC address made alike."""
    text = re.sub(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", "MAC", text)
    return re.sub(r"\b\d+\b *", "N ", text)


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


def main():
    unittest.main(testRunner=unittest.TextTestRunner(resultclass=Report, verbosity=2))
