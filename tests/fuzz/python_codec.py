# Invariant: only documented exceptions; whole or split gives the same events.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutated messages for the Python codec and the session.

Beginning with the golden vectors, messages are changed, put together and cut
into pieces.  What is decoded can be encoded, and is then the same; what the
codec says of each message is what the C codec says (--verdict PROGRAM)."""

import argparse
import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
# --package comes before the package can be imported, and that before the rest
PACKAGE = sys.argv[sys.argv.index('--package') + 1] \
    if '--package' in sys.argv else str(ROOT / 'python')
sys.path[:0] = [PACKAGE]

# pylint: disable=wrong-import-position
from usbremote import codec
from usbremote.codec import PEER, QEMU, Decoder, Preamble
from usbremote.errors import LocalError, ProtocolViolation, UsbRemoteError
from usbremote.session import (Closed, Greeted, PeerSession, State,
                               Submitted)

BATCH = 200             # inputs between two looks at the clock
REPORT = 10.0           # seconds
LONGEST = 20000         # bytes of an input
SENDERS = (QEMU, PEER)  # as the C codec counts them, less one
MORE, SKIP = -1, -2     # as in codec-judge.h


class Found(Exception):
    """The invariant does not hold."""


def seeds():
    """The vectors: (sender, bytes)."""
    text = (ROOT / 'tests/vectors/messages.txt').read_text()
    rows = [line.split(' | ') for line in text.splitlines()
            if line and not line.startswith('#')]
    return [({'qemu': QEMU, 'peer': PEER}[row[1]], bytes.fromhex(row[2]))
            for row in rows]


def edit(rand, data):
    """One change somewhere."""
    at = rand.randrange(len(data) + 1)
    kind = rand.randrange(6)
    if kind == 0 and at < len(data):
        data[at] = rand.randrange(256)
    elif kind == 1 and at < len(data):
        data[at] ^= 1 << rand.randrange(8)
    elif kind == 2:
        del data[at:at + rand.choice((1, 2, 8, 24, len(data)))]
    elif kind == 3:
        data[at:at] = rand.randbytes(rand.choice((1, 4, 24)))
    elif kind == 4 and at + 4 <= len(data):
        data[at:at + 4] = rand.choice((0, 1, 0xff, 0xffff, 1 << 20, 1 << 31,
                                       0xffffffff)).to_bytes(4, 'little')
    elif kind == 5:
        data[at:at] = data[at:at + rand.choice((8, 24, 100))]


def make(rand, corpus):
    """An input: who sends it, and the bytes after the preamble."""
    sender, first = rand.choice(corpus)
    data = bytearray(first)
    for _ in range(rand.randrange(4)):
        data += rand.choice(corpus)[1]
    for _ in range(rand.randrange(5)):
        edit(rand, data)
    return sender, bytes(data[:LONGEST])


def pieces(rand, data):
    """The same bytes in pieces of any size."""
    at = 0
    while at < len(data):
        size = rand.choice((1, 1, 2, 7, 24, 1000))
        yield data[at:at + size]
        at += size


# the codec

def decoded(sender, parts):
    """What comes out: messages, and at last the error's code if any."""
    decoder = Decoder(sender)
    decoder.feed(Preamble().encode())
    decoder.next()
    found = []
    try:
        for part in parts:
            decoder.feed(part)
            found += iter(decoder.next, None)
    except ProtocolViolation as err:
        found.append((err.code, err.type, err.id))
    return found, decoder.skipped


def encoded_again(sender, message):
    """Texts may lose something once: they need not be UTF-8 on the wire."""
    try:
        data = message.encode()
        again, _ = decoded(sender, [data])
        same = again == [message] or (
            hasattr(message, 'text') and again[0].encode() == data)
    except LocalError as err:
        raise Found(f'{message!r} was decoded and cannot be encoded: {err}') \
            from err
    if not same:
        raise Found(f'{message!r} became {again!r}')


def check_codec(rand, sender, data):
    whole = decoded(sender, [data])
    split = decoded(sender, pieces(rand, data))
    if whole != split:
        raise Found(f'whole: {whole!r}\nsplit: {split!r}')
    for message in whole[0]:
        if isinstance(message, codec.Message):
            encoded_again(sender, message)


