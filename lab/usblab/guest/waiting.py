# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for what gives no notice of itself, such as a file's content."""

from __future__ import annotations

import time
from typing import Any, Callable, Union

from ..places import Failure

LOOK_EVERY = 0.01       # seconds


def wait_until(ready: Callable[[], Any], timeout: float,
               complaint: Union[str, Callable[[], str]]) -> Any:
    """Look until @ready() is true and return that; give up with @complaint.

    @complaint is a text, or a function that returns one.
    """
    deadline = time.monotonic() + timeout
    while True:
        result = ready()
        if result:
            return result
        if time.monotonic() >= deadline:
            text = complaint() if callable(complaint) else complaint
            raise Failure(f"{text} within {timeout} s")
        time.sleep(LOOK_EVERY)
