# SPDX-License-Identifier: GPL-2.0-or-later
"""The Test Anything Protocol: reading what suites print, and printing it."""

import re
from dataclasses import dataclass, field

RESULT = re.compile(
    r'^(?P<indent>\s*)(?P<not>not )?ok\b(?:\s+\d+)?(?:\s+-?\s*)?(?P<name>.*)$')
PLAN = re.compile(r'^1\.\.(\d+)(?:\s*#\s*(?P<directive>.*))?$')
SKIP = re.compile(r'\s*(?<!\\)#\s*(?:SKIP|TODO)\S*\s*(?P<reason>.*)$', re.I)


@dataclass
class Result:
    """One case: its reason is set when it was skipped."""
    name: str
    passed: bool
    reason: str = None


@dataclass
class Reader:
    """Turns TAP lines into results; a group's own line is not a case."""
    results: list = field(default_factory=list)
    planned: int = None
    bailed: str = None
    counted: int = 0        # results at the outermost level
    deepest: int = 0        # indentation of results since the last outer one

    def feed(self, line):
        """Read a line; returns the Result if it was one."""
        plan, result = PLAN.match(line), RESULT.match(line)
        if line.startswith('Bail out!'):
            self.bailed = line[9:].strip() or self.last_words() or \
                'no reason given'
        elif plan:
            return self.plan(plan)
        elif result:
            return self.result(result)
        return None

    def last_words(self):
        """What GLib 2.84 says of the case that died, and not when it bails."""
        last = self.results[-1:]
        return last[0].name.partition(' - ')[2] if last else ''

    def plan(self, match):
        self.planned = int(match[1])
        if self.planned or not match['directive']:
            return None
        reason = re.sub(r'^SKIP\S*\s*', '', match['directive'], flags=re.I)
        return self.add(Result('all of it', True, reason or 'no reason given'))

    def result(self, match):
        depth = len(match['indent'])
        if depth == 0:
            self.counted += 1
        group = depth < self.deepest
        self.deepest = depth
        name, skip = match['name'], SKIP.search(match['name'])
        reason = None
        if skip:
            name = name[:skip.start()]
            reason = skip['reason'] or 'no reason given'
        result = Result(name.strip() or 'unnamed', not match['not'], reason)
        if group and result.passed:
            return None
        return self.add(result)

    def add(self, result):
        self.results.append(result)
        return result

    def complaint(self):
        """What is wrong with the output as a whole, or None."""
        if self.bailed:
            return f'bailed out: {self.bailed}'
        if not self.results:
            return 'printed no test'
        if self.planned is None:
            return 'printed no plan: it ended early'
        if self.planned not in (0, self.counted):
            return f'planned {self.planned} tests, ran {self.counted}'
        return None


class Writer:
    """Prints results as TAP."""

    def __init__(self):
        self.count = self.failed = self.skipped = 0

    def line(self, passed, name, reason=None, detail=''):
        self.count += 1
        self.failed += not passed
        self.skipped += reason is not None
        skip = f' # SKIP {reason}' if reason else ''
        print(f'{"ok" if passed else "not ok"} {self.count} - {name}{skip}')
        for text in detail.splitlines():
            print(f'# {text}')
        print(end='', flush=True)

    def done(self):
        """Print the plan; returns the exit status."""
        print(f'1..{self.count}', flush=True)
        return 1 if self.failed else 0
