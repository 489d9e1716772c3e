# SPDX-License-Identifier: GPL-2.0-or-later
"""A picture of ratios, as an SVG file."""

import math
from xml.sax.saxutils import escape

LOWEST, HIGHEST = 0.5, 2.0      # what is beyond is drawn at the edge
TICKS = (0.5, 0.75, 1.0, 1.5, 2.0)
NAMES = 250                     # pixels for the names
WIDTH = 360                     # and for the ratios of one column
ROW = 18
TOP = 60
BOTTOM = 40
GOOD, BAD = '#1b7837', '#b2182b'


def _x(left, ratio):
    """The place of a ratio: twice and half are as far from 1."""
    ratio = min(max(ratio, LOWEST), HIGHEST)
    return left + WIDTH * math.log(ratio / LOWEST) / \
        math.log(HIGHEST / LOWEST)


def _text(x, y, text, **attributes):
    more = ''.join(f' {name.replace("_", "-")}="{value}"'
                   for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(text)}</text>'


def _line(x1, y1, x2, y2, style):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" '
            f'y2="{y2:.1f}" {style}/>')


def _axis(left, bottom):
    for tick in TICKS:
        x = _x(left, tick)
        style = 'stroke="#000" stroke-width="1.5"' if tick == 1 else \
            'stroke="#ddd"'
        yield _line(x, TOP - 8, x, bottom, style)
        yield _text(x, bottom + 14, f'{tick:g}', text_anchor='middle')


def _row(left, y, low, middle, high, good):
    colour = GOOD if good else BAD
    yield _line(_x(left, low), y, _x(left, high), y,
                f'stroke="{colour}" stroke-width="3" stroke-opacity="0.45"')
    yield (f'<circle cx="{_x(left, middle):.1f}" cy="{y:.1f}" r="4" '
           f'fill="{colour}"/>')


def _column(left, title, rows, bottom):
    yield _text(left, TOP - 16, title, font_weight='bold')
    yield from _axis(left, bottom)
    for number, (_, low, middle, high, good) in enumerate(rows):
        yield from _row(left, TOP + ROW * (number + 0.5), low, middle, high,
                        good)


def ratios(columns):
    """The file's text.

    @columns are pairs of a title and rows: name, first quartile, median,
    third quartile of the ratio, and whether it is good enough.  All columns
    have the same names."""
    names = [row[0] for row in columns[0][1]]
    width = NAMES + len(columns) * (WIDTH + 30)
    bottom = TOP + ROW * len(names)
    parts = [_text(10, 20, 'usb-remote beside others: ratio, median and '
                   'quartiles; right of 1 usb-remote is better',
                   font_weight='bold', font_size=14)]
    parts += [_text(NAMES - 14, TOP + ROW * (number + 0.5) + 4, name,
                    text_anchor='end') for number, name in enumerate(names)]
    for number, (title, rows) in enumerate(columns):
        parts += _column(NAMES + number * (WIDTH + 30), title, rows, bottom)
    return '\n'.join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{bottom + BOTTOM}" font-family="sans-serif" '
        'font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>', *parts, '</svg>',
        ''])
