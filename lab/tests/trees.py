# SPDX-License-Identifier: GPL-2.0-or-later
"""
Descriptor trees for hypothesis: devices of all classes that lsusb knows.

Only what lsusb prints without loss: where it is known to leave bytes out,
there are no bytes to be left out.
"""

import struct

from hypothesis import strategies as st

BYTE = st.integers(0, 255)
WORD = st.integers(0, 0xffff)
LONG = st.integers(0, 0xffffffff)


def descriptor(kind, *parts):
    body = b"".join(parts)
    return bytes((len(body) + 2, kind)) + body


def packed(form, *values):
    return st.builds(lambda *args: struct.pack("<" + form, *args), *values)


def class_specific(subtype, body, kind=0x24):
    return body.map(lambda data: descriptor(kind, bytes((subtype,)), data))


def some(size, most=8):
    """A count and as many elements of this size."""
    return st.integers(0, most).flatmap(
        lambda n: st.binary(min_size=n * size, max_size=n * size).map(
            lambda data: bytes((n,)) + data))


def joined(*strategies):
    return st.tuples(*strategies).map(b"".join)


def chain(*choices, most=4):
    return st.lists(st.one_of(*choices), max_size=most).map(b"".join)


def fixed(size):
    return st.binary(min_size=size, max_size=size)


# version 4 of RFC 4122, in the order in which USB has the bytes
GUID = fixed(16).map(lambda data: data[:7] + bytes((data[7] & 15 | 0x40,
                                                    data[8] & 63 | 0x80))
                     + data[9:])

# classes: descriptors between an interface and its endpoints

VENDOR = chain(st.builds(descriptor, st.integers(0x40, 0xff),
                         st.binary(max_size=20)))
HID = packed("HBBBH", WORD, BYTE, st.just(1), st.just(0x22),
             st.integers(1, 300)).map(lambda data: descriptor(0x21, data))
CDC = chain(
    class_specific(0x00, fixed(2)), class_specific(0x01, fixed(2)),
    class_specific(0x02, fixed(1)),
    class_specific(0x06, st.binary(min_size=2, max_size=4)),
    class_specific(0x0f, fixed(10)), class_specific(0x11, fixed(2)),
    class_specific(0x12, joined(fixed(2), GUID)),
    class_specific(0x13, st.binary(min_size=2, max_size=9)),
    class_specific(0x14, fixed(4)), class_specific(0x15, fixed(2)),
    class_specific(0x1a, fixed(3)), class_specific(0x1b, fixed(9)),
    class_specific(0x1c, fixed(5)), class_specific(0x0a, fixed(4)),
    # with a wrong length, and of no known kind
    class_specific(0x02, fixed(5)), class_specific(0x42, fixed(3)))
