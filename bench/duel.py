# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with the devices that are compared, each served by its peer."""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from common import BUILD, LOGS, ROOT, Failure

sys.path.insert(1, str(ROOT / 'tests' / 'guest'))

# pylint: disable=wrong-import-position
from guestlab import guest
from usblab.guest.vm import Vm
from usblab.guest.waiting import wait_until

PEERS = {'usb-remote': 'remote', 'usb-redir': 'redir'}
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


def build_peers():
    """Compile bench/peer; returns the folder of the programs."""
    folder = BUILD / 'bench' / 'peer'
    done = subprocess.run(
        ['make', '-s', '-C', str(ROOT / 'bench/peer'), f'BUILD={folder}'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    if done.returncode:
        raise Failure(f'cannot compile bench/peer:\n{done.stdout}')
    return folder


class Duel:
    """QEMU with the devices side by side on one xHCI.  Use with `with`."""

    def __init__(self, binary, devices=tuple(PEERS)):
        self.devices = devices
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

    def run(self, device, words):
        """Have the guest's client use @device; returns what it measured."""
        said = self._vm.agent.run(f'libusb -s {self._places[device]} {words}',
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

    def pin(self, cpus):
        """QEMU's threads, the peers and this program run on @cpus only."""
        processes = [self._vm.process, *self._peers]
        for pid in [os.getpid(), *(process.pid for process in processes)]:
            for thread in os.listdir(f'/proc/{pid}/task'):
                os.sched_setaffinity(int(thread), cpus)

    def _start(self, stack):
        folder = Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix='usb-remote-bench-')))
        os.environ['QEMU'] = str(self._binary)      # for Vm
        self._vm = stack.enter_context(Vm(
            folder, guest.get(), self._arguments(folder)))
        peers = build_peers()
        for device in self.devices:
            self._start_peer(stack, peers / PEERS[device],
                             self._socket(folder, device))
        self._places = wait_until(self._find, 30, lambda: 'the guest did not '
                                 f'find {" and ".join(self.devices)}')
        self._vm.agent.run(DRIVE_READY)

    def _start_peer(self, stack, program, path):
        log = LOGS / 'bench' / f'{program.name}.log'
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open('wb') as output:
            peer = subprocess.Popen([str(program), f'unix:{path}'],
                                    stdin=subprocess.DEVNULL, stdout=output,
                                    stderr=output)
        stack.callback(peer.wait, 10)
        stack.callback(peer.terminate)
        self._peers.append(peer)

    @staticmethod
    def _socket(folder, device):
        return folder / f'{device}.sock'

    def _arguments(self, folder):
        """Each device has the port of its place in the list."""
        words = ['-device', 'qemu-xhci,id=xhci']
        for port, device in enumerate(self.devices, 1):
            words += ['-chardev', f'socket,id={device},server=on,wait=off,'
                      f'path={self._socket(folder, device)}', '-device',
                      f'{device},chardev={device},bus=xhci.0,port={port}']
        return words + DRIVE

    def _find(self):
        """Bus and address of each device, once the guest has them all."""
        found = {}
        for line in self._vm.agent.run(SERVED).splitlines():
            name, bus, number, speed = line.split()
            device = self.devices[int(name.rpartition('-')[2]) - 1]
            if speed != '480':
                raise Failure(f'the guest has {device} at {speed} Mbit/s')
            found[device] = f'{bus}:{number}'
        return found if len(found) == len(self.devices) else None
