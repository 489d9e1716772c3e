# SPDX-License-Identifier: MIT
"""Rules at work on the requests of one device."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from ..errors import LocalError, UsbRemoteError
from ..filters import Reply
from ..session import Request
from ..setup import Setup
from ..types import AddressPolicy, Speed, TransferType
from .rule import Rule, parse
from .scsi import Follower
from .what import STATUS, THEN, What

log = logging.getLogger(__name__)

# By controller and type of transfer: how often Linux has a failed request
# (an I/O error) done again before its driver hears of it.  What is not here
# is told at once.  drivers/usb/host: MAX_SOFT_RETRY of xhci.h, which is one
# less, and QH_XACTERR_MAX of ehci-q.c, which counts the first try, too.
RETRIES: Dict[str, Dict[TransferType, int]] = {
    "xhci": {TransferType.BULK: 4, TransferType.INTERRUPT: 4},
    "ehci": {TransferType.BULK: 31, TransferType.CONTROL: 31,
             TransferType.INTERRUPT: 31},
    "uhci": {}, "ohci": {},
}
CONTROLLERS = (*RETRIES, "ich9")        # EHCI, and UHCI for what is slower

# A device of this name, for replace-with; raises UsbRemoteError.
Load = Callable[[str], Any]


class _Working:
    """One rule and how often it fitted and was applied."""

    def __init__(self, rule: Rule, seed: int) -> None:
        self.rule, self.what = rule, rule.what
        own = rule.when.seed
        self._dice = random.Random(seed if own is None else own)
        self.fitted = 0
        self.applied: List[int] = []
        self.epoch: Optional[int] = None    # in which it was applied last

    def due(self, seconds: float) -> bool:
        """One more request fits, so long after the first: is it now?"""
        when = self.rule.when
        self.fitted += 1
        thrown = self._dice.random() if when.p < 1.0 else 0.0
        if seconds < when.after or self.fitted % when.every or \
                thrown >= when.p:
            return False
        if when.nth and self.fitted not in when.nth:
            return False
        if when.times is not None and len(self.applied) >= when.times:
            return False
        self.applied.append(self.fitted)
        return True


class Plan:
    """
    Some rules for one device; of several that fit a request, the first that
    is due is applied.

    rules: lines or Rules.  seed: of what is random, for all rules that have
    none of their own.  controller: one of CONTROLLERS, so that times= and
    nth= count what the guest's driver sees; without it, each try that the
    host controller's driver makes counts.  load: for replace-with.

    Raises LocalError for a rule that is none.
    """

    def __init__(self, rules: Sequence[Union[str, Rule]], seed: int = 1,
                 controller: Optional[str] = None,
                 load: Optional[Load] = None) -> None:
        if controller is not None and controller not in CONTROLLERS:
            raise LocalError(f"'{controller}' is none of "
                             + ", ".join(CONTROLLERS))
        self.seed, self.controller, self.load = seed, controller, load
        self.rules = [parse(one) if isinstance(one, str) else one
                      for one in rules]
        self._working = [_Working(rule, seed + at)
                         for at, rule in enumerate(self.rules)]
        for rule in self.rules:
            if (rule.when.since or 0) > len(self.rules):
                raise LocalError(f"fault '{rule.text}': there is no rule "
                                 f"{rule.when.since}")
        self._scsi = Follower()
        self._plugged: Optional[float] = None
        # per endpoint: what came before, and how often it is to be repeated
        self._again: Dict[int, Tuple[Any, int, _Working]] = {}
        self._after: Dict[int, Tuple[Request, What]] = {}
        self._late: Dict[int, Reply] = {}
        self._naks: Dict[int, int] = {}
        self._tasks: "set[asyncio.Task[None]]" = set()
        chance = any(rule.when.p < 1.0 for rule in self.rules)
        for line in self.lines():
            log.log(logging.WARNING if chance else logging.INFO, "%s", line)

    def lines(self) -> List[str]:
        """The plan, for a log: a seed and a line for each rule."""
        return [f"faults: seed {self.seed}, controller "
                f"{self.controller or 'not said'}",
                *(f"fault {number}: {rule.text}"
                  for number, rule in enumerate(self.rules, 1))]

    def replay(self) -> List[str]:
        """
        Rules that do what was done until now without time or chance, as long
        as the guest asks the same.
        """
        return [_exact(one) for one in self._working if one.applied]

    # Filter

    @property
    def address_policy(self) -> Optional[AddressPolicy]:
        """That of the first rule about SET_ADDRESS."""
        return next((rule.address_policy for rule in self.rules
                     if rule.address_policy is not None), None)

    def submitted(self, socket: Any, request: Request) -> bool:
        endpoint = request.submit.endpoint
        if endpoint in self._late:
            socket.answer(request, self._late.pop(endpoint))
            return True
        if self._naks.get(request.submit.endpoint):
            self._naks[endpoint] -= 1
            socket.answer(request, Reply(STATUS["nak"]))
            return True
        working = self._choose(socket, request)
        return working is not None and self._apply(socket, request, working)

    def answering(self, socket: Any, request: Request, reply: Reply
                  ) -> Optional[Reply]:
        _, what = self._after.pop(request.submit.id, (request, None))
        if what is None:
            return reply
        if what.name == "delay":
            socket.loop.call_later(what.seconds, socket.answer, request,
                                   reply)
            return None
        if what.name == "late":
            self._late[request.submit.endpoint] = reply
            return None
        return changed(reply, what, request)

    # which rule

    def _choose(self, socket: Any, request: Request) -> Optional[_Working]:
        phase, command = self._scsi.follow(request)
        again = self._repeated(socket, request)
        if again is not None:
            return again
        now = socket.loop.time()
        if self._plugged is None:
            self._plugged = now
        chosen = None
        for working in self._working:
            if working.rule.address_policy is None and \
                    working.rule.which.fits(request, phase, command) and \
                    self._since(working, socket.session.epoch) and \
                    working.due(now - self._plugged) and chosen is None:
                chosen = working
        if chosen is not None:
            chosen.epoch = socket.session.epoch
        if chosen is not None and chosen.what.name == "ioerror":
            self._remember(socket, request, chosen)
        return chosen

    def _since(self, working: _Working, epoch: int) -> bool:
        """Whether the rule that it waits for was applied since the reset."""
        since = working.rule.when.since
        return since is None or self._working[since - 1].epoch == epoch

    def _remember(self, socket: Any, request: Request, working: _Working
                  ) -> None:
        """The same request is failed as often as it is done again."""
        name = self.controller
        if name == "ich9":
            name = "ehci" if socket.session.speed >= Speed.HIGH else "uhci"
        retries = RETRIES.get(name or "", {}).get(
            TransferType(request.submit.type), 0)
        if retries:
            self._again[request.submit.endpoint] = (
                _likeness(request), retries, working)

    def _repeated(self, socket: Any, request: Request
                  ) -> Optional[_Working]:
        """
        The rule that failed it before, if this is a retry: that is never
        behind another request of its endpoint.
        """
        endpoint = request.submit.endpoint
        if any(other is not request and other.submit.endpoint == endpoint
               for other in socket.session.requests.values()):
            return None
        likeness, left, working = self._again.pop(
            endpoint, (None, 0, None))
        if working is None or likeness != _likeness(request):
            return None
        if left > 1:
            self._again[endpoint] = (likeness, left - 1, working)
        return working

    # what it does

    def _apply(self, socket: Any, request: Request, working: _Working
               ) -> bool:
        what = working.what
        log.info("fault %d, request %d that fits: %s: %s",
                 self._working.index(working) + 1, working.fitted, what.name,
                 _shown(request))
        if what.name in STATUS:
            if what.name == "nak":
                self._naks[request.submit.endpoint] = what.count - 1
            # what was asked for together is here before the answer goes
            socket.loop.call_soon(socket.answer, request,
                                  Reply(STATUS[what.name]))
        elif what.name in ("unplug", "replace-with", THEN):
            self._start(self._leave(socket, working))
        elif what.name in ("short", "long", "flip", "data", "delay", "late"):
            return self._change(request, what)
        return what.name != "ok"

    def _change(self, request: Request, what: What) -> bool:
        """Of the answer; for what goes to the device, of the request."""
        if not request.submit.is_in() and what.name in ("flip", "data"):
            request.submit = replace(request.submit, data=_bytes(
                request.submit.data, what, len(request.submit.data)))
            return False
        self._after = {key: value for key, value in self._after.items()
                       if value[0].pending}
        self._after[request.submit.id] = (request, what)
        return False

    def _start(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(_guarded(coroutine))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _leave(self, socket: Any, working: _Working) -> None:
        """Unplug; then come back, perhaps as something else."""
        what, device = working.what, socket.device
        if what.name == THEN:
            assert what.then is not None
            working.what = what.then
        if what.name == "replace-with":
            device = self._loaded(what.device)
        await socket.unplug()
        if what.name == "unplug":
            if what.seconds is None:
                return
            await asyncio.sleep(what.seconds)
        self._forget()
        await socket.plug(device)

    def _loaded(self, name: str) -> Any:
        if self.load is None:
            raise LocalError(f"nothing here can load '{name}'")
        return self.load(name)

    def _forget(self) -> None:
        """Of requests that are no more."""
        self._again.clear()
        self._after.clear()
        self._late.clear()
        self._naks.clear()


async def _guarded(coroutine: Any) -> None:
    try:
        await coroutine
    except UsbRemoteError as err:
        log.error("a fault could not be done: %s", err)


def changed(reply: Reply, what: What, request: Request) -> Reply:
    """An answer, changed as a rule says."""
    if not request.submit.is_in():
        length = request.submit.length
        if what.name == "short":
            return replace(reply, length=min(what.count, length))
        return reply
    asked = request.submit.length
    return replace(reply, data=_bytes(reply.data, what, asked), length=None)


def _bytes(data: bytes, what: What, asked: int) -> bytes:
    """asked: how many bytes there can be."""
    if what.name == "short":
        return data[:what.count]
    if what.name == "long":
        return data + bytes(max(0, asked - len(data)) + what.count)
    if what.name == "data":
        return what.data
    if what.name == "flip" and what.offset < len(data):
        flipped = bytearray(data)
        flipped[what.offset] ^= what.mask
        return bytes(flipped)
    return data


def _likeness(request: Request) -> Tuple[bytes, int, bytes]:
    """What two tries of one transfer have in common."""
    submit = request.submit
    return submit.setup, submit.length, bytes(submit.data)


def _exact(working: _Working) -> str:
    """The rule, with the numbers of the requests it was applied to."""
    head, _, tail = working.rule.text.partition(":")
    words = [word for word in head.split()
             if word.partition("=")[0] not in (
                 "nth", "every", "after", "times", "p", "seed")]
    numbers = ",".join(map(str, working.applied))
    return f"{' '.join(words)} nth={numbers}:{tail}"


def _shown(request: Request) -> str:
    submit = request.submit
    if submit.type == TransferType.CONTROL:
        return str(Setup.decode(submit.setup))
    return (f"endpoint 0x{submit.endpoint:02x}, {submit.length} bytes")
