# SPDX-License-Identifier: MIT
"""
Functions: what a device is made of, each with its interfaces and its work.

A device declares its functions and the engine runs them:

    class Lamp(Device):
        def __init__(self, options=None):
            super().__init__(options)
            self.disk = Disk(...)
            self.keys = Keyboard()
            self.functions = [self.disk, self.keys]

A function is written as if it were alone, like a device of its own: it has
interfaces 0, 1, ... and endpoints 0x81, 0x01, ....  Several in one device get
interface, endpoint and string numbers, and the interface association
descriptors, by themselves.  A Configuration takes functions, too, between
plain interfaces if need be, for devices whose configurations differ.

What the engine does with a function, in this order:

    interfaces(place)           for the descriptors, at each speed
    reset()                     the guest chose its configuration
    run()                       ... and has been told that it is in force
    run() cancelled             the guest chooses an alternate setting,
    setting_chosen(n, alt)      which is in force now,
    run()                       and has been told so: from the start
    control(setup)              a request to one of its interfaces or
                                endpoints, or that it claims(), at any time
    halt_changed(ep, halted)    the guest set or cleared a halt
    run() cancelled             another configuration, bus reset, unplugged;
    reset()                     and the state is forgotten

The jobs that it starts end with run().  A bug in run() or in one of the jobs
is logged with its traceback and halts the function's endpoints, and no
others.  Its methods may be called by the device, and by others, at any time;
what needs the guest raises TransferAborted while the guest has not chosen
it.
"""

from __future__ import annotations

from typing import Optional, Protocol, Sequence, Tuple

from .context import Answer, Context, Running
from .descriptors import Composed, Interface
from .errors import LocalError
from .place import Place
from .requests import declared
from .setup import Setup


class FunctionContext(Context, Protocol):
    """What runs a function."""

    @property
    def place(self) -> Place: ...

    def alternate(self, number: int) -> int: ...


class Function(Running, Composed):
    """
    See above.

    device_class: of the device (class, subclass, protocol) where it has no
    other function.  association: class, subclass and protocol of the
    interface association descriptor, by default those of the first
    interface.  name: what the association and the first interface are
    called, None for nothing.
    """

    _context: Optional[FunctionContext] = None
    device_class: Optional[Tuple[int, int, int]] = None
    association: Optional[Tuple[int, int, int]] = None
    name: Optional[str] = None

    def interfaces(self, place: Place) -> Sequence[Interface]:
        """
        Its interfaces and their alternate settings, with the function's own
        numbers.

        Class-specific descriptors that name others get the numbers in the
        device from place.interface(0), place.endpoint(0x81) and
        place.string(text); place.speed is the speed.  Called once for each
        configuration and speed; it must have no effects.
        """
        raise NotImplementedError(f"{type(self).__name__} has no interfaces")

    async def run(self) -> None:
        """
        Do the work of the function, for as long as one setting of its
        interfaces is in force; alternate() says which.
        """

    def reset(self) -> None:
        """Forget all that the guest has set."""

    def setting_chosen(self, number: int, alternate: int) -> None:
        """The guest chose this setting of its own interface 0, 1, ..."""

    def halt_changed(self, endpoint: int, halted: bool) -> None:
        """The guest halted its own endpoint, or cleared that."""

    def explain(self, endpoint: int, data: bytes) -> Optional[str]:
        """
        What these bytes of its own endpoint are, in few words for --trace;
        None for nothing to say.  They are the first 512 of one request, and
        it is asked a moment later.  It must have no effects.
        """
        return None

    def claims(self, setup: Setup, place: Place) -> bool:
        """
        Whether it is for this function though its low byte of wIndex does
        not say so: for classes that have the interface elsewhere.
        """
        return False

    def control(self, setup: Setup) -> Answer:
        """
        Answer a request; raise Stall or Fail to refuse it.

        This one calls the methods that are marked with @control, and gives
        the rest to unhandled().  setup.index has the device's numbers.
        """
        answer = declared(self, setup)
        if answer is None:
            self.unhandled(setup)
        return answer()

    def alternate(self, number: int = 0) -> int:
        """The setting in force of its own interface 0, 1, ..."""
        return self._running.alternate(number)

    @property
    def place(self) -> Place:
        """What it has got in the configuration in force."""
        return self._running.place

    @property
    def _running(self) -> FunctionContext:
        if self._context is None:
            raise LocalError(f"{type(self).__name__} is not part of a device")
        return self._context
