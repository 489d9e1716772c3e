# SPDX-License-Identifier: GPL-2.0-or-later
"""Throughput: one Gadget Zero in C behind usb-remote and behind others."""

import os
import statistics
from dataclasses import dataclass, replace

import plot
from common import say
from duel import CPU, Duel
from samples import is_level, is_not_slower, quartiles, ratios
from table import table, verdict

NAME = 'throughput'
OURS = 'usb-remote'
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
- Pinned: all QEMUs, all peers and the program that measures have one CPU
  together, so that all work counts. Unpinned: what can be done at the same
  time on another CPU does not.
- What is compared with stock QEMU or with another commit runs in a QEMU and a
  guest of its own, which has nothing to do while another has its turn, but is
  there: its timers cost both the same.
- The other commit's QEMU and libusbremote are measured as one: its peer is
  linked with its library.
- Where things lie in memory differs from boot to boot, and favours one side
  or the other by some per cent until the next. So the runs are those of
  several boots, and the sides change places in every second one.
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
class Rival:
    """What usb-remote is compared with, sample by sample."""
    title: str
    judge: object = None    # whether ratios are good enough, if that matters
    requirement: str = ''

    def applies(self, figure):
        """Is something required of usb-remote in this figure?"""
        return self.judge is is_not_slower or \
            (self.judge is is_level and figure['required'])


RIVALS = {
    'usb-redir': Rival('usb-redir in stock QEMU', is_level, 'level'),
    'usb-redir here': Rival('usb-redir in this QEMU, whose sockets are read '
                            'in larger pieces'),
    'usb-remote before': Rival('usb-remote of the other commit',
                               is_not_slower, 'not slower'),
}


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
    """A figure of which each side has one value for each sample, which is
    @size runs."""
    return {'figure': 'cell', 'name': name, 'unit': unit,
            'more_is_better': more_is_better, 'required': required,
            'samples': {name: middles(of_name, size, value)
                        for name, of_name in runs.items()}}


def measured_run(machine, name, words):
    before = machine.cpu_seconds()
    run = machine.run(name, words)
    run['cpu_seconds'] = machine.cpu_seconds() - before
    return run


def take_turns(duel, words, turns):
    """The sides' runs of the client with @words, A B A B; one before."""
    runs = {name: [] for name in duel.names}
    for number in range(turns + 1):
        for name in duel.names:
            run = measured_run(duel.of(name), name, words)
            if number:
                runs[name].append(run)
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


def drive(machine, plan):
    for direction in DIRECTIONS:
        for size in plan.sizes:
            machine.copy(direction, size, COPIES[size])
            rates = [machine.copy(direction, size, COPIES[size])
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
    yield from drive(duel.of(OURS), plan)
    for direction in DIRECTIONS:
        say(f'  interrupt {direction}')
        yield from interrupt(duel, plan, direction)


def of_one_boot(sides, plan):
    everywhere = os.sched_getaffinity(0)
    with Duel(sides) as duel:
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
            for name, samples in figure['samples'].items():
                found[key]['samples'][name] += samples
    return list(found.values())


def side_by_side(program, plan):
    """The figures of all boots, in every second of which the sides change
    places: on the bus, and in whose turn is first."""
    for boot in range(plan.boots):
        say(f'boot {boot + 1} of {plan.boots}')
        yield from of_one_boot(
            program.sides[::-1] if boot % 2 else program.sides, plan)


def memory(side, plan):
    """QEMU's memory with one side alone."""
    say(f'  memory, {side.name}')
    with Duel([side]) as duel:
        machine = duel.of(side.name)
        before = machine.resident()
        for direction in DIRECTIONS:
            machine.run(side.name, f'bench {direction} {MIB} {max(DEPTHS)} '
                        f'{plan.seconds}')
        return {'figure': 'memory', 'name': side.name, 'before': before,
                'after': machine.resident()}


def measure(program):
    plan = QUICK if program.quick else FULL
    return [*joined(side_by_side(program, plan)),
            *(memory(side, plan) for side in program.sides)]


# Judging


def rivals(figures):
    """Those that took part."""
    names = {name for figure in figures if figure['figure'] == 'cell'
             for name in figure['samples']}
    return [name for name in RIVALS if name in names]


def pairs_of(figure, rival):
    ours, theirs = (figure['samples'][name] for name in (OURS, rival))
    return ratios(ours, theirs, figure['more_is_better'])


def is_met_beside(figure, name):
    """Is what is required of this cell, beside one rival, so?"""
    rival = RIVALS[name]
    return not rival.applies(figure) or rival.judge(pairs_of(figure, name))


def is_met(figure):
    """Is what is required of this figure so?"""
    return all(is_met_beside(figure, name) for name in rivals([figure]))


# Telling


def cell_row(figure, name):
    low, middle, high = quartiles(pairs_of(figure, name))
    medians = (statistics.median(figure['samples'][side])
               for side in (OURS, name))
    said = verdict(is_met_beside(figure, name), RIVALS[name].requirement) \
        if RIVALS[name].applies(figure) else ''
    return [label(figure), *(f'{median:.4g}' for median in medians),
            f'{middle:.3f}', f'{low:.3f}-{high:.3f}', said]


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
        cells = chosen(figures, 'cell', pinned=pinned)
        for name in rivals(cells):
            yield (title + 'medians; ratios sample by sample to '
                   f'{RIVALS[name].title}, 1.2 is 20 % better')
            yield from table(['', OURS, name, 'ratio', 'quartiles', ''],
                             [cell_row(cell, name) for cell in cells])
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
        (f'{RIVALS[name].title}, {"" if pinned else "un"}pinned',
         [(label(figure), *quartiles(pairs_of(figure, name)),
           is_met_beside(figure, name))
          for figure in chosen(figures, 'cell', pinned=pinned)])
        for name in rivals(figures) if RIVALS[name].judge
        for pinned in (True, False)])
