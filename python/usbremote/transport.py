# SPDX-License-Identifier: MIT
"""
Sockets and asyncio: the only file of the package with either.

serve() connects or listens, keeps a Port fed, and returns or raises when
it is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import stat
from dataclasses import dataclass
from typing import Any, AsyncIterator, Callable, Coroutine, List, Optional

from .device import Device
from .errors import (ConnectionLost, LocalError, NotUsbRemote,
                     ProtocolViolation, RemoteError)
from .port import Factory, Port
from .session import Closed, Counters, PeerSession, Tap
from .signals import Signals
from .watchdog import Watchdog
from ._proto import ByeReason

log = logging.getLogger(__name__)

FIRST_DELAY = 0.1               # seconds between attempts to connect
LAST_DELAY = 2.0
PATIENCE = 2.0                  # until it is told that nobody says HELLO
CLOSE_TIME = 1.0                # seconds that the last bytes may take
NO_UNIX = "this system has no unix sockets: use tcp:HOST:PORT"
BUSY = ": is another peer connected there? (--reconnect waits)"


class NoConnection(ConnectionLost):
    """There is nothing to connect to, not yet or not any more."""


@dataclass(frozen=True)
class Address:
    """unix:PATH (then port is 0) or tcp:HOST:PORT."""

    text: str
    host: str
    port: int = 0

    @property
    def is_unix(self) -> bool:
        return self.text.startswith("unix:")

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Raises LocalError with what is wrong."""
        kind, _, rest = text.partition(":")
        if kind == "unix" and rest:
            return cls(text, rest)
        host, _, port = rest.rpartition(":")
        if kind == "tcp" and host and port.isdigit() and int(port) < 65536:
            return cls(text, host.strip("[]"), int(port))
        meant = "" if kind in ("unix", "tcp") else (
            f" (tcp:{text}?)" if rest.isdigit() else f" (unix:{text}?)")
        raise LocalError(f"bad address '{text}': it must be unix:PATH or "
                         f"tcp:HOST:PORT{meant}")


