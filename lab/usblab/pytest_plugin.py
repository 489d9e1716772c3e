# SPDX-License-Identifier: GPL-2.0-or-later
"""
pytest for devices and kernels: pytest -p usblab.pytest_plugin --kernel ...

Device files are collected as tests, each with each kernel and controller of
the command line.  Tests in Python have the fixtures kernel, controller, guest
(a fresh one for each test), klog and usb:

    def test_wheel(usb, klog):
        wheel = usb.plug("wheel.usbdev")
        assert wheel.bound() == ["hid-generic", "usbhid"]
        klog.wait("hidraw")

A test fails, too, when the kernel logs what no sound kernel prints.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence

import pytest

from . import kernels, trial
from .commands import try_
from .devicefile import SUFFIX, read
from .errors import Problem
from .expect import Expect
from .guest import snapshot
from .guest.vm import Vm
from .kernels import Kernel, Source
from .plugged import Plugged
from .trial import Outcome, Result, Setting

KERNELS = pytest.StashKey[List[Source]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("usb-lab")
    group.addoption("--kernel", action="append", metavar="KERNEL",
                    help="as -k of usb-lab try; may be given several times")
    group.addoption("--controller", action="append",
                    choices=try_.CONTROLLERS, help="the host controller "
                    "(xhci); may be given several times")


def pytest_configure(config: pytest.Config) -> None:
    try:
        config.stash[KERNELS] = try_.find_all(config.getoption("kernel"))
    except Problem as problem:
        raise pytest.UsageError(str(problem)) from None


def controllers(config: pytest.Config) -> List[str]:
    """Those of the command line."""
    return list(config.getoption("controller") or try_.CONTROLLERS[:1])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kernel_source" in metafunc.fixturenames:
        sources = metafunc.config.stash[KERNELS]
        metafunc.parametrize("kernel_source", sources, scope="session",
                             ids=[source.name for source in sources])
    if "controller" in metafunc.fixturenames:
        metafunc.parametrize("controller", controllers(metafunc.config))


# Device files

def pytest_collect_file(file_path: Path, parent: pytest.Collector
                        ) -> Optional[pytest.Collector]:
    if file_path.suffix == SUFFIX:
        made: pytest.Collector = DeviceTests.from_parent(parent,
                                                         path=file_path)
        return made
    return None


class DeviceTests(pytest.File):
    """A device file: a test for each kernel and controller."""

    def collect(self) -> Iterator[pytest.Item]:
        try:
            expected = Expect().add(read(self.path).expect)
        except Problem as problem:
            raise self.CollectError(str(problem)) from None
        for source in self.config.stash[KERNELS]:
            for controller in controllers(self.config):
                yield DeviceTest.from_parent(
                    self, name=f"{source.name}-{controller}", source=source,
                    setting=Setting(str(self.path), expected, controller))


class NotAsExpected(Exception):
    """A kernel is bad with a device."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("; ".join(outcome.reasons))
        self.outcome = outcome


class DeviceTest(pytest.Item):
    """One trial."""

    def __init__(self, *, source: Source, setting: Setting, **rest: Any
                 ) -> None:
        super().__init__(**rest)
        self.source, self.setting = source, setting

    def runtest(self) -> None:
        outcome = try_.one(self.setting, self.source)
        if outcome.result is Result.SKIPPED:
            pytest.skip("; ".join(outcome.reasons))
        if outcome.result is Result.BAD:
            raise NotAsExpected(outcome)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        error = excinfo.value
        if isinstance(error, NotAsExpected):
            return "\n".join([str(error), *error.outcome.seen.lines])
        if isinstance(error, Problem):
            return str(error)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> Any:
        return self.path, None, f"{self.path.stem} on {self.name}"


# Fixtures

@pytest.fixture(scope="session")
def kernel(kernel_source: Source) -> Kernel:
    """The kernel under test."""
    return kernels.check(kernel_source.get())


@pytest.fixture
def guest(kernel: Kernel) -> Iterator[Vm]:
    """A guest with nothing plugged in, for this test alone."""
    folder = Path(tempfile.mkdtemp(prefix="usb-lab-"))
    try:
        with snapshot.fresh(folder, trial.guest_of(kernel, [])) as vm:
            yield vm
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Log:
    """The kernel's log since the test began."""

    def __init__(self, vm: Vm) -> None:
        self._log = vm.kernel_log
        self._log.sync()
        self._mark = self._log.mark()

    def lines(self) -> List[str]:
        """All of it."""
        self._log.sync()
        return [line for line in self._log.since(self._mark)
                if "log-sync" not in line]

    def wait(self, pattern: str, timeout: float = 20) -> Any:
        """A line that has the pattern, as a match; raises Failure."""
        return self._log.wait(pattern, self._mark, timeout)

    def trouble(self) -> List[str]:
        """What no sound kernel prints."""
        self._log.sync()
        return self._log.trouble(self._mark)


@pytest.fixture
def klog(guest: Vm) -> Iterator[Log]:
    """The log; what no sound kernel prints fails the test."""
    log = Log(guest)
    yield log
    trouble = log.trouble()
    if trouble:
        pytest.fail("the kernel says\n" + "\n".join(trouble[:10]),
                    pytrace=False)


class Port:
    """Where devices are plugged in."""

    def __init__(self, vm: Vm, controller: str, stack: ExitStack,
                 base: Path) -> None:
        self._vm, self._controller = vm, controller
        self._stack, self._base = stack, base

    def plug(self, device: str, *options: str,
             faults: Sequence[str] = ()) -> Device:
        """
        Plug in a device file beside the test, or a device of the SDK, and
        wait until the guest is done with it; options: of its command line.
        """
        beside = self._base / device
        words = [*options, *(word for rule in faults
                             for word in ("--fault", rule))]
        folder = Path(tempfile.mkdtemp(prefix="device-", dir=self._vm.folder))
        plugged = self._stack.enter_context(Device(
            self._vm, folder, self._controller,
            str(beside if beside.exists() else device), words))
        plugged.peer.wait_plugged()
        plugged.wait()
        return plugged


class Device(Plugged):
    """A device that was plugged in by a test."""

    def bound(self) -> List[str]:
        """The drivers that have bound to it, in order."""
        return sorted({name for names in self.drivers().values()
                       for name in names.split()})


@pytest.fixture
def usb(guest: Vm, klog: Log, controller: str,
        request: pytest.FixtureRequest) -> Iterator[Port]:
    """Plugs devices in; they are unplugged at the end of the test."""
    with ExitStack() as stack:
        yield Port(guest, controller, stack, request.path.parent)