# the session

def act(session, event):
    """What a peer does: accept, attach, answer every second request."""
    if isinstance(event, Greeted):
        session.accept()
        session.attach(0x0f)
    elif isinstance(event, Submitted) and event.request.submit.id % 2:
        submit = event.request.submit
        session.complete(event.request,
                         data=bytes(submit.length) if submit.is_in() else b'')


def shown(event):
    """What must be the same; a text may show more of what has arrived."""
    if isinstance(event, Closed):
        error = event.error
        return type(error).__name__, getattr(error, 'code', None), event.bye
    return repr(event)


def events(parts, greet):
    session = PeerSession()
    found = []
    start = [Preamble().encode(), codec.Hello().encode()] if greet else []
    for part in [*start, *parts]:
        session.feed(part)
        for event in iter(session.next_event, None):
            found.append(shown(event))
            if session.state is not State.CLOSED:
                act(session, event)
    session.feed_eof()
    found += [shown(event) for event in iter(session.next_event, None)]
    return found, session.data_to_send()


def check_session(rand, data):
    greet = rand.random() < 0.9
    whole = events([data], greet)
    split = events(pieces(rand, data), greet)
    if whole != split:
        raise Found(f'whole: {whole!r}\nsplit: {split!r}')


# the C codec

def verdict(sender, data):
    """The codes of the messages, as the C program prints them."""
    decoder = Decoder(sender)
    decoder.feed(Preamble().encode() + data)
    decoder.next()
    codes = []
    try:
        while True:
            message = decoder.next()
            codes += [SKIP] * decoder.skipped
            decoder.skipped = 0
            if message is None:
                return [*codes, MORE]
            codes.append(0)
    except ProtocolViolation as err:
        return [*codes, *[SKIP] * decoder.skipped, int(err.code)]


def check_verdicts(program, inputs):
    """Both codecs say the same of each input."""
    records = b''.join(
        bytes([SENDERS.index(sender) + 1]) + len(data).to_bytes(4, 'little')
        + data for sender, data in inputs)
    run = subprocess.run([program], input=records, stdout=subprocess.PIPE,
                         check=True)
    lines = run.stdout.decode().splitlines()
    for (sender, data), line in zip(inputs, lines):
        ours, theirs = verdict(sender, data), [int(x) for x in line.split()]
        if ours != theirs:
            raise Found(f'{sender}: {data.hex()}: Python says {ours}, '
                        f'C says {theirs}')


# running

def check(rand, sender, data):
    try:
        check_codec(rand, sender, data)
        check_session(rand, data)
    except Found:
        raise
    except UsbRemoteError as err:
        raise Found(f'{type(err).__name__} came out: {err}') from err


def replay(path, program):
    """The file that a failure left: the sender's name, and the bytes."""
    sender, data = path.read_text().split()
    check(random.Random(0), sender, bytes.fromhex(data))
    if program:
        check_verdicts(program, [(sender, bytes.fromhex(data))])


def fuzz(options):
    rand, corpus = random.Random(options.seed), seeds()
    started = said = time.monotonic()
    count = 0
    while time.monotonic() < started + options.seconds:
        inputs = [make(rand, corpus) for _ in range(BATCH)]
        for sender, data in inputs:
            options.save.write_text(f'{sender} {data.hex()}\n')
            check(rand, sender, data)
        if options.verdict:
            check_verdicts(options.verdict, inputs)
        count += BATCH
        if time.monotonic() >= said + REPORT:
            said = time.monotonic()
            print(f'{count} executions', flush=True)
    print(f'{count} executions', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=5)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--package', help='folder with usbremote in it')
    parser.add_argument('--verdict', help='program of tests/fuzz/verdict.c')
    parser.add_argument('--save', type=Path, default=Path('/dev/null'),
                        help='where each input is written before it is used')
    parser.add_argument('input', nargs='?', type=Path,
                        help='such a file, to be used alone')
    options = parser.parse_args()
    if options.input:
        replay(options.input, options.verdict)
    else:
        fuzz(options)


if __name__ == '__main__':
    main()
