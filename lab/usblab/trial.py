# SPDX-License-Identifier: GPL-2.0-or-later
"""One device on one host controller of one kernel: what becomes of it."""

from __future__ import annotations

import enum
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
from .guest.kmsg import TROUBLE
from .guest.vm import Vm
from .kernels import Kernel, Source, config
from .places import Failure, locked, say
from .plugged import Plugged

MEMORY = 512            # MiB: all USB drivers are in the guest's memory
LOOK_EVERY = 0.05       # seconds
GONE_LIMIT = 5.0        # seconds that QEMU may take to end with its guest
CONSOLE_LINES = 40      # the last of a guest that is lost
# A second more for each disk tells nothing.
WORDS = "usb_storage.delay_use=0"
EARLY = "earlyprintk=serial,ttyS0"


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
        self.outcome.boot = time.monotonic() - began
        if not self.setting.cold:
            self.setting.ready(vm, self.kernel)
            self.plug(vm)
        try:
            self.watch(vm)
        except Failure as failure:
            self.lost(vm, failure)
        else:
            self.judge()
            self.setting.done(vm, self.outcome)
        self.plugged.unplug()
        self.outcome.unanswered = self.plugged.peer.unanswered()
        self.outcome.faults = self.plugged.peer.faults()

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
        self.plugged = self.connect(vm)
        vm.qmp.command("cont")          # plugging takes a running machine
        self.plugged.peer.wait_plugged()
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

    def connect(self, vm: Vm) -> Plugged:
        setting = self.setting
        return self.stack.enter_context(Plugged(
            vm, self.folder, setting.controller, setting.device,
            setting.options, setting.cold))

    def plug(self, vm: Vm) -> None:
        self.plugged = self.connect(vm)
        self.plugged.peer.wait_plugged()

    # what becomes of it

    def watch(self, vm: Vm) -> None:
        """Until all is as expected and quiet, or the time is over."""
        start = time.monotonic()
        self.plugged.wait()
        limit = time.monotonic() + self.setting.wait
        self.look(vm)
        while expect.missing(self.setting.expect, self.seen) and \
                time.monotonic() < limit:
            time.sleep(LOOK_EVERY)
            self.plugged.settle()
            self.look(vm)
        self.outcome.took = time.monotonic() - start

    def look(self, vm: Vm) -> None:
        vm.kernel_log.sync()
        seen, agent, wanted = self.seen, vm.agent, self.setting.expect
        seen.names, seen.drivers = self.plugged.names(), self.plugged.drivers()
        self.read_log(vm)
        seen.files = [path for path in wanted.file
                      if agent.start(f"ls -d {path}").wait_end(20) == 0]
        seen.commands = [text for text in wanted.command
                         if text in seen.commands
                         or agent.start(text).wait_end(60) == 0]

    def read_log(self, vm: Vm) -> None:
        self.seen.lines = self.plugged.lines()
        self.seen.trouble = vm.kernel_log.trouble(self.plugged.mark)
        self.seen.errors = vm.kernel_log.errors(self.plugged.mark)

    def lost(self, vm: Vm, failure: Exception) -> None:
        """The guest died or hangs since the plug: that is the verdict."""
        self.read_log(vm)
        said = vm.console_text().splitlines()[-CONSOLE_LINES:]
        self.seen.lines += [f"console: {line}" for line in said]
        trouble = [*self.seen.trouble,
                   *(line for line in said if TROUBLE.search(line))]
        what = "the guest died" if vm.wait_gone(GONE_LIMIT) else \
            f"the guest hangs ({str(failure).splitlines()[0]})"
        self.outcome.reasons = [what, *(f'"{line}"' for line in trouble[:1])]
        self.outcome.result = Result.BAD

    def judge(self) -> None:
        outcome = self.outcome
        outcome.reasons = expect.faults(self.setting.expect, self.seen)
        outcome.result = Result.BAD if outcome.reasons else Result.GOOD


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
