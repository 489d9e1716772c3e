# SPDX-License-Identifier: GPL-2.0-or-later
"""The fuzzers: how each is built, run and repeated."""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import bases
import cases
import mutants
import runner
import suites
from common import BUILD, ROOT, say

FOLDER = BUILD / 'fuzz'
SOURCES = ROOT / 'tests' / 'fuzz'
CONTROLLERS = ('xhci', 'uhci', 'ohci', 'ehci')
REPORT = 10.0           # seconds between two lines
GRACE = 180             # seconds for starting, and for the last input
WARNINGS = ('-std=c99', '-g', '-O1', '-Wall', '-Wextra', '-Werror')
LIBFUZZER = ('clang', '-fsanitize=fuzzer,address,undefined',
             '-fno-sanitize-recover=all')


@dataclass(frozen=True)
class Command:
    arguments: list
    cwd: Path = ROOT
    environment: dict = field(default_factory=dict)

    def __str__(self):
        """A line for a shell."""
        settings = [f'{key}={value}'
                    for key, value in self.environment.items()]
        words = [str(word) for word in self.arguments]
        line = shlex.join(['env', *settings, *words] if settings else words)
        return line if self.cwd == ROOT else \
            f'(cd {shlex.quote(str(self.cwd))} && {line})'


class Fuzzer:
    """What all have in common."""

    device = False      # does it run the device?
    counted = re.compile(r'(?P<who>)(?P<count>\d+) executions')

    def __init__(self, name):
        self.name = name

    @property
    def folder(self):
        return FOLDER / self.name

    def command(self, seconds, seed):
        """The command that runs it; everything that it needs is built."""
        raise NotImplementedError

    def repeat(self, command, path):
        """The command that runs the input in a file alone."""
        raise NotImplementedError


class Device(Fuzzer):
    """A case of usb-remote-test, on each controller for a share of time."""

    device = True
    counted = re.compile(r'(?P<who>[uoex]hci): (?P<count>\d+) '
                         r'(?:executions|steps)')

    def __init__(self, name, case, seconds):
        super().__init__(name)
        self.case, self.seconds = case, seconds

    def qtest(self, controllers, environment):
        names = [f'{mutants.ARCH}/usb-remote/{name}/{self.case}'
                 for name in controllers]
        arguments = [word for name in names for word in ('-p', name)]
        suite, = suites.qtests(
            'fuzz', bases.chosen(), 'asan',
            ((suites.OWN_TEST[0], arguments, 0),),
            {**suites.SANITIZERS, **environment})
        return Command(suite.command, suite.folder, suite.environment)

    def command(self, seconds, seed):
        share = max(1, round(seconds / len(CONTROLLERS)))
        return self.qtest(CONTROLLERS, {
            'QTEST_SEED': str(seed), self.seconds: str(share),
            'USB_REMOTE_FUZZ_DIR': str(self.folder)})

    def repeat(self, command, path):
        return self.qtest([path.name.rpartition('-')[2]],
                          {'USB_REMOTE_FUZZ_INPUT': str(path)})


def build(compiler, source, program, include=()):
    """Compile one of tests/fuzz; what is in the folders comes first."""
    folders = [*include, ROOT / 'hw/usb', ROOT / 'tests/unit']
    cases.command(*compiler, *WARNINGS, *[f'-I{path}' for path in folders],
                  '-o', program, SOURCES / source)


class Codec(Fuzzer):
    """The C codec under libFuzzer, with the vectors to begin with."""

    counted = re.compile(r'^(?P<who>)(?:#|Done )(?P<count>\d+)')

    def __init__(self, name, include=()):
        super().__init__(name)
        self.include = include

    def vectors(self):
        corpus = self.folder / 'corpus'
        corpus.mkdir()
        text = (ROOT / 'tests/vectors/messages.txt').read_text()
        lines = [line for line in text.splitlines()
                 if line and not line.startswith('#')]
        for number, line in enumerate(lines):
            _, sender, data, *_ = [part.strip() for part in line.split('|')]
            (corpus / f'vector-{number:03}').write_bytes(
                bytes([sender == 'peer', number % 256])
                + bytes.fromhex(data))
        return corpus

    def command(self, seconds, seed):
        program = self.folder / 'codec'
        build(LIBFUZZER, 'codec.c', program, self.include)
        return Command([program, f'-max_total_time={max(1, int(seconds))}',
                        f'-seed={seed}', '-timeout=10', '-max_len=4096',
                        f'-artifact_prefix={self.folder}/input-',
                        self.vectors(), SOURCES / 'corpus/codec'])

    def repeat(self, command, path):
        return Command([command.arguments[0], path])


