# SPDX-License-Identifier: GPL-2.0-or-later
"""Which lines of the device ran, as the build with sanitizers counts them."""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass, replace

from common import ROOT, Failure, say, shown

FILES = 'hw/usb/dev-remote*.c'
COUNTED = '*/hw_usb_dev-remote*.c.'     # ninja's names of their objects
EXPLAINED = ROOT / 'tests' / 'lines-not-run'
LEAST = 95.0        # percent of the lines


@dataclass(frozen=True)
class Line:
    path: str           # in QEMU's tree
    number: int
    function: str
    text: str
    count: int
    which: str = ''     # of the equal ones in its function

    @property
    def key(self):
        """What names the line when others come before it."""
        return f'{self.function}: {self.text}{self.which}'

    def __str__(self):
        return f'{self.path}:{self.number}: {self.text}{self.which}'


def reset(tree):
    """Nothing has run yet."""
    for path in tree.glob(COUNTED + 'gcda'):
        path.unlink()


def gcov(tree):
    notes = sorted(str(path.relative_to(tree))
                   for path in tree.glob(COUNTED + 'gcno'))
    if not notes:
        raise Failure(f'{shown(tree)}: no line is counted in this build')
    run = subprocess.run(['gcov', '--json-format', '--stdout', *notes],
                         cwd=tree, stdout=subprocess.PIPE, text=True,
                         stderr=subprocess.PIPE, check=False)
    if run.returncode != 0:
        raise Failure(f'gcov in {shown(tree)}: {run.stderr}')
    return [json.loads(line) for line in run.stdout.splitlines() if line]


def lines(source, tree):
    """All lines with code of the device's files, in order."""
    counts = {}
    wanted = {path.resolve(): path for path in source.glob(FILES)}
    for report in gcov(tree):
        for file in report['files']:
            path = wanted.get((tree / file['file']).resolve())
            for line in file['lines'] if path else ():
                key = path, line['line_number']
                count, function = counts.get(key, (0, None))
                counts[key] = (max(count, line['count']),
                               function or line.get('function_name', ''))
    texts = {path: path.read_text().splitlines() for path in wanted.values()}
    return list(tell_apart([
        Line(str(path.relative_to(source)), number, function,
             texts[path][number - 1].strip(), count)
        for (path, number), (count, function) in sorted(counts.items())]))


def tell_apart(some):
    """These lines; those that are equal in their function with " (1 of 2)"."""
    equal, seen = Counter(line.key for line in some), Counter()
    for line in some:
        key = line.key
        seen[key] += 1
        yield line if equal[key] == 1 else \
            replace(line, which=f' ({seen[key]} of {equal[key]})')


def percent(some):
    """Of these lines, those that ran."""
    return 100 * sum(line.count > 0 for line in some) / max(len(some), 1)


def table(all_lines):
    """One line of text for each file, and one for all."""
    def row(name, some):
        ran = sum(line.count > 0 for line in some)
        return f'{name:<32} {ran:5} of {len(some):5} lines ' \
               f'{percent(some):6.1f} %'
    for path in sorted({line.path for line in all_lines}):
        yield row(path, [line for line in all_lines if line.path == path])
    yield row('all', all_lines)


def explanations(path=EXPLAINED):
    """Reason of each line (its key) that no test can reach."""
    reason, reasons, heading = '', {}, False
    for line in path.read_text().splitlines():
        if line.startswith('#') or not line.strip():
            heading = False
        elif not line.startswith(' '):
            reason = f'{reason} {line}' if heading else line
            heading = True
        else:
            reasons[line.strip()] = reason
            heading = False
    return reasons


def show(title, lines, reasons):
    if lines:
        say(f'\n{title}')
    last = None
    for line in lines:
        reason = reasons.get(line.key)
        if reason and reason != last:
            say(f'  {reason}')
        last = reason
        say(f'    {line}')


def judge(lines, reasons):
    """Show what did not run; returns what is to be complained about."""
    there = {line.key for line in lines}
    missed = [line for line in lines if not line.count]
    unexplained = [line for line in missed if line.key not in reasons]
    gone = [key for key in reasons if key not in there]
    show('Not run, and why:',
         [line for line in missed if line.key in reasons], reasons)
    show('Not run, and not explained:', unexplained, reasons)
    explained = shown(EXPLAINED)
    if unexplained:
        yield f'{len(unexplained)} lines did not run and are not explained'
    for key in gone:
        yield f'{explained}: there is no line "{key}"'
    if percent(lines) < LEAST:
        yield f'{percent(lines):.1f} % of the lines ran, which is ' \
              f'less than {LEAST} %'
