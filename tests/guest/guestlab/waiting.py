# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for what gives no notice of itself, such as a file's content."""

import time

from guestlab.places import Failure

LOOK_EVERY = 0.01       # seconds


def wait_until(ready, timeout, complaint):
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
