# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's trace events, for what cannot be seen from either end."""

from contextlib import contextmanager


@contextmanager
def recorded(lab, *events):
    """Trace @events (names, with *) and give a function for their lines."""
    start = _size(lab.trace_log)
    for event in events:
        _enable(lab.vm, event, True)
    try:
        yield lambda: _lines(lab.trace_log, start, events)
    finally:
        for event in events:
            _enable(lab.vm, event, False)


def _enable(vm, event, on):
    vm.qmp.command("trace-event-set-state", name=event, enable=on)


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _lines(path, start, events):
    """The lines that were logged from @start on."""
    if not path.exists():
        return []
    prefixes = tuple(event.rstrip("*") for event in events)
    text = path.read_bytes()[start:].decode(errors="replace")
    return [line for line in text.splitlines()
            if any(prefix in line for prefix in prefixes)]
