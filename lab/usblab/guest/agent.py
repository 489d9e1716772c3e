# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands in the guest, over the result channel (init/agent.h)."""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from typing import Any, BinaryIO, Callable, Dict, List, Optional

from ..places import Failure

# Never used twice, even when a saved guest goes on in another QEMU, which
# another program may have started: the time is what two have in common.
_ids = itertools.count(time.time_ns() >> 10)


class Job:
    """One command in the guest: its lines as they come, then its status."""

    def __init__(self, agent: Agent, command: str,
                 on_line: Optional[Callable[[str], None]] = None) -> None:
        self.command = command
        self.lines: List[str] = []
        self.status: Optional[int] = None
        self.on_line = on_line      # called with each line, by the reader
        self._agent = agent
        self._partial = b""
        self.id = next(_ids)

    def wait_line(self, pattern: str, timeout: float,
                  start: int = 0) -> "re.Match[str]":
        """Wait for a line that has @pattern; returns its match."""
        def look() -> "Optional[tuple[re.Match[str], int]]":
            for index in range(start, len(self.lines)):
                found = re.search(pattern, self.lines[index])
                if found:
                    return found, index
            return None
        found, index = self._agent.wait(
            look, timeout, lambda: f"no line with '{pattern}' from "
            f"'{self.command}' within {timeout} s{self._tail()}", self)
        self.found_at = index
        match: "re.Match[str]" = found
        return match

    def wait_count(self, count: int, timeout: float, what: str) -> None:
        """Wait until @count lines have come."""
        self._agent.wait(
            lambda: len(self.lines) >= count, timeout,
            lambda: f"{len(self.lines)} of {count} {what} within {timeout} s",
            self)

    def wait_end(self, timeout: float) -> int:
        """Wait until the command has ended; returns its exit status."""
        self._agent.wait(lambda: self.status is not None, timeout,
                         lambda: f"'{self.command}' still runs in the guest "
                         f"after {timeout} s{self._tail()}")
        assert self.status is not None
        return self.status

    def kill(self) -> None:
        """End the command and wait for that."""
        if self.status is None:
            self._agent.send(f"kill {self.id}")
            self.wait_end(10)

    def feed(self, data: bytes) -> None:
        """Take output (called by the agent)."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self.lines.append(line.decode(errors="replace"))
            if self.on_line:
                self.on_line(self.lines[-1])

    def finish(self, status: int) -> None:
        """Take the end (called by the agent)."""
        if self._partial:
            self.feed(b"\n")
        self.status = status

    def _tail(self) -> str:
        if not self.lines:
            return "; it printed nothing"
        return "; its last lines:\n  " + "\n  ".join(self.lines[-5:])


class Agent:
    """Our end of the channel; a thread reads it."""

    def __init__(self, sock: socket.socket) -> None:
        self.release: Optional[str] = None
        self._sock = sock
        self._jobs: Dict[int, Job] = {}
        self._gone = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def wait_hello(self, timeout: float) -> None:
        """Wait until the guest has booted."""
        self.wait(lambda: self.release, timeout,
                  lambda: f"the guest did not boot within {timeout} s")

    def start(self, command: str,
              on_line: Optional[Callable[[str], None]] = None) -> Job:
        """Start a shell command line in the guest."""
        if "\n" in command:
            raise Failure(f"more than one line: {command}")
        job = Job(self, command, on_line)
        self._jobs[job.id] = job
        self.send(f"run {job.id} {command}")
        return job

    def run(self, command: str, timeout: float = 20,
            check: bool = True) -> str:
        """Run a shell command line; returns what it printed."""
        job = self.start(command)
        status = job.wait_end(timeout)
        output = "\n".join(job.lines)
        if check and status:
            raise Failure(f"'{command}' in the guest: status {status}\n"
                          f"{output}")
        return output

    def send(self, line: str) -> None:
        """Send one line of the protocol."""
        try:
            self._sock.sendall(line.encode() + b"\n")
        except OSError as error:
            raise Failure(f"the guest cannot be reached: {error.strerror}")

    def wait(self, ready: Callable[[], Any], timeout: float,
             complaint: Callable[[], str], job: Optional[Job] = None) -> Any:
        """Wait until @ready() is true; the end of @job or guest ends it."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                result = ready()
                if result:
                    return result
                left = deadline - time.monotonic()
                if self._gone:
                    raise Failure("the guest has gone: " + complaint())
                if left <= 0 or (job and job.status is not None):
                    raise Failure(complaint())
                self._changed.wait(left)

    def close(self) -> None:
        """End the connection and the thread."""
        try:
            self._sock.shutdown(2)
        except OSError:
            pass
        self._thread.join()
        self._sock.close()

    def _read(self) -> None:
        stream = self._sock.makefile("rb")
        try:
            for line in stream:
                self._take(line.decode().split(), stream)
        except (OSError, ValueError):
            pass
        stream.close()
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def _take(self, words: List[str], stream: BinaryIO) -> None:
        body = stream.read(int(words[2])) if words[0] == "out" else b""
        with self._changed:
            job = None
            if words[0] != "hello":
                job = self._jobs.get(int(words[1]))
            if words[0] == "hello":
                self.release = words[1]
            elif job and words[0] == "out":
                job.feed(body)
            elif job and words[0] == "end":
                job.finish(int(words[2]))
            self._changed.notify_all()
