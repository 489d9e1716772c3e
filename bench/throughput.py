# SPDX-License-Identifier: GPL-2.0-or-later
"""Throughput: one Gadget Zero in C behind usb-remote and behind usb-redir."""

import os
import statistics
from dataclasses import dataclass, replace

import plot
from common import say
from duel import CPU, Duel
from samples import is_level, quartiles, ratios
from table import table, verdict

NAME = 'throughput'
OURS, THEIRS = DEVICES = ('usb-remote', 'usb-redir')
MIB = 1 << 20
SIZES = (512, 16 << 10, 64 << 10, MIB)
DEPTHS = (1, 4, 16)
DIRECTIONS = ('in', 'out')
# Pieces of each size that are copied from or to the drive in QEMU
COPIES = {512: 200, 16 << 10: 200, 64 << 10: 100, MIB: 32}

NOT = '''\
What these numbers do not mean:
- The guest's CPU is an emulated one (TCG). Most of the time is spent in it,
  so that absolute figures are those of a slow machine, and the ratios are
  nearer to 1 than with KVM, where the devices are more of the whole.
- Source and sink are as quick as can be: zeros that lie there, bytes that
  are forgotten. A real device does something.
- The usb-redir peer reads and writes in pieces as large as libusbremote
  does, which the parser of usbredir by itself does not. A peer of that
  protocol that redirects real hardware is slower.
- Pinned: QEMU, both peers and the program that measures have one CPU
  together, so that all work counts. Unpinned: what can be done at the same
  time on another CPU does not.
- Where things lie in memory differs from boot to boot, and favours one device
  or the other by some per cent until the next. So the runs are those of
  several boots, and the devices change places in every second one.
- A run has a new program in the guest. Its start is part of the CPU time,
  which is QEMU's, all threads, the emulated CPU included; nothing is taken
  off.
- The drive in QEMU (usb-storage on null-co) has no peer. It shows what
  guest, host controller and USB core cost alone, and not the same transfers:
  each piece is one SCSI command, with a transfer before and one after it, by
  the kernel's driver and O_DIRECT, one at a time. No ratio is made of it.
- Control: a vendor request that reads 8 bytes, one after the other.
- Interrupt: bInterval is 1 ms, so 1000 each second is the most there can be.
  usb-redir's peer sends packets at that pace unasked, into a buffer in QEMU.
- Interrupt OUT (*): usb-redir tells the guest that a packet was taken before
  its peer has seen it; usb-remote waits for the peer. Nothing is required.
- Memory is that of QEMU with the guest's 256 MiB, of which it uses a part
  that differs from boot to boot. Growth is from before the first transfer to
  after 16 of 1 MiB both ways. Less than some MiB say nothing, so none is
  required.'''


@dataclass(frozen=True)
class Plan:
    """How much is measured."""
    sizes: tuple = SIZES
    depths: tuple = DEPTHS
    boots: int = 6
    pairs: int = 3              # of samples in each boot
    runs: int = 1               # of bulk transfers that make one sample,
    unpinned_runs: int = 3      # and if the host chooses the CPUs
    seconds: float = 0.2        # of one run
    controls: int = 1000        # requests of one run
    p99_runs: int = 9           # that make one sample of it
    interrupt_seconds: float = 1.0005   # of one run


FULL = Plan()
QUICK = Plan(sizes=(512, 64 << 10), depths=(1, 16), boots=2, pairs=3,
             unpinned_runs=1, seconds=0.15, controls=300, p99_runs=1,
             interrupt_seconds=0.1005)


def shown_size(size):
    return f'{size // MIB} MiB' if size >= MIB else \
        f'{size >> 10} KiB' if size >= 1024 else f'{size} B'


def label(figure):
    return f'{figure["name"]}, {figure["unit"]}'


# Measuring


def middles(runs, size, value):
    """The value in the middle of each @size runs that followed each other."""
    return [statistics.median(map(value, runs[i:i + size]))
            for i in range(0, len(runs), size)]


def cell(name, unit, more_is_better, runs, value, size=1, required=True):
    """A figure of which the devices have one value for each sample, which is
    @size runs."""
    return {'figure': 'cell', 'name': name, 'unit': unit,
            'more_is_better': more_is_better, 'required': required,
            'samples': {device: middles(runs[device], size, value)
                        for device in DEVICES}}


def measured_run(duel, device, words):
    before = duel.cpu_seconds()
    run = duel.run(device, words)
    run['cpu_seconds'] = duel.cpu_seconds() - before
    return run


def take_turns(duel, words, turns):
    """The devices' runs of the client with @words, A B A B; one before."""
    runs = {device: [] for device in duel.devices}
    for number in range(turns + 1):
        for device in duel.devices:
            run = measured_run(duel, device, words)
            if number:
                runs[device].append(run)
    return runs


def bulk(duel, plan, direction, size, depth):
    runs = take_turns(duel, f'bench {direction} {size} {depth} '
                      f'{plan.seconds}', plan.pairs * plan.runs)
    name = f'bulk {direction} {shown_size(size)} x {depth}'
    yield cell(name, 'MiB/s', True, runs,
               lambda run: run['bytes'] / run['seconds'] / MIB, plan.runs)
    yield cell(name, 'CPU ms/MiB', False, runs,
               lambda run: 1000 * MIB * run['cpu_seconds'] / run['moved'],
               plan.runs)


def control(duel, plan):
    """A p99 depends on some ten requests of a run: one is not a sample."""
    runs = take_turns(duel, f'control-latency {plan.controls}',
                      plan.pairs * plan.p99_runs)
    yield cell('control p50', 'us', False, runs, lambda run: run['median'])
    yield cell('control p99', 'us', False, runs, lambda run: run['p99'],
               plan.p99_runs)


