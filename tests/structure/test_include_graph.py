#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The check of the include graph sees what it is there to see."""
import pathlib
import tempfile
import unittest

import include_graph

TABLE = '''
| Unit | May use | May not use |
|---|---|---|
| `lib/low` | | all else |
| `lib/high` | `lib/low`, DPDK | |
| `apps/tool` | `lib/high` | |
'''


class IncludeGraph(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        for name in ('lib', 'drivers', 'apps', 'doc'):
            (self.root / name).mkdir()
        self.write('doc/architecture.md', TABLE)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding='utf-8')

    def complaints(self):
        rows = include_graph.table(self.root / 'doc/architecture.md')
        return list(include_graph.order_complaints(rows)) + list(include_graph.complaints(self.root, rows))

    def test_accepts_what_the_table_allows(self):
        self.write('lib/high/a.cpp', '#include <sluice/low/x.hpp>\n#include <rte_mbuf.h>\n#include <vector>\n')
        self.assertEqual(self.complaints(), [])

    def test_refuses_an_include_upwards(self):
        self.write('lib/low/a.cpp', '#include <sluice/high/x.hpp>\n')
        self.assertEqual(len(self.complaints()), 1)
        self.assertIn('lib/low/a.cpp:1: lib/low may not use lib/high', self.complaints()[0])

    def test_refuses_a_foreign_library_that_is_not_listed(self):
        self.write('lib/low/a.hpp', '#include <rte_mbuf.h>\n')
        self.assertIn('may not use DPDK', self.complaints()[0])

    def test_refuses_a_skip_that_the_table_does_not_list(self):
        self.write('apps/tool/main.cpp', '#include <sluice/low/x.hpp>\n')
        self.assertIn('apps/tool may not use lib/low', self.complaints()[0])

    def test_refuses_a_folder_without_a_row(self):
        self.write('lib/new/a.cpp', '\n')
        self.assertIn('no row', self.complaints()[0])

    def test_refuses_a_table_out_of_order(self):
        self.write('doc/architecture.md', TABLE.replace('| `lib/low` | |', '| `lib/low` | `lib/high` |'))
        self.assertIn('does not stand above it', self.complaints()[0])


if __name__ == '__main__':
    unittest.main()
