# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables in plain text."""


def table(heading, rows):
    """Lines of text: the first column to the left, the others to the right."""
    rows = [heading, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        first, *others = (cell.ljust(width) if at == 0 else cell.rjust(width)
                          for at, (cell, width) in enumerate(zip(row, widths)))
        yield '  '.join((first, *others)).rstrip()


def verdict(good, requirement):
    """The last column, where something is required."""
    return f'{"yes" if good else "NO"}: {requirement}'
