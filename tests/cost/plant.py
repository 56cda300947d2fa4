# SPDX-License-Identifier: BSD-3-Clause
"""The measured program of a build, once more, with something planted into a driver's bursts.

Every driver rings reg::Doorbell once a transmitted burst, so a copy of that header carries what is planted; what sends is
compiled against it, and linked before the driver's own archive.
"""
import json
import pathlib
import re
import shlex
import subprocess

BURST = 32   # frames a doorbell, in the scenarios that are planted into
ANCHOR = "        publish();\n"
SUBJECT = "apps/perf/subject/sluice-perf-subject"


class Tree:
    """A build and its sources."""

    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.source = pathlib.Path(__file__).resolve().parents[2]
        self.compiles = json.loads((self.build / "compile_commands.json").read_text())
        commands = subprocess.run(["ninja", "-C", self.build, "-t", "commands", "-s", SUBJECT], capture_output=True, text=True, check=True).stdout
        self.link = shlex.split(commands.splitlines()[-1])
        self.scenarios = json.loads(subprocess.run([self.build / SUBJECT, "--list"], capture_output=True, text=True, check=True).stdout)

    def drivers(self):
        return sorted({each["driver"] for each in self.scenarios})

    def sending(self, driver, files):
        """Commands that compile these files of the driver; a unity source includes several."""
        for each in self.compiles:
            source = self.build / each["file"]
            if f"sluice_net_{driver}.a.p/" in each["output"]:
                if re.search(rf"\b{files}\b", source.read_text() if "-unity" in source.name else source.name):
                    yield shlex.split(each["command"])

    def plant(self, driver, text, folder, files=r"tx\w*\.cpp"):
        """A build's folder, in `folder`, whose program executes the C++ `text` at each doorbell of the driver's `files`."""
        header = (self.source / "lib/reg/include/sluice/reg/doorbell.hpp").read_text()
        if header.count(ANCHOR) != 1:
            raise SystemExit("plant: Doorbell::ring() is not what it was: plant elsewhere")
        patched = folder / "include/sluice/reg/doorbell.hpp"
        patched.parent.mkdir(parents=True)
        patched.write_text(header.replace(ANCHOR, ANCHOR + text))
        objects = []
        for words in self.sending(driver, files):
            objects.append(str(folder / f"{len(objects)}.o"))
            first = next(i for i, word in enumerate(words) if word.startswith("-I"))
            words[first:first] = [f"-I{folder / 'include'}"]
            words[words.index("-o") + 1] = objects[-1]
            for flag in ("-MQ", "-MF"):
                words[words.index(flag) + 1] = objects[-1] + ".d"
            subprocess.run(words, cwd=self.build, check=True)
        if not objects:
            raise SystemExit(f"plant: no file {files} of {driver} is compiled in {self.build}")
        program = folder / "build" / SUBJECT
        program.parent.mkdir(parents=True)
        words = list(self.link)
        words[words.index("-o") + 1] = str(program)
        words[words.index("-Wl,--as-needed"):words.index("-Wl,--as-needed")] = objects
        subprocess.run(words, cwd=self.build, check=True)
        (program.parent / "libcount_marked.so").symlink_to(self.build / "apps/perf/subject/libcount_marked.so")
        (folder / "build/meson-info").symlink_to(self.build / "meson-info")
        return folder / "build"
