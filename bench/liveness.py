# SPDX-License-Identifier: GPL-2.0-or-later
"""Liveness: what a peer that hangs, and a guest that cancels, do to QEMU."""

import statistics

from samples import percentile
from table import table, verdict

NAME = 'liveness'
DEVICES = ('usb-remote', 'usb-redir')
# What usb-remote has to keep; usb-redir stands beside it for comparison.
WORST_MS = 50
GROWTH_MIB = 4
MIB = 1 << 20

NOT = '''\
What these numbers do not mean:
- The guest is a program that writes xHCI's registers; no vCPU runs and none
  waits for QEMU's main loop.  A real guest is slower, and is interrupted.
- The clock of the guest stands still, so that a limit in its time is not
  reached.  usb-remote disconnects a peer that leaves a CANCEL unanswered for
  10 s; here it has to bear it for as long as the guest goes on.
- The time of query-status includes the way there and back through a socket
  and the test's reading of JSON.  When other programs want the CPUs, it is
  they that are measured: repeat a bad value on an idle machine.
- "worst" is the worst of these samples and no promise about the next one.
- Resident memory counts what the C library keeps for later.  A growth below
  about 1 MiB says nothing, in either direction.
- usb-redir's peer here swallows bulk packets and answers cancels, no more.  A
  peer that hangs is not what usb-redir was made for.'''


def measure(program):
    """The devices take turns, figure by figure."""
    return [program.run(f'{case}/{device}')
            for case in ('liveness', 'memory-answered', 'memory-stopped')
            for device in DEVICES]


def required(figure):
    return figure['device'] == 'usb-remote'


def growth(figure):
    return figure['after'] - figure['before']


def is_met(figure):
    """Is what is required of this figure's device so?"""
    if not required(figure):
        return True
    if figure['figure'] == 'liveness':
        return max(figure['samples_us']) <= WORST_MS * 1000
    return growth(figure) <= GROWTH_MIB * MIB


def verdict_of(figure):
    if not required(figure):
        return ''
    requirement = f'worst at most {WORST_MS} ms' \
        if figure['figure'] == 'liveness' \
        else f'growth at most {GROWTH_MIB} MiB'
    return verdict(is_met(figure), requirement)


def latency_row(figure):
    samples = figure['samples_us']
    times = (statistics.median(samples), percentile(samples, 99),
             max(samples))
    return [figure['device'], len(samples),
            *[f'{time / 1000:.2f}' for time in times],
            f'{figure["rounds"]}{" (full)" if figure["full"] else ""}',
            f'{growth(figure) / MIB:.1f}', verdict_of(figure)]


def memory_row(figure, asked):
    rounds = figure['rounds']
    return [f'{figure["device"]}, peer {figure["peer"]}',
            f'{rounds}{" (ended)" if rounds < asked else ""}',
            f'{figure["seconds"]:.1f}', f'{figure["before"] / MIB:.1f}',
            f'{growth(figure) / MIB:.2f}', f'{growth(figure) / rounds:.1f}',
            verdict_of(figure)]


def report(figures):
    """Lines for a person."""
    latencies = [each for each in figures if each['figure'] == 'liveness']
    memories = [each for each in figures if each['figure'] == 'memory']
    asked = max(each['rounds'] for each in memories)
    yield ('QMP query-status while the peer is stopped and the guest submits '
           'and cancels')
    yield from table(['', 'samples', 'median ms', 'p99 ms', 'worst ms',
                      'rounds', 'growth MiB', ''],
                     map(latency_row, latencies))
    yield ''
    yield "QEMU's resident memory over rounds of submit and cancel"
    yield from table(['', 'rounds', 's', 'before MiB', 'growth MiB',
                      'bytes/round', ''],
                     [memory_row(each, asked) for each in memories])
    yield ('(full), (ended): given up early, when QEMU had grown by 1 GiB or '
           'after 60 s')
    yield ''
    yield NOT
