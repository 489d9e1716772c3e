# SPDX-License-Identifier: GPL-2.0-or-later
"""Results, as lines for a person or as TAP, and the logs that explain them."""

import re
import shutil
import time
from pathlib import Path

from guestlab.places import BUILD
from common import shown


class Reporter:
    """Counts and prints; keeps logs of failed cases."""

    def __init__(self, planned, tap, keep):
        self._tap = tap
        self._keep = Path(keep) if keep else None
        self._failed_logs = BUILD / "guest" / "failed"
        self._counts = {"passed": 0, "failed": 0, "skipped": 0}
        self._started = time.monotonic()
        shutil.rmtree(self._failed_logs, ignore_errors=True)
        if tap:
            print(f"TAP version 13\n1..{planned}", flush=True)

    def start(self, _case):
        """A case begins."""
        self._started = time.monotonic()

    def passed(self, case, lab, warm):
        """The case is good."""
        if self._keep:
            _copy_logs(lab, warm, self._keep / _slug(case.name))
        self._result("passed", case, detail="\n".join(lab.notes))

    def failed(self, case, reason, lab, warm):
        """The case is not good; @reason may have many lines."""
        folder = (self._keep or self._failed_logs) / _slug(case.name)
        _copy_logs(lab, warm, folder)
        self._result("failed", case, detail=f"{reason.strip()}\n"
                     f"logs: {shown(folder)}")

    def skipped(self, case, reason):
        """The case cannot be run here."""
        self._result("skipped", case, skip=str(reason))

    def bail_out(self, reason):
        """No more cases will be run."""
        print(f"Bail out! {reason}" if self._tap else reason, flush=True)

    def finish(self):
        """Print the sum; the exit status."""
        counts = self._counts
        mark = "# " if self._tap else ""
        print(f"{mark}{counts['passed']} passed, {counts['failed']} failed, "
              f"{counts['skipped']} skipped", flush=True)
        return 1 if counts["failed"] else 0

    def _result(self, word, case, detail="", skip=""):
        self._counts[word] += 1
        took = time.monotonic() - self._started
        if self._tap:
            good = "not ok" if word == "failed" else "ok"
            tail = f" # SKIP {skip}" if skip else ""
            print(f"{good} {sum(self._counts.values())} - {case.name}{tail}")
            print(f"# took {took:.1f} s")
        else:
            tail = f": {skip}" if skip else ""
            print(f"{word:8}{case.name} ({took:.1f} s){tail}")
        for line in detail.splitlines():
            print(f"{'# ' if self._tap else '        '}{line}")
        print(end="", flush=True)


def _slug(name):
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _copy_logs(lab, warm, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in lab.folder.iterdir():
        if path.suffix in (".log", ".reports", ".json"):
            shutil.copy(path, folder)
    if lab.uses_warm:
        warm.keep_logs(folder)
