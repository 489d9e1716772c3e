# SPDX-License-Identifier: GPL-2.0-or-later
"""One device on one host controller of one kernel: what becomes of it."""

from __future__ import annotations

import enum
import re
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, List, Optional

from . import expect, kernels
from .errors import Problem
from .expect import Expect, Seen
from .guest import boot, controllers, cpio, initramfs, snapshot, userland
from .guest.remote import RemoteDevice
from .guest.vm import Vm
from .kernels import Kernel, Source, config
from .peer import Peer
from .places import Failure, locked, say

MEMORY = 512            # MiB: all USB drivers are in the guest's memory
NOTICE = 15.0           # seconds, in which a plug has to be noticed
QUIET = 0.5             # seconds without a line or request: it is over
LOOK_EVERY = 0.05
# A second more for each disk tells nothing.
WORDS = "usb_storage.delay_use=0"
EARLY = "earlyprintk=serial,ttyS0"

# An attribute that Linux lets nobody read before drivers are done with the
# device, and a hub's not while it looks after a port.
IDLE = ("cat /sys/bus/usb/devices/*/bConfigurationValue > /dev/null 2>&1; "
        + snapshot.SETTLE + "; cat /sys/kernel/uevent_seqnum")
# name, then the drivers of the interface and of HID devices below it
DRIVERS = ("cd /sys/bus/usb/devices; for d in {names}; do for i in $d:*; do "
           "[ -d $i ] && echo $i $(for l in $i/driver $i/*:*:*/driver; do "
           "[ -e $l ] && basename $(readlink $l); done); done; done; true")


class Result(enum.Enum):
    """How it went; the values are the exit statuses of usb-lab try."""

    GOOD = 0
    BAD = 1
    SKIPPED = 125       # nothing could be learnt about the kernel


@dataclass
class Setting:
    """
    What is tried.  device: a file of the lab or of the SDK; options: more
    for its command line; words: for the kernel's command line; dyndbg:
    queries of dynamic debug; wait: seconds for what is expected; cold:
    plugged in before the machine starts.
    """

    device: str
    expect: Expect = field(default_factory=Expect)
    controller: str = "xhci"
    options: List[str] = field(default_factory=list)
    words: List[str] = field(default_factory=list)
    dyndbg: List[str] = field(default_factory=list)
    wait: float = 5.0
    cold: bool = False
    keep: Optional[Path] = None
    # called when the guest is ready and when all is seen, for a person
    ready: Callable[[Vm, Kernel], None] = lambda vm, kernel: None
    done: Callable[[Vm, Outcome], None] = lambda vm, outcome: None


@dataclass
class Outcome:
    """boot, took: seconds until the guest was ready, and from then on."""

    kernel: str
    controller: str
    result: Result = Result.SKIPPED
    reasons: List[str] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    unanswered: List[str] = field(default_factory=list)
    faults: List[str] = field(default_factory=list)
    boot: float = 0.0
    took: float = 0.0


def run(setting: Setting, source: Source) -> Outcome:
    """
    Try it.  Raises Problem for a device or kernel that is none.
    """
    kernel = kernels.check(source.get())
    outcome = Outcome(source.name, setting.controller)
    lacking = lacks(kernel, setting.expect)
    if lacking:
        outcome.reasons.append(lacking)
        return outcome
    folder = Path(tempfile.mkdtemp(prefix="usb-lab-"))
    try:
        with ExitStack() as stack:
            _Trial(setting, kernel, outcome, folder, stack).run()
    except Failure as failure:
        outcome.reasons.append(str(failure))
    finally:
        if setting.keep:
            _keep(folder, setting.keep, outcome)
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def lacks(kernel: Kernel, wanted: Expect) -> Optional[str]:
    """Why a kernel cannot have a driver that is expected."""
    for name in wanted.driver:
        if kernel.modules.known and not kernel.modules.has(name):
            option = config.option(name)
            why = f"CONFIG_{option} is not set" if option else \
                "no such module, and none built in"
            return f"the kernel has no driver {name}: {why}"
    return None


def guest_of(kernel: Kernel, words: List[str]) -> boot.Boot:
    """What starts a guest with every USB driver of a kernel in it."""
    with locked(kernel.folder):
        path = kernel.folder / "every-driver.cpio"
        if not path.exists() or _is_older(path, kernel):
            say(f"Reading the modules of {kernel.name}")
            initramfs.every_driver(kernel)
    return boot.Boot(kernel.image, path, " ".join([WORDS, *words]), MEMORY)


def _is_older(path: Path, kernel: Kernel) -> bool:
    """Than the modules, or the programs that are in it."""
    made = path.stat().st_mtime
    sources = [Path(initramfs.__file__), Path(cpio.__file__),
               *userland.INIT.iterdir()]
    if not kernel.suite:                # a package's modules never change
        sources += kernel.modules.files.values()
    return any(source.stat().st_mtime > made for source in sources)


