# SPDX-License-Identifier: GPL-2.0-or-later
"""The results of a run in a folder: index.jsonl, and the logs of each trial."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

from .errors import Problem
from .trial import Outcome, Result

INDEX = "index.jsonl"
FLAKY = "flaky"
Key = Tuple[str, str, str]


@dataclass(frozen=True)
class Entry:
    """
    One trial of a run.  result: good, bad or skipped; why: reasons in a
    line; seconds: from the plug to the verdict.
    """

    device: str
    kernel: str
    controller: str
    result: str
    why: str = ""
    drivers: List[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def key(self) -> Key:
        """What was tried; several entries of a run may have the same."""
        return self.device, self.kernel, self.controller


def entry(device: str, outcome: Outcome) -> Entry:
    """What is kept of an outcome."""
    why = "; ".join(outcome.reasons).splitlines()
    return Entry(device, outcome.kernel, outcome.controller,
                 outcome.result.name.lower(), " ".join(why),
                 outcome.seen.bound(), round(outcome.took, 2))


def write(folder: Path, entries: Iterable[Entry]) -> None:
    """The index of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(asdict(one), sort_keys=True) for one in entries]
    (folder / INDEX).write_text("".join(f"{line}\n" for line in lines))


def read(folder: Path) -> List[Entry]:
    """The index of a run; raises Problem for what is none."""
    path = folder / INDEX if folder.is_dir() else folder
    try:
        lines = path.read_text().splitlines()
        return [Entry(**json.loads(line)) for line in lines if line.strip()]
    except OSError as err:
        raise Problem(f"{path}: {err.strerror}") from None
    except (ValueError, TypeError):
        raise Problem(f"{path} is not the index of a run") from None


def verdicts(entries: Iterable[Entry]) -> Dict[Key, str]:
    """One for each that was tried: a result, or flaky."""
    found: Dict[Key, str] = {}
    for one in entries:
        before = found.get(one.key, one.result)
        found[one.key] = one.result if before == one.result else FLAKY
    return found


def compare(before: List[Entry], after: List[Entry]
            ) -> "List[Tuple[str, Key]]":
    """
    What differs between two runs, as (word, what was tried): broken, fixed,
    flaky, or the two verdicts with new and gone for what one run has not.
    """
    old, new = verdicts(before), verdicts(after)
    good, bad = Result.GOOD.name.lower(), Result.BAD.name.lower()
    words = {(good, bad): "broken", (bad, good): "fixed"}
    found = []
    for key in sorted({*old, *new}):
        was, now = old.get(key, "new"), new.get(key, "gone")
        if FLAKY in (was, now):
            found.append((FLAKY, key))
        elif was != now:
            found.append((words.get((was, now), f"{was} -> {now}"), key))
    return found