AUDIO_1 = chain(
    class_specific(0x01, joined(fixed(4), some(1))),
    class_specific(0x02, fixed(9)), class_specific(0x03, fixed(6)),
    class_specific(0x05, joined(fixed(1), some(1), fixed(1))),
    class_specific(0x06, st.builds(
        lambda head, size, controls, index: head + bytes((size,))
        + controls[:len(controls) // size * size] + index,
        fixed(2), st.integers(1, 3), st.binary(min_size=3, max_size=12),
        fixed(1))),
    class_specific(0x08, joined(fixed(3), some(1), fixed(4), some(1),
                                fixed(1))),
    class_specific(0x07, joined(
        fixed(1), packed("H", st.integers(3, 6)), some(1), fixed(4), some(1),
        fixed(1))),
    class_specific(0x04, st.builds(
        lambda unit, sources, channels, controls, mixer: unit + sources
        + bytes((channels,)) + controls[:3]
        + controls[3:4 + (max(sources[0] * channels, 1) - 1) // 8] + mixer,
        fixed(1), some(1, 4).filter(lambda data: data[0]),
        st.integers(1, 6), fixed(12), fixed(1))),
    class_specific(0x20, st.binary(max_size=5)))
STREAM_1 = chain(
    class_specific(0x01, fixed(4)),
    class_specific(0x02, joined(st.just(b"\x01"), fixed(3), st.integers(
        1, 5).flatmap(lambda n: fixed(3 * n).map(
            lambda data: bytes((n,)) + data)))),
    class_specific(0x02, joined(st.just(b"\x01"), fixed(3), st.just(b"\0"),
                                fixed(6))),
    class_specific(0x02, joined(st.just(b"\x02"), fixed(4), st.just(b"\0"),
                                fixed(6))))
AUDIO_2 = chain(
    class_specific(0x01, fixed(6)), class_specific(0x02, fixed(14)),
    class_specific(0x03, fixed(9)),
    class_specific(0x05, joined(fixed(1), some(1), fixed(2))),
    class_specific(0x06, st.integers(1, 4).flatmap(
        lambda n: fixed(2 + 4 * n + 1))),
    class_specific(0x0a, fixed(5)),
    class_specific(0x0b, joined(fixed(1), some(1), fixed(2))),
    class_specific(0x0c, fixed(4)))
STREAM_2 = chain(class_specific(0x01, fixed(13)),
                 class_specific(0x02, joined(st.just(b"\x01"), fixed(2))))
MIDI = chain(
    class_specific(0x01, fixed(4)), class_specific(0x02, fixed(3)),
    class_specific(0x03, joined(fixed(2), some(2, 3), fixed(1))),
    class_specific(0x04, joined(fixed(1), some(2, 3), fixed(3), some(1, 4),
                                fixed(1))))
VIDEO = chain(
    class_specific(0x01, joined(fixed(8), some(1))),
    class_specific(0x02, st.builds(
        lambda head, size, controls: head[:1] + b"\x01\x02" + head[1:9]
        + bytes((size,)) + controls[:size],
        fixed(9), st.integers(0, 3), fixed(3))),
    class_specific(0x03, fixed(6)),
    class_specific(0x04, joined(fixed(1), some(1), fixed(1))),
    class_specific(0x05, st.builds(
        lambda head, size, controls, tail: head + bytes((size,))
        + controls[:size] + tail,
        fixed(4), st.integers(0, 3), fixed(3), fixed(2))),
    class_specific(0x06, joined(fixed(1), GUID, fixed(1), some(1, 3),
                                some(1, 4), fixed(1))))
VIDEO_STREAM = chain(
    class_specific(0x01, st.builds(
        lambda n, head, size, controls: bytes((n,)) + head + bytes((size,))
        + controls[:n * size],
        st.integers(0, 4), fixed(8), st.integers(1, 1), fixed(4))),
    class_specific(0x04, joined(fixed(2), GUID, fixed(6))),
    class_specific(0x06, fixed(8)),
    class_specific(0x0d, fixed(3)), class_specific(0x0a, fixed(4)),
    class_specific(0x10, joined(fixed(2), GUID, fixed(7))),
    class_specific(0x05, joined(fixed(22), some(4, 4).filter(
        lambda data: data[0]))),
    class_specific(0x07, joined(fixed(22), st.just(b"\0"), fixed(12))),
    class_specific(0x03, joined(fixed(1), some(4, 2), some(1, 2))))
DFU = fixed(7).map(lambda data: descriptor(0x21, data))
CCID = st.builds(lambda data: descriptor(
    0x21, data[:46] + b"\xff\xff" + data[48:]), fixed(52))

CLASSES = (
    (0xff, 0, 0, VENDOR), (3, 0, 0, HID), (3, 1, 1, HID), (2, 2, 1, CDC),
    (1, 1, 0, AUDIO_1), (1, 2, 0, STREAM_1), (1, 1, 0x20, AUDIO_2),
    (1, 2, 0x20, STREAM_2), (1, 3, 0, MIDI), (14, 1, 0, VIDEO),
    (14, 2, 0, VIDEO_STREAM), (0xfe, 1, 1, DFU), (11, 0, 0, CCID),
    (8, 6, 0x50, st.just(b"")), (7, 1, 2, st.just(b"")),
)


@st.composite
def companions(draw, attributes, packet):
    """USB 3.2 table 9-28, with the wBytesPerInterval that lsusb hides."""
    burst, more, size = draw(st.integers(0, 15)), 0, 0
    if attributes & 3 == 2:
        more = draw(st.integers(0, 16))
    elif attributes & 3 == 1:
        more = draw(st.integers(0, 2))
    if attributes & 1:
        mult = more if attributes & 3 == 1 else 0
        size = packet * (burst + 1) * (mult + 1) & 0xffff
    return descriptor(0x30, struct.pack("<BBH", burst, more, size))


@st.composite
def endpoints(draw, kind, fast):
    """One endpoint with what belongs to it."""
    address = draw(st.integers(1, 15)) | draw(st.sampled_from((0, 0x80)))
    head = struct.pack("<BBHB", address, draw(st.integers(0, 63)),
                       draw(st.integers(0, 0x1fff)), draw(BYTE))
    if kind[0] == 1:
        data = descriptor(5, head, draw(fixed(2)))
        if kind[1] == 2:
            size = 4 if kind[2] == 0 else 5
            data += draw(class_specific(1, fixed(size), 0x25))
        elif kind[1] == 3:
            data += draw(class_specific(1, some(1, 4), 0x25))
        return data
    data = descriptor(5, head)
    if fast:
        data += draw(companions(head[1], head[2] | head[3] << 8))
    if kind[:2] == (14, 1) and head[1] & 3 == 3:
        # not printed up to version 014: each has one then, of this size
        data += descriptor(0x25, b"\x03", struct.pack(
            "<H", (head[2] | head[3] << 8) & 0x7ff))
    if kind[0] == 8:
        data += bytes((4, 0x24, draw(st.integers(1, 4)), 0))
    return data


@st.composite
def interfaces(draw, number, fast):
    *kind, extra = draw(st.sampled_from(CLASSES))
    data = b""
    for alternate in range(draw(st.integers(1, 2))):
        pipes = draw(st.lists(endpoints(tuple(kind), fast), max_size=3))
        data += descriptor(4, bytes((number, alternate, len(pipes), *kind,
                                     draw(BYTE)))) + draw(extra)
        data += b"".join(pipes)
    return data


@st.composite
def configurations(draw, fast):
    count = draw(st.integers(1, 4))
    body = b"".join(draw(interfaces(number, fast)) for number in range(count))
    if draw(st.booleans()):
        body = descriptor(11, draw(fixed(6))) + body
    head = struct.pack("<HBBBBB", len(body) + 9, count, draw(BYTE),
                       draw(BYTE), 0x80 | draw(BYTE), draw(BYTE))
    return descriptor(2, head) + body


@st.composite
def devices(draw):
    """Device descriptor and configurations, as sysfs has them."""
    version = draw(st.sampled_from((0x110, 0x200, 0x210, 0x300, 0x320)))
    parts = draw(st.lists(configurations(version >= 0x300), min_size=1,
                          max_size=2))
    head = struct.pack("<HBBBB", version, draw(BYTE), draw(BYTE), draw(BYTE), draw(BYTE))
    return descriptor(1, head, draw(fixed(9)), bytes((len(parts),))) \
        + b"".join(parts)
