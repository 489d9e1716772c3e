# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths, messages and failures shared by the build scripts."""

import fcntl
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / 'build'
LOGS = BUILD / 'logs'


class Failure(Exception):
    """Something a person has to act on: the message says what."""


class Unavailable(Failure):
    """What was asked for cannot be had here: tests skip with the message."""


EXIT_FAILED = 1
EXIT_UNAVAILABLE = 77


def say(text):
    print(text, flush=True)


def shown(path):
    """A path as a person wants to read it: relative where it is ours."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) \
        else str(path)


def data_lines(path):
    """The lines of a data file without comments and empty lines."""
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith('#'):
            yield line


def write_changed(path, data, mode=None):
    """Write a file in one step, only when that changes it."""
    if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + '.new')
    temporary.write_bytes(data)
    if mode is not None:
        temporary.chmod(mode)
    os.replace(temporary, path)
    return True


@contextmanager
def locked(folder):
    """Only one program at a time makes something in a folder.

    Children inherit the lock, so that what outlives a killed build is waited
    for as well."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / 'lock').open('w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f'waiting for others at work in {shown(folder)}')
            fcntl.flock(file, fcntl.LOCK_EX)
        os.set_inheritable(file.fileno(), True)
        yield


def explained(error):
    """One line about a file that cannot be used, or a full disk."""
    if not error.filename:
        return str(error)
    path = Path(os.fsdecode(error.filename))
    text = f'{shown(path)}: {error.strerror}'
    if isinstance(error, PermissionError) and path.is_relative_to(BUILD):
        text = f'cannot write {text} (built by another user?)'
    return text


def terminated(_signum, _frame):
    raise KeyboardInterrupt


def main(function):
    """Run a script's main function with the project's exit conventions."""
    name = Path(sys.argv[0]).name
    signal.signal(signal.SIGTERM, terminated)
    try:
        sys.exit(function(sys.argv[1:]) or 0)
    except Unavailable as failure:
        print(f'{name}: {failure}', file=sys.stderr)
        sys.exit(EXIT_UNAVAILABLE)
    except Failure as failure:
        print(f'{name}: {failure}', file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except OSError as error:
        print(f'{name}: {explained(error)}', file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        print(f'{name}: interrupted; the same command carries on',
              file=sys.stderr)
        sys.exit(130)
