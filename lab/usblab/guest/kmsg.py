# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest kernel's log, followed as it is written."""

from __future__ import annotations

import itertools
import re
from typing import Callable, List, Optional

from .agent import Agent

# What a kernel prints when something in it has gone wrong.
TROUBLE = re.compile(
    r"\bBUG\b|\bOops\b|Kernel panic|KASAN|KCSAN|UBSAN|"
    r"WARNING: (CPU|possible|\S+:\d+ at )|inconsistent lock state|detected stall|"
    r"general protection|Call Trace|soft lockup|hung_task|blocked for more|"
    r"unable to handle|refcount_t|list_(add|del) corruption|"
    r"nobody cared|host controller (died|not responding)|HC died")

ERROR, LOWEST = 3, 7        # levels of messages, as syslog has them


class KernelLog:
    """Lines of /dev/kmsg, without their prefixes."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._job = agent.start("cat /dev/kmsg")
        self._syncs = itertools.count(1)

    def show(self, function: Optional[Callable[[str], None]]) -> None:
        """Have @function called with each line from now on, or None."""
        self._job.on_line = None
        if function is not None:
            shown = function
            self._job.on_line = lambda line: shown(_text(line))

    def mark(self) -> int:
        """A place in the log: what comes later is after it."""
        return len(self._job.lines)

    def since(self, mark: int) -> List[str]:
        """The lines after @mark, without the details some are followed by."""
        return [_text(line) for line in self._job.lines[mark:]
                if not line.startswith(" ")]

    def errors(self, mark: int) -> List[str]:
        """Those after @mark that the kernel itself calls errors."""
        return [_text(line) for line in self._job.lines[mark:]
                if _priority(line) <= ERROR]

    def wait(self, pattern: str, mark: int = 0,
             timeout: float = 20) -> "re.Match[str]":
        """Wait for a line with @pattern after @mark; returns the match."""
        return self._job.wait_line(pattern, timeout, mark)

    def sync(self) -> None:
        """Wait until all that the kernel has logged by now is here."""
        word = f"log-sync-{next(self._syncs)}"
        mark = self.mark()
        self._agent.run(f"echo {word} > /dev/kmsg")
        self.wait(f"{word}$", mark)

    def trouble(self, mark: int = 0) -> List[str]:
        """The lines after @mark that no healthy kernel prints."""
        return [line for line in self.since(mark) if TROUBLE.search(line)]


def _priority(record: str) -> int:
    """The level in a kmsg record's prefix; the facility is above it."""
    head = re.match(r"(\d+),\d+,", record)
    return int(head[1]) & 7 if head else LOWEST


def _text(record: str) -> str:
    """The message of a kmsg record `6,341,2912,-;message`."""
    head, semicolon, message = record.partition(";")
    return message if semicolon and head[:1].isdigit() else record
