# SPDX-License-Identifier: GPL-2.0-or-later
"""A pointer's path as text and as a PNG file."""

import struct
import zlib

PAPER, INK = (255, 255, 255), (24, 72, 160)


def text(places, columns=58):
    """Draw the path with one character for each place in a grid of lines."""
    rows = columns // 2 + 1         # a character is twice as high as wide
    spots = {(round(x * (columns - 1)), round(y * (rows - 1)))
             for x, y in _unit(places)}
    lines = ("".join("*" if (column, row) in spots else " "
                     for column in range(columns)) for row in range(rows))
    return "\n".join(line.rstrip() for line in lines)


def png(places, size=480, margin=24, pen=2):
    """Draw the path on a square and return the file's bytes."""
    inner = size - 2 * margin
    pixels = [bytearray(bytes(PAPER) * size) for _ in range(size)]
    dots = [(margin + x * inner, margin + y * inner)
            for x, y in _unit(places)]
    for start, end in zip(dots, dots[1:]):
        for x, y in _between(start, end):
            _blot(pixels, round(x), round(y), pen)
    return _png_file(size, size, b"".join(b"\0" + row for row in pixels))


def _unit(places):
    """The places shifted and scaled into the square from (0, 0) to (1, 1)."""
    left = min(x for x, _ in places)
    top = min(y for _, y in places)
    extent = max(max(x for x, _ in places) - left,
                 max(y for _, y in places) - top) or 1
    return [((x - left) / extent, (y - top) / extent) for x, y in places]


def _between(start, end):
    """Points on the line from start to end, at most a pixel apart."""
    steps = int(max(abs(end[0] - start[0]), abs(end[1] - start[1]))) + 1
    return [(start[0] + (end[0] - start[0]) * i / steps,
             start[1] + (end[1] - start[1]) * i / steps)
            for i in range(steps + 1)]


def _blot(pixels, x, y, pen):
    for row in range(y - pen, y + pen + 1):
        for column in range(x - pen, x + pen + 1):
            if (row - y) ** 2 + (column - x) ** 2 <= pen * pen:
                pixels[row][3 * column:3 * column + 3] = bytes(INK)


def _png_file(width, height, rows):
    """Wrap RGB rows, each behind its filter byte 0, as a PNG."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) +
            _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b""))


def _chunk(kind, data):
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)
