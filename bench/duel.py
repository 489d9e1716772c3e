# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests with the devices that are compared, each served by its peer."""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from common import BUILD, LOGS, ROOT, Failure

sys.path.insert(1, str(ROOT / 'tests' / 'guest'))

# pylint: disable=wrong-import-position
from guestlab import guest
from usblab.guest.vm import Vm
from usblab.guest.waiting import wait_until

PEERS = {'usb-remote': 'remote', 'usb-redir': 'redir'}
SOURCE = ROOT / 'bench' / 'peer'
# in QEMU itself, no peer: a drive that reads as zeros and forgets writes
DRIVE = ['-drive', 'if=none,id=null,driver=null-co,size=1G,read-zeroes=on',
         '-device', 'usb-storage,drive=null,bus=xhci.0']
VENDOR = '0525'     # of Gadget Zero, as bench/peer/zero.c has it
CPU = 0             # where everything runs when it is pinned
SERVED = ('cd /sys/bus/usb/devices; for d in *; do '
          f'[ "$(cat $d/idVendor 2>/dev/null)" = {VENDOR} ] && '
          '[ -d $d:*.0 ] && echo $d $(cat $d/busnum $d/devnum $d/speed); '
          'done; true')
# The drive is there, and takes a megabyte at a time
DRIVE_READY = ('load usb_storage; load sd_mod; until [ -b /dev/sda ] && '
               '[ -f /sys/block/sda/queue/max_sectors_kb ]; do '
               'usleep 10000; done; '
               'cd /sys/block/sda; '
               'echo 2048 > device/max_sectors; '
               'echo 1024 > queue/max_sectors_kb')
RUN_SECONDS = 60    # for one run, whatever it is


@dataclass(frozen=True)
class Side:
    """What takes part: a device of some QEMU, and the peer behind it."""
    name: str
    device: str         # of PEERS
    binary: Path        # QEMU
    peers: Path = BUILD / 'bench' / 'peer'      # where its program is


def build_peers(source=SOURCE, folder=Side.peers):
    """Compile a bench/peer into a folder."""
    done = subprocess.run(
        ['make', '-s', '-C', str(source), f'BUILD={folder}'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    if done.returncode:
        raise Failure(f'cannot compile {source}:\n{done.stdout}')


class Duel:
    """All sides, those of one QEMU in one guest.  Use with `with`."""

    def __init__(self, sides):
        self.names = [side.name for side in sides]
        groups = {}
        for side in sides:
            groups.setdefault(side.binary, []).append(side)
        self._machines = [Machine(*group) for group in groups.items()]
        self._by_name = {side.name: machine for machine in self._machines
                         for side in machine.sides}
        self._stack = ExitStack()

    def __enter__(self):
        with ExitStack() as stack:
            for machine in self._machines:
                stack.enter_context(machine)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def of(self, name):
        """The machine that has a side."""
        return self._by_name[name]

    def pin(self, cpus):
        """All QEMUs, their peers and this program run on @cpus only."""
        for pid in [os.getpid(), *(pid for machine in self._machines
                                   for pid in machine.processes())]:
            for thread in os.listdir(f'/proc/{pid}/task'):
                os.sched_setaffinity(int(thread), cpus)


class Machine:
    """QEMU with devices side by side on one xHCI.  Use with `with`."""

    def __init__(self, binary, sides):
        self.sides = sides
        self._stack = ExitStack()
        self._binary = binary
        self._vm = None
        self._peers = []
        self._places = {}

    def __enter__(self):
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def run(self, name, words):
        """Have the guest's client use a side; returns what it measured."""
        said = self._vm.agent.run(f'libusb -s {self._places[name]} {words}',
                                  timeout=RUN_SECONDS)
        return json.loads(said)

    def copy(self, direction, size, count):
        """MiB/s of the drive in QEMU: @count pieces of @size bytes."""
        ends = 'if=/dev/sda of=/dev/null iflag=direct' if direction == 'in' \
            else 'if=/dev/zero of=/dev/sda oflag=direct'
        said = self._vm.agent.run(
            f'start=$EPOCHREALTIME; dd {ends} bs={size} count={count} '
            '2>/dev/null && echo $start $EPOCHREALTIME', timeout=RUN_SECONDS)
        start, end = map(float, said.split())
        return size * count / (end - start) / (1 << 20)

    def cpu_seconds(self):
        """User and system time of QEMU's process until now.

        It is utime + stime of /proc/PID/stat, to the nanosecond: the clock
        of a process has this number (clock_getcpuclockid(3))."""
        return time.clock_gettime(~self._vm.process.pid << 3 | 2)

    def resident(self):
        """Bytes of QEMU's memory that are there, the guest's included."""
        pages = Path(f'/proc/{self._vm.process.pid}/statm').read_text()
        return int(pages.split()[1]) * os.sysconf('SC_PAGESIZE')

    def processes(self):
        """Their numbers: QEMU's and the peers'."""
        return [process.pid for process in (self._vm.process, *self._peers)]

    def _start(self, stack):
        folder = Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix='usb-remote-bench-')))
        os.environ['QEMU'] = str(self._binary)      # for Vm
        self._vm = stack.enter_context(Vm(
            folder, guest.get(), self._arguments(folder)))
        for number, side in enumerate(self.sides):
            self._start_peer(stack, side, self._socket(folder, number))
        names = [side.name for side in self.sides]
        self._places = wait_until(self._find, 30, lambda: 'the guest did not '
                                 f'find {" and ".join(names)}')
        self._vm.agent.run(DRIVE_READY)

    def _start_peer(self, stack, side, path):
        program = side.peers / PEERS[side.device]
        log = LOGS / 'bench' / f'{side.name.replace(" ", "-")}.log'
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open('wb') as output:
            peer = subprocess.Popen([str(program), f'unix:{path}'],
                                    stdin=subprocess.DEVNULL, stdout=output,
                                    stderr=output)
        stack.callback(peer.wait, 10)
        stack.callback(peer.terminate)
        self._peers.append(peer)

    @staticmethod
    def _socket(folder, number):
        return folder / f'{number}.sock'

    def _arguments(self, folder):
        """Each device has the port of its place in the list."""
        words = ['-device', 'qemu-xhci,id=xhci']
        for number, side in enumerate(self.sides):
            words += ['-chardev', f'socket,id=c{number},server=on,wait=off,'
                      f'path={self._socket(folder, number)}', '-device',
                      f'{side.device},chardev=c{number},bus=xhci.0,'
                      f'port={number + 1}']
        return words + DRIVE

    def _find(self):
        """Bus and address of each device, once the guest has them all."""
        found = {}
        for line in self._vm.agent.run(SERVED).splitlines():
            name, bus, number, speed = line.split()
            side = self.sides[int(name.rpartition('-')[2]) - 1].name
            if speed != '480':
                raise Failure(f'the guest has {side} at {speed} Mbit/s')
            found[side] = f'{bus}:{number}'
        return found if len(found) == len(self.sides) else None