class _Trial:
    """The steps of a trial, in their order."""

    def __init__(self, setting: Setting, kernel: Kernel, outcome: Outcome,
                 folder: Path, stack: ExitStack) -> None:
        self.setting, self.kernel, self.outcome = setting, kernel, outcome
        self.folder, self.stack = folder, stack
        self.seen = outcome.seen

    def run(self) -> None:
        began = time.monotonic()
        vm = self.cold() if self.setting.cold else self.warm()
        self.prepare(vm)
        ready = time.monotonic()
        self.outcome.boot = ready - began
        if not self.setting.cold:
            self.before = self.names(vm)
            self.mark = vm.kernel_log.mark()
            self.setting.ready(vm, self.kernel)
            ready = time.monotonic()
            self.plug(vm)
        self.watch(vm)
        self.outcome.took = time.monotonic() - ready
        self.judge()
        self.setting.done(vm, self.outcome)
        self.peer.unplug()
        self.outcome.unanswered = self.peer.unanswered()
        self.outcome.faults = self.peer.faults()

    # the guest, and the device in it

    def warm(self) -> Vm:
        """A guest that is ready, and nothing plugged in."""
        return self.stack.enter_context(snapshot.fresh(
            self.folder, guest_of(self.kernel, self.setting.words)))

    def cold(self) -> Vm:
        """A machine that starts with the device."""
        start = guest_of(self.kernel, [EARLY, *self.setting.words])
        vm = self.stack.enter_context(Vm(
            self.folder, start, [*controllers.EVERY, "-S"], wait_boot=False))
        self.before, self.mark = [], 0
        self.connect(vm)
        vm.qmp.command("cont")          # plugging takes a running machine
        self.peer.wait_plugged()
        vm.restart()
        vm.wait_boot()
        return vm

    def prepare(self, vm: Vm) -> None:
        """Dynamic debug; modules that it names are loaded first."""
        for query in self.setting.dyndbg:
            words = query.split()
            for name in (after for word, after in zip(words, words[1:])
                         if word == "module"):
                vm.agent.run(f"modprobe -q {name}", 60, check=False)
            vm.agent.run(f"echo '{query}' > "
                         "/sys/kernel/debug/dynamic_debug/control")
        vm.kernel_log.sync()

    def connect(self, vm: Vm) -> None:
        remote = RemoteDevice(vm, self.setting.controller)
        self.peer = self.stack.enter_context(Peer(
            self.folder, self.setting.device, remote.address,
            self.setting.options))

    def plug(self, vm: Vm) -> None:
        self.connect(vm)
        self.peer.wait_plugged()

    # what becomes of it

    def watch(self, vm: Vm) -> None:
        """Until all is as expected and quiet, or the time is over."""
        start = time.monotonic()
        self.wait_noticed(vm)
        limit = time.monotonic() + self.setting.wait
        while True:
            self.settle(vm)
            self.look(vm)
            if not expect.missing(self.setting.expect, self.seen):
                break
            if time.monotonic() > limit:
                break
            time.sleep(LOOK_EVERY)
        self.outcome.took = time.monotonic() - start

    def wait_noticed(self, vm: Vm) -> None:
        """The guest has asked the device for something, or given it up."""
        deadline = time.monotonic() + NOTICE
        while not self.peer.requests() and time.monotonic() < deadline:
            if any("usb" in line for line in vm.kernel_log.since(self.mark)):
                break
            time.sleep(LOOK_EVERY)

    def settle(self, vm: Vm) -> None:
        """Until nothing is under way, and nothing has come for a while."""
        quiet_since, before = time.monotonic(), None
        while time.monotonic() - quiet_since < QUIET:
            events = vm.agent.run(IDLE, 180, check=False)
            now = (events, vm.kernel_log.mark(), 
                   self.peer.control_requests())
            if now != before:
                quiet_since, before = time.monotonic(), now
            time.sleep(LOOK_EVERY)

    def look(self, vm: Vm) -> None:
        vm.kernel_log.sync()
        seen, agent = self.seen, vm.agent
        seen.names = [name for name in self.names(vm)
                      if name not in self.before]
        told = agent.run(DRIVERS.format(names=" ".join(seen.names)))
        seen.drivers = {name: rest for name, _, rest in (
            line.partition(" ") for line in told.splitlines())}
        seen.lines = [line for line in vm.kernel_log.since(self.mark)
                      if "log-sync" not in line]
        if self.setting.cold:
            seen.lines = since_device(seen.lines)
        seen.trouble = vm.kernel_log.trouble(self.mark)
        seen.errors = vm.kernel_log.errors(self.mark)
        wanted = self.setting.expect
        seen.files = [path for path in wanted.file
                      if agent.start(f"ls -d {path}").wait_end(20) == 0]
        seen.commands = [text for text in wanted.command
                         if text in seen.commands
                         or agent.start(text).wait_end(60) == 0]

    def names(self, vm: Vm) -> List[str]:
        """The guest's devices, without interfaces."""
        found = vm.agent.run("ls /sys/bus/usb/devices").split()
        return [name for name in found if ":" not in name]

    def judge(self) -> None:
        outcome = self.outcome
        outcome.reasons = expect.faults(self.setting.expect, self.seen)
        outcome.result = Result.BAD if outcome.reasons else Result.GOOD


def since_device(lines: List[str]) -> List[str]:
    """A boot's log from the first device on that is no root hub."""
    first = next((number for number, line in enumerate(lines)
                  if re.match(r"usb \d+-\d", line)), len(lines))
    return lines[first:]


def _keep(folder: Path, target: Path, outcome: Outcome) -> None:
    """The logs, in a folder of their own."""
    place = target / f"{outcome.kernel.replace('/', '_')}-{outcome.controller}"
    place.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.suffix in (".log", ".jsonl", ".pcap"):
            shutil.copy(path, place)
    (place / "kernel.log").write_text("\n".join(outcome.seen.lines) + "\n")


def status(outcomes: List[Outcome]) -> int:
    """The exit status for some trials: a bad one before a skipped one."""
    results = {outcome.result for outcome in outcomes}
    for result in (Result.BAD, Result.SKIPPED):
        if result in results:
            return int(result.value)
    return Result.GOOD.value


__all__ = ["Outcome", "Problem", "Result", "Setting", "run", "status"]
