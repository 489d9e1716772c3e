# SPDX-License-Identifier: GPL-2.0-or-later
"""
Plug a device into real kernels, and see what they make of it.

DEVICE is a device file of the lab, or Python code as `usbremote run` takes
it.  Without anything expected, a kernel is good that enumerates it, has a
driver for it and complains of nothing.

Exit status: 0 as expected, 1 not, 2 bad input, 125 when nothing was learnt:
the kernel does not start, or has not the driver that is expected (as `git
bisect run` wants it).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List, Optional

from usbremote import faults

from .. import kernels, terminal, trial
from ..devicefile import SUFFIX, read
from ..errors import Problem
from ..expect import Expect
from ..guest.qmp import QmpError
from ..guest.vm import Vm
from ..kernels import Kernel, Source
from ..model import SPEEDS
from ..places import Failure
from ..serve import check_faults
from ..trial import Outcome, Result, Setting

CONTROLLERS = ("xhci", "ehci", "uhci", "ohci", "ich9")
WORDS = {Result.GOOD: "good", Result.BAD: "BAD", Result.SKIPPED: "skipped"}
FAULTS = 20             # lines about them
FOREVER = 1e9           # seconds that a debugger may take


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = kernels.SPECS
    parser.add_argument("device", metavar="DEVICE")
    parser.add_argument("-k", "--kernel", action="append", metavar="KERNEL",
                        help="several give a table (this machine's release)")
    add_controllers(parser)
    add_setting(parser)
    parser.add_argument("--cold", action="store_true", help="plug it in "
                        "before the machine starts; a hang before the kernel "
                        "runs is the firmware's")
    add_expectations(parser)
    add_kernel_options(parser)
    add_looking(parser)


def add_setting(parser: argparse.ArgumentParser) -> None:
    """What goes in, also for commands that do not look closer."""
    parser.set_defaults(cold=False, gdb=False, shell=False, pcap=None,
                        keep=None)
    parser.add_argument("--speed", choices=SPEEDS)
    parser.add_argument("--wait", type=float, default=5.0, metavar="SECONDS",
                        help="for what is expected (5)")
    parser.add_argument("--fault", action="append", default=[],
                        metavar="RULE", help="what goes wrong, besides what "
                        "the file says; see docs/faults.md")
    parser.add_argument("--fault-seed", type=int, metavar="N")


def add_controllers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-c", "--controller", action="append",
                        choices=CONTROLLERS, help="the host controller "
                        "(xhci); several try each")


def add_expectations(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("expected, besides what the file says")
    group.add_argument("--driver", action="append", default=[],
                       metavar="NAME", help="this driver binds")
    group.add_argument("--log", action="append", default=[], metavar="REGEX",
                       help="the kernel logs such a line")
    group.add_argument("--forbid", action="append", default=[],
                       metavar="REGEX", help="it logs no such line")


def add_kernel_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the kernel")
    group.add_argument("--append", action="append", default=[],
                       metavar="WORDS", help="for its command line")
    group.add_argument("--param", action="append", default=[],
                       metavar="MODULE.NAME=VALUE", help="of a module")
    group.add_argument("--dyndbg", action="append", default=[],
                       metavar="QUERY", help="as 'module usbcore +p'")


def add_looking(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("looking closer")
    group.add_argument("--shell", action="store_true", help="then a shell in "
                       "the guest, the device still there")
    group.add_argument("--gdb", action="store_true", help="before the plug, "
                       "wait for a debugger to attach and go on")
    group.add_argument("--pcap", metavar="FILE", help="the device's traffic")
    group.add_argument("--keep", type=Path, metavar="DIR",
                       help="keep all logs there")
    group.add_argument("-v", "--verbose", action="store_true",
                       help="the kernel's log of each, also with a table")


def run(options: argparse.Namespace) -> int:
    settings = [make_setting(options, controller)
                for controller in options.controller or CONTROLLERS[:1]]
    sources = find_all(options.kernel)
    pairs = [(source, setting) for source in sources for setting in settings]
    outcomes: List[Outcome] = []
    for source, setting in pairs:
        outcomes.append(one(setting, source))
        show(outcomes[-1], not options.shell and (
            options.verbose or len(pairs) == 1))
    if len(outcomes) > 1:
        print_table(outcomes)
    return trial.status(outcomes)


def find_all(specs: Optional[List[str]]) -> List[Source]:
    """The kernels of all -k, or the usual one."""
    return [source for spec in specs or ()
            for source in kernels.find(spec)] or [kernels.default()]


def one(setting: Setting, source: Source) -> Outcome:
    """A trial; QEMU that fails is nothing to blame the kernel for."""
    try:
        return trial.run(setting, source)
    except (Failure, QmpError) as failure:
        return Outcome(source.name, setting.controller,
                       reasons=[str(failure)])


def make_setting(options: argparse.Namespace, controller: str) -> Setting:
    expect = Expect()
    if options.device.endswith(SUFFIX):
        file = read(options.device)
        check_faults([*file.faults, *options.fault])
        expect = expect.add(file.expect)
    elif not Path(options.device).exists() and "/" in options.device:
        raise Problem(f"{options.device}: No such file or directory")
    expect = expect.add({key: getattr(options, key)
                         for key in ("driver", "log", "forbid")})
    more = []
    if options.speed:
        more += ["--speed", options.speed]
    for rule in options.fault:
        more += ["--fault", rule]
    if options.fault_seed is not None:
        more += ["--fault-seed", str(options.fault_seed)]
    if controller in faults.CONTROLLERS:
        more += ["--fault-controller", controller]
    if options.pcap:
        more += ["--pcap", str(Path(options.pcap).resolve())]
    setting = Setting(options.device, expect, controller, more,
                      [*options.append, *options.param], options.dyndbg,
                      options.wait, options.cold, options.keep)
    if options.gdb:
        setting.words.append("nokaslr")
        setting.ready = wait_for_debugger
    if options.shell:
        setting.done = shell
    return setting


def wait_for_debugger(vm: Vm, kernel: Kernel) -> None:
    """Stop the guest until a debugger lets it go on."""
    path = vm.folder / "gdb.sock"
    vm.qmp.command("stop")
    vm.qmp.hmp(f"gdbserver unix:{path},server=on,wait=off")
    vmlinux = kernel.folder / "vmlinux"
    for place in (kernel.module_root, kernel.folder):
        if place and (place / "vmlinux").exists():
            vmlinux = place / "vmlinux"
            break
    print(f"gdb {vmlinux} -ex 'target remote {path}'\n"
          "  the device is plugged in when you say: continue", flush=True)
    vm.qmp.wait_event("RESUME", timeout=FOREVER)


def shell(vm: Vm, outcome: Outcome) -> None:
    """What there is to see, then a shell for more."""
    show_log(outcome)
    terminal.shell(vm)


def show(outcome: Outcome, whole: bool) -> None:
    """What there is to say about one trial."""
    if whole:
        show_log(outcome)
    for text in [*outcome.faults[:FAULTS],
                 *(f"not answered: {one}" for one in outcome.unanswered)]:
        if whole:
            print(text)
    why = "; ".join(outcome.reasons)
    print(f"{outcome.kernel}, {outcome.controller}: {WORDS[outcome.result]}"
          f"{': ' + why if why else ''} ({outcome.took:.1f} s after a boot "
          f"of {outcome.boot:.1f} s)")
    sys.stdout.flush()


def show_log(outcome: Outcome) -> None:
    """What the kernel said and did."""
    for line in outcome.seen.lines:
        print(f"  {line}")
    for name, driver in sorted(outcome.seen.drivers.items()):
        print(f"driver of {name}: {driver or 'none'}")


def print_table(outcomes: List[Outcome]) -> None:
    """A row for each trial."""
    rows = [("kernel", "controller", "", "drivers", "why")] + [
        (one.kernel, one.controller, WORDS[one.result],
         " ".join(one.seen.bound()) or "-",
         "; ".join(one.reasons).split("\n")[0]) for one in outcomes]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    print()
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        print("  ".join([*cells, row[4]]).rstrip())
