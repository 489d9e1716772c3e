# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of scenarios names cases that exist."""

import re
import unittest

from support import ROOT

TABLE = ROOT / 'tests/scenarios.md'
SOURCES = ROOT / 'tests/qtest'


def rows():
    """Number, scenario, cases, controllers; of each row of the table."""
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if line.startswith('|') and cells[0].isdigit():
            yield cells


def case_names():
    text = ''.join(path.read_text() for path in SOURCES.glob('*.c'))
    return set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"', text))


class Scenarios(unittest.TestCase):
    def test_there_are_thirty_in_order(self):
        self.assertEqual([int(row[0]) for row in rows()],
                         list(range(1, 31)))

    def test_each_case_is_in_the_sources(self):
        known = case_names()
        named = {name for row in rows()
                 for name in re.findall('`([^`]+)`', row[2])
                 if '-' in name}
        self.assertGreater(len(named), 60)
        self.assertEqual(sorted(named - known), [])

    def test_a_row_without_a_case_says_why(self):
        for number, _, cases, _ in rows():
            with self.subTest(number=number):
                self.assertTrue('`' in cases or len(cases.split()) > 4)


if __name__ == '__main__':
    unittest.main()