class Link(asyncio.Protocol):
    """
    One connection: bytes between a socket and a Port.

    timeout: seconds that the other side may take to say HELLO; hint: added
    to the error when it does not.
    """

    def __init__(self, port: Port, timeout: Optional[float],
                 hint: str = "") -> None:
        self.port = port
        self.greeted = False
        self.ended: "asyncio.Future[None]" = (
            asyncio.get_running_loop().create_future())
        self.known: "asyncio.Future[None]" = (     # HELLO came, or the end
            asyncio.get_running_loop().create_future())
        self.closed: Optional[Closed] = None
        self._transport: Optional[asyncio.Transport] = None
        self._timeout, self._hint = timeout, hint
        self._timers: List[asyncio.TimerHandle] = []
        port.on_closed = self._on_closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(PATIENCE, self._waits))
        if self._timeout is not None:
            self._timers.append(loop.call_later(self._timeout,
                                                self._too_late))
        self.port.start(self._write)

    def data_received(self, data: bytes) -> None:
        self.port.receive(data)
        if self.port.session.hello is not None:
            self.greeted = True
            self._stop_timer()
            self._set(self.known)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self._stop_timer()
        if exc is not None and self.closed is None:
            self._read_last_words()
        self.port.eof()
        self._set(self.known)
        self._set(self.ended)

    @staticmethod
    def _set(future: "asyncio.Future[None]") -> None:
        if not future.done():
            future.set_result(None)

    def _read_last_words(self) -> None:
        """
        Take what was sent before the connection broke: a failed write ends
        it before the bytes that say why were read.
        """
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            while self.closed is None:
                data = os.read(sock.fileno(), 1 << 16)
                if not data:
                    break
                self.port.receive(data)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _on_closed(self, closed: Closed) -> None:
        self.closed = self.closed or closed
        if self._transport is not None:
            self._transport.close()
            asyncio.get_running_loop().call_later(
                CLOSE_TIME, self._transport.abort)

    def _too_late(self) -> None:
        self.closed = Closed(ConnectionLost(
            f"no answer within {self._timeout:g} s{self._hint}"))
        if self._transport is not None:
            self._transport.abort()

    def _waits(self) -> None:
        log.warning("no answer yet%s", self._hint)

    def _stop_timer(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def result(self) -> Closed:
        """
        How it ended; raises the RemoteError that ended it.  A violation
        names the side that committed it.
        """
        closed = self.closed or Closed(ConnectionLost("lost the connection"))
        error = closed.error
        if isinstance(error, ProtocolViolation) and not isinstance(
                error, NotUsbRemote):
            raise RemoteError(f"the other side broke the protocol: {error}"
                              if self.greeted else str(error)) from error
        if error is not None:
            raise error
        return closed


class Server:
    """
    Runs devices over one address until told to stop.

    factory makes a device per connection from QEMU's HELLO.  With
    reconnect, a lost connection, a removed device and nothing to connect
    to are waited for instead of ending it.  timeout: seconds that QEMU may
    take to say HELLO.  tap makes what listens to one more connection.
    """

    def __init__(self, factory: Factory, address: Address,
                 listen: bool = False, reconnect: bool = False,
                 timeout: Optional[float] = 10.0,
                 counters: Optional[Counters] = None,
                 tap: Callable[[Port], Optional[Tap]] = lambda port: None
                 ) -> None:
        self.factory, self.address = factory, address
        self.listen, self.reconnect = listen, reconnect
        self.timeout = timeout
        self.counters = counters or Counters()
        self.tap = tap
        self.links: List[Link] = []
        self._stop: "Optional[asyncio.Future[None]]" = None

    def devices(self) -> List[Device]:
        """Those of the present connections."""
        return [link.port.device for link in self.links if link.port.device]

    def stop(self) -> None:
        """End all connections in order and have run() return None."""
        if self._stop is not None and not self._stop.done():
            self._stop.set_result(None)

    async def run(self, on_start: Callable[[], None] = lambda: None
                  ) -> Optional[Closed]:
        """
        Connect or listen; returns None after stop(), and how the only
        connection ended without reconnect.

        Raises LocalError for an address that cannot be used, RemoteError
        for what ended the connection.
        """
        self._stop = asyncio.get_running_loop().create_future()
        on_start()
        try:
            return await (self._run_listen() if self.listen
                          else self._run_connect())
        finally:
            await self.close_all()

    async def close_all(self) -> None:
        """End all connections in order."""
        for link in list(self.links):
            link.port.close()
            await link.ended

    def _new_link(self) -> Link:
        session = PeerSession(counters=self.counters)
        port = Port(asyncio.get_running_loop(), self.factory, session)
        session.tap = self.tap(port)
        link = Link(port, self.timeout, "" if self.listen else BUSY)
        self.links.append(link)
        link.ended.add_done_callback(lambda _: self.links.remove(link))
        return link

    async def _until_stop(self, *others: "asyncio.Future[Any]",
                          timeout: Optional[float] = None) -> bool:
        """Wait for stop() or one of others; returns whether it was stop()."""
        assert self._stop is not None
        await asyncio.wait({self._stop, *others}, timeout=timeout,
                           return_when=asyncio.FIRST_COMPLETED)
        return self._stop.done()

    # connecting

    async def _run_connect(self) -> Optional[Closed]:
        delay = FIRST_DELAY
        while True:
            link = self._new_link()
            try:
                closed = await self._connect_once(link)
                if closed is None or not self.reconnect:
                    return closed
                log.warning("%s: %s; connecting again", self.address.text,
                            farewell(closed))
            except ConnectionLost as err:
                if not self.reconnect:
                    raise
                log.info("%s: %s; trying again", self.address.text, err)
            finally:
                if link in self.links and not link.ended.done() and (
                        link.port.session.hello is None):
                    self.links.remove(link)
            delay = FIRST_DELAY if link.greeted else min(2 * delay,
                                                         LAST_DELAY)
            if await self._until_stop(timeout=delay):
                return None

    async def _connect_once(self, link: Link) -> Optional[Closed]:
        task = asyncio.ensure_future(open_link(self.address, link))
        if await self._until_stop(task) and not task.done():
            task.cancel()
            return None
        task.result()
        if await self._until_stop(link.ended):
            return None
        return link.result()

    # listening

    async def _run_listen(self) -> Optional[Closed]:
        first: "asyncio.Future[Link]" = (
            asyncio.get_running_loop().create_future())
        async with self.listening(first):
            if await self._until_stop(first):
                return None
            return first.result().result()

    @contextlib.asynccontextmanager
    async def listening(self, first: "asyncio.Future[Link]"
                        ) -> AsyncIterator[None]:
        """
        Accept connections meanwhile; without reconnect, first gets the one
        that ends first.
        """
        def connected() -> Link:
            link = self._new_link()
            link.ended.add_done_callback(lambda _: self._ended(link, first))
            return link

        server = await self._open_server(connected)
        try:
            yield
        finally:
            server.close()
            if self.address.is_unix:
                with contextlib.suppress(OSError):
                    os.unlink(self.address.host)

    def _ended(self, link: Link, first: "asyncio.Future[Link]") -> None:
        if not self.reconnect:
            if not first.done():
                first.set_result(link)
            return
        try:
            log.info("%s: %s", self.address.text, farewell(link.result()))
        except RemoteError as err:
            log.warning("%s: %s", self.address.text, err)

    async def _open_server(self, factory: Callable[[], Link]
                           ) -> asyncio.AbstractServer:
        loop = asyncio.get_running_loop()
        try:
            if self.address.is_unix:
                remove_dead_socket(self.address.host)
                return await loop.create_unix_server(factory,
                                                     self.address.host)
            return await loop.create_server(factory, self.address.host,
                                            self.address.port)
        except NotImplementedError:
            raise LocalError(NO_UNIX) from None
        except OSError as err:
            raise LocalError(f"cannot listen: {reason(err)}") from None


async def open_link(address: Address, link: Link) -> None:
    """Connect; raises NoConnection, LocalError for what is no socket."""
    loop = asyncio.get_running_loop()
    transport: asyncio.BaseTransport
    try:
        if address.is_unix:
            check_socket(address.host)
            transport, _ = await loop.create_unix_connection(
                lambda: link, address.host)
        else:
            transport, _ = await loop.create_connection(
                lambda: link, address.host, address.port)
    except NotImplementedError:
        raise LocalError(NO_UNIX) from None
    except OSError as err:
        hint = (" (is QEMU running? --reconnect waits for it)"
                if err.errno != errno.EACCES else "")
        raise NoConnection(f"cannot connect: {reason(err)}{hint}") from None
    set_no_delay(transport)


def farewell(closed: Closed) -> str:
    """A sentence about a connection that ended in order."""
    if closed.bye is ByeReason.REMOVED:
        return "QEMU removed the device"
    text = "QEMU said goodbye"
    return f"{text} ({closed.text})" if closed.text else text


def reason(err: OSError) -> str:
    """What went wrong, without the address that asyncio adds."""
    known = (err.errno or 0) > 0
    return os.strerror(err.errno or 0) if known else err.strerror or str(err)


def check_socket(path: str) -> None:
    """Raises LocalError when something else than a socket is there."""
    with contextlib.suppress(OSError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise LocalError(f"cannot connect: {path} is not a socket")


def remove_dead_socket(path: str) -> None:
    """Take away a socket that nobody listens on; raises LocalError."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as err:      # asyncio would log it, and go on to fail
        raise LocalError(f"cannot listen: {err.strerror}") from None
    if not stat.S_ISSOCK(mode):
        raise LocalError(f"cannot listen: {path} is there and not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        else:
            raise LocalError(f"cannot listen: {path} is in use")


def set_no_delay(transport: asyncio.BaseTransport) -> None:
    """A small answer must not wait for the one before it."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


Background = Callable[[Server], Coroutine[Any, Any, None]]


def run_until_signal(server: Server, signals: Signals,
                     background: Optional[Background] = None
                     ) -> Optional[Closed]:
    """
    Run a server on a loop of its own until it ends, or a signal stops it;
    background runs beside.  Raises KeyboardInterrupt where the loop does not
    get to the signal.
    """
    async def main() -> Optional[Closed]:
        loop = asyncio.get_running_loop()
        with signals.attached(loop), Watchdog():
            if background is None:
                return await server.run()
            beside = loop.create_task(background(server))
            try:
                return await server.run()
            finally:
                beside.cancel()

    return asyncio.run(main())