class Python(Fuzzer):
    """The Python codec and session, with the C codec to compare with."""

    def __init__(self, name, package=ROOT / 'python'):
        super().__init__(name)
        self.package = package

    def script(self, *arguments):
        return Command([suites.PYTHON, SOURCES / 'python_codec.py',
                        '--package', self.package,
                        '--verdict', self.folder / 'verdict', *arguments])

    def command(self, seconds, seed):
        build(('gcc',), 'verdict.c', self.folder / 'verdict')
        return self.script('--seconds', str(seconds), '--seed', str(seed),
                           '--save', self.folder / 'input')

    def repeat(self, command, path):
        return self.script(path)


ALL = (
    Device('peer', 'peer-sends-anything', 'USB_REMOTE_FUZZ_SECONDS'),
    Device('guest', 'guest-writes-anything', 'USB_REMOTE_FUZZ_SECONDS'),
    Device('walk', 'random-walk-leaves-nothing-behind',
           'USB_REMOTE_WALK_SECONDS'),
    Codec('codec'),
    Python('python'),
)


class Run:
    """One fuzzer for some seconds."""

    def __init__(self, fuzzer, seconds, seed):
        self.fuzzer, self.seconds, self.seed = fuzzer, seconds, seed
        self.counts = {}        # executions, of each controller
        self.took = 0.0
        self.folder = fuzzer.folder     # of its log and inputs
        self.command = None

    @property
    def log(self):
        return self.folder / 'log'

    @property
    def executions(self):
        return sum(self.counts.values())

    def look(self, lines):
        for line in lines:
            match = self.fuzzer.counted.search(line)
            if match:
                self.counts[match['who']] = int(match['count'])

    def follow(self, process, file):
        """Read the log until the process ends; False when it hangs."""
        started = said = time.monotonic()
        rest = ''
        while self.took < self.seconds + GRACE:
            ended = process.poll() is not None
            *lines, rest = (rest + file.read()).split('\n')
            self.look(lines)
            self.took = time.monotonic() - started
            if ended:
                return True
            if self.took >= said - started + REPORT:
                said = time.monotonic()
                say(f'  {self.fuzzer.name}: {self.took:.0f} s, '
                    f'{self.executions} executions')
            time.sleep(runner.POLL)
        return False

    def start(self, output):
        environment = {**os.environ, **self.command.environment,
                       'TMPDIR': str(self.fuzzer.folder / 'tmp')}
        return subprocess.Popen(
            [str(word) for word in self.command.arguments],
            cwd=self.command.cwd, env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

    def run(self):
        """Returns what it found, in words, or None."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / 'tmp').mkdir(parents=True)
        self.command = self.fuzzer.command(self.seconds, self.seed)
        with self.log.open('wb') as output, \
                self.log.open(errors='replace') as file:
            process = self.start(output)
            try:
                in_time = self.follow(process, file)
            finally:
                runner.end_group(process)
        if not in_time:
            return f'not done {GRACE} s after its time'
        return None if process.returncode == 0 else \
            f'ended with status {process.returncode}'

    def keep(self):
        """Put aside log, inputs and what to do with them: the next run
        empties the folder."""
        kept = next(path for path in (
            FOLDER / 'found' / f'{self.fuzzer.name}-{number}'
            for number in itertools.count(1)) if not path.exists())
        kept.mkdir(parents=True)
        for path in (self.log, *self.inputs()):
            path.rename(kept / path.name)
        self.folder = kept
        (kept / 'again').write_text(f'{self.repeat()}\n')

    def inputs(self):
        """Files with what was used, what was used last at the end."""
        return sorted(self.folder.glob('input*'),
                      key=lambda path: path.stat().st_mtime)

    def repeat(self):
        """The command that shows again what was found."""
        *_, path = None, *self.inputs()
        return self.fuzzer.repeat(self.command, path) if path \
            else self.command