def interrupt(duel, plan, direction):
    """One packet each millisecond: the time is up between two of them, so
    that it is not decided by a jitter which of them is the last."""
    runs = take_turns(duel, f'interrupt-rate {direction} '
                      f'{plan.interrupt_seconds}', plan.pairs)
    name = f'interrupt {direction}' + ' (*)' * (direction == 'out')
    yield cell(name, '1/s', True, runs, lambda run: run['rate'],
               required=direction == 'in')


def drive(duel, plan):
    for direction in DIRECTIONS:
        for size in plan.sizes:
            duel.copy(direction, size, COPIES[size])
            rates = [duel.copy(direction, size, COPIES[size])
                     for _ in range(plan.pairs)]
            yield {'figure': 'drive', 'unit': 'MiB/s', 'samples': rates,
                   'name': f'drive {direction} {shown_size(size)} x 1'}


def every(duel, plan):
    """All figures of a running guest, with a word about each before."""
    for direction in DIRECTIONS:
        for size in plan.sizes:
            for depth in plan.depths:
                say(f'  bulk {direction} {shown_size(size)} x {depth}')
                yield from bulk(duel, plan, direction, size, depth)
    say('  control')
    yield from control(duel, plan)
    say('  drive')
    yield from drive(duel, plan)
    for direction in DIRECTIONS:
        say(f'  interrupt {direction}')
        yield from interrupt(duel, plan, direction)


def of_one_boot(program, plan, devices):
    everywhere = os.sched_getaffinity(0)
    with Duel(program.binary, devices) as duel:
        try:
            for pinned in (True, False):
                say('pinned to one CPU' if pinned else 'unpinned')
                duel.pin({CPU} if pinned else everywhere)
                runs = plan.runs if pinned else plan.unpinned_runs
                for figure in every(duel, replace(plan, runs=runs)):
                    yield {**figure, 'pinned': pinned}
        finally:
            os.sched_setaffinity(0, everywhere)


def joined(figures):
    """One figure for each name, with the samples of all that have it."""
    found = {}
    for figure in figures:
        key = figure['pinned'], figure['name'], figure['unit']
        if key not in found:
            found[key] = figure
        elif figure['figure'] == 'drive':
            found[key]['samples'] += figure['samples']
        else:
            for device, samples in figure['samples'].items():
                found[key]['samples'][device] += samples
    return list(found.values())


def side_by_side(program, plan):
    """The figures of all boots, in every second of which devices change
    places: on the bus, and in whose turn is first."""
    for boot in range(plan.boots):
        say(f'boot {boot + 1} of {plan.boots}')
        yield from of_one_boot(program, plan,
                               DEVICES[::-1] if boot % 2 else DEVICES)


def memory(program, plan, device):
    """QEMU's memory with @device alone."""
    say(f'  memory, {device}')
    with Duel(program.binary, (device,)) as duel:
        before = duel.resident()
        for direction in DIRECTIONS:
            duel.run(device, f'bench {direction} {MIB} {max(DEPTHS)} '
                     f'{plan.seconds}')
        return {'figure': 'memory', 'name': device, 'before': before,
                'after': duel.resident()}


def measure(program):
    plan = QUICK if program.quick else FULL
    return [*joined(side_by_side(program, plan)),
            *(memory(program, plan, device) for device in DEVICES)]


# Judging


def pairs_of(figure):
    ours, theirs = (figure['samples'][device] for device in DEVICES)
    return ratios(ours, theirs, figure['more_is_better'])


def is_met(figure):
    """Is what is required of this figure so?"""
    return figure['figure'] != 'cell' or not figure['required'] or \
        is_level(pairs_of(figure))


# Telling


def cell_row(figure):
    low, middle, high = quartiles(pairs_of(figure))
    medians = (statistics.median(figure['samples'][device])
               for device in DEVICES)
    return [label(figure), *(f'{median:.4g}' for median in medians),
            f'{middle:.3f}', f'{low:.3f}-{high:.3f}',
            verdict(is_met(figure), 'level') if figure['required'] else '']


def drive_row(figure):
    low, middle, high = quartiles(figure['samples'])
    return [label(figure), f'{middle:.4g}', f'{low:.4g}-{high:.4g}']


def memory_row(figure):
    return [figure['name'], f'{figure["after"] / MIB:.0f}',
            f'{(figure["after"] - figure["before"]) / MIB:.1f}']


def chosen(figures, kind, **wanted):
    return [figure for figure in figures if figure['figure'] == kind and
            all(figure[key] == value for key, value in wanted.items())]


def report(figures):
    """Lines for a person."""
    for pinned in (True, False):
        title = f'{"Pinned to one CPU" if pinned else "Unpinned"}: '
        yield (title + 'medians; ratios sample by sample to usb-redir, 1.2 '
               'is 20 % better')
        yield from table(['', *DEVICES, 'ratio', 'quartiles', ''], map(
            cell_row, chosen(figures, 'cell', pinned=pinned)))
        yield ''
        yield title + 'a drive in QEMU'
        yield from table(['', 'median', 'quartiles'], map(
            drive_row, chosen(figures, 'drive', pinned=pinned)))
        yield ''
    yield "QEMU's resident memory with one device"
    yield from table(['', 'MiB', 'growth MiB'],
                     map(memory_row, chosen(figures, 'memory')))
    yield ''
    yield NOT


def picture(figures):
    """An SVG file: the ratio of each cell, with its quartiles."""
    return plot.ratios([
        (title, [(label(figure), *quartiles(pairs_of(figure)),
                  is_met(figure))
                 for figure in chosen(figures, 'cell', pinned=pinned)])
        for title, pinned in (('pinned to one CPU', True),
                              ('unpinned', False))])
