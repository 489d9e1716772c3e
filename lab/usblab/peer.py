# SPDX-License-Identifier: GPL-2.0-or-later
"""A device in a process of its own, and what it was asked."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from usbremote import Setup

from .errors import Problem
from .guest.waiting import wait_until
from .places import PYTHON, TOP
from .serve import BAD_DEVICE

UNHANDLED = re.compile(r"nobody answered (\d+ x .*)")
REFUSED = re.compile(r"QEMU did not attach the device: (.*)")


class Peer:
    """One running device.  Use with `with`."""

    def __init__(self, folder: Path, device: str, address: str,
                 options: Sequence[str] = ()) -> None:
        self.log = folder / "peer.log"
        self.transcript = folder / "transcript.jsonl"
        command = [PYTHON, "-m", "usblab.serve", device, "--connect", address,
                   "-v", "--transcript", str(self.transcript), *options]
        path = os.pathsep.join([str(TOP / "lab"), str(TOP / "python"),
                                os.environ.get("PYTHONPATH", "")])
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PYTHONPATH": path})

    def wait_plugged(self) -> None:
        """
        Until QEMU has plugged it in; raises Problem for a device that is
        none, or that this controller cannot have.
        """
        def plugged() -> bool:
            text = self.log_text()
            refused = REFUSED.search(text)
            if refused:
                raise Problem(f"the device was not plugged in: {refused[1]}")
            if self.process.poll() is not None:
                raise self._ended(text)
            return "plugged in at" in text
        wait_until(plugged, 30, lambda: "the device was not plugged in:\n"
                   + self.log_text())

    def _ended(self, text: str) -> Problem:
        last = text.strip().splitlines()[-1:] or ["it said nothing"]
        said = re.sub(r"^[^:]*: ", "", last[0])
        if self.process.returncode == BAD_DEVICE:
            return Problem(said)
        return Problem(f"the device ended with status "
                       f"{self.process.returncode}: {said}")

    def log_text(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace")

    def requests(self) -> int:
        """A number that grows with each request and answer."""
        try:
            return self.transcript.stat().st_size
        except OSError:
            return 0

    def control_requests(self) -> int:
        """How many requests to endpoint 0 there were."""
        return sum(record.get("endpoint") == 0 for record in self._records())

    def unplug(self) -> None:
        """End it; the device is gone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def unanswered(self) -> List[str]:
        """
        What it was asked and refused as unknown, or never answered; after
        unplug().
        """
        found = UNHANDLED.findall(self.log_text())
        waiting = Counter(map(_request, self._pending()))
        return [*found, *(f"{count} x {text}, no answer at all"
                          for text, count in waiting.items())]

    def faults(self) -> List[str]:
        """The plan of what is to go wrong, and what did."""
        said = [line.partition(": ")[2]
                for line in self.log_text().splitlines()]
        runs = [(text, len(list(same))) for text, same in groupby(
            one for one in said if one.startswith("fault"))]
        return [text if count == 1 else f"{text} ({count} times)"
                for text, count in runs]

    def _pending(self) -> List[Dict[str, Any]]:
        """Control requests that had no answer: taken back, or void."""
        asked: Dict[int, Dict[str, Any]] = {}
        for record in self._records():
            if "submit" in record and record["endpoint"] == 0:
                asked[record["submit"]] = record
            elif record.get("status") not in (None, "CANCELLED"):
                asked.pop(record.get("answer", -1), None)
        return list(asked.values())

    def _records(self) -> List[Dict[str, Any]]:
        try:
            text = self.transcript.read_text()
        except OSError:
            return []
        return [record for record in map(_json, text.splitlines()) if record]

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()


def _json(line: str) -> Optional[Dict[str, Any]]:
    """A record; the last line may be half of one."""
    try:
        record: Dict[str, Any] = json.loads(line)
        return record
    except ValueError:
        return None


def _request(record: Dict[str, Any]) -> str:
    return str(Setup.decode(bytes.fromhex(record["setup"])))
