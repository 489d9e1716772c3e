# SPDX-License-Identifier: GPL-2.0-or-later
"""A small client for QEMU's machine protocol."""

from __future__ import annotations

import json
import socket
import time
from typing import Any, Dict, List


class QmpError(Exception):
    """QEMU refused a command, or did not answer."""


class Qmp:
    """One monitor connection; every wait has a limit in seconds."""

    def __init__(self, sock: socket.socket, timeout: float = 20) -> None:
        self._sock = sock
        self._buffer = b""
        self._events: List[Dict[str, Any]] = []
        self._timeout = timeout
        self._receive(time.monotonic() + timeout)       # the greeting
        self.command("qmp_capabilities")

    def command(self, name: str, /, **arguments: Any) -> Any:
        """Run a command; dashes in argument names are written as _."""
        renamed = {key.replace("_", "-"): value
                   for key, value in arguments.items()}
        return self.raw(name, renamed)

    def raw(self, name: str, arguments: Dict[str, Any]) -> Any:
        """Run a command with its arguments just as they are."""
        return self.message({"execute": name, "arguments": arguments})

    def message(self, message: Dict[str, Any]) -> Any:
        """Run a command that is a whole QMP message."""
        name = message["execute"]
        self._send(message)
        deadline = time.monotonic() + self._timeout
        while True:
            answer = self._receive(deadline)
            if "event" in answer:
                self._events.append(answer)
            elif "error" in answer:
                raise QmpError(f"{name}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def hmp(self, line: str) -> str:
        """Run a line of the human monitor and return what it prints."""
        return str(self.command("human-monitor-command", command_line=line))

    def wait_event(self, name: str, /, timeout: float = 20,
                   **data: Any) -> Dict[str, Any]:
        """Wait for the event @name whose data has all of @data."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self._events:
                if _is(event, name, data):
                    self._events.remove(event)
                    return event
            self._events.append(self._receive(deadline))

    def close(self) -> None:
        """End the connection."""
        self._sock.close()

    def _send(self, message: Dict[str, Any]) -> None:
        try:
            self._sock.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise QmpError(f"QEMU's monitor: {error.strerror}") from None

    def _receive(self, deadline: float) -> Dict[str, Any]:
        while b"\n" not in self._buffer:
            self._sock.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._sock.recv(65536)
            except TimeoutError:
                raise QmpError("QEMU's monitor did not answer in time")
            except OSError as error:
                raise QmpError(f"QEMU's monitor: {error.strerror}")
            if not data:
                raise QmpError("QEMU closed its monitor")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        received: Dict[str, Any] = json.loads(line)
        return received


def _is(event: Dict[str, Any], name: str, data: Dict[str, Any]) -> bool:
    have = event.get("data", {})
    return event.get("event") == name and all(
        have.get(key) == value for key, value in data.items())
