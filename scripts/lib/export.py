# SPDX-License-Identifier: GPL-2.0-or-later
"""The patch series: one commit for each stage of the overlay."""

import re
import subprocess
import tempfile
from pathlib import Path

import overlay
from common import ROOT, Failure, data_lines, shown, write_changed
from gitrepo import Repository

ALLOWED = ROOT / 'overlay' / 'checkpatch-allowed'
MIT_NOTE = re.compile(r"WARNING: Saw acceptable license 'MIT\s*' but note")


def identity():
    """The exporter's own name and address, from their git configuration."""
    values = [subprocess.run(['git', 'config', key], cwd=ROOT, text=True,
                             stdout=subprocess.PIPE, check=False).stdout.strip()
              for key in ('user.name', 'user.email')]
    if not all(values):
        raise Failure('the patches carry your own sign-off, so set both first: '
                      'git config --global user.name "Your Name"; '
                      'git config --global user.email you@example.org')
    return values


def patch_message(patch):
    """The commit message in the header of one of overlay/patches."""
    text = patch.read_text()
    head = re.split(r'^(?:---|diff --git .*|--- a/.*)$', text, maxsplit=1,
                    flags=re.M)[0]
    fields, _, body = head.partition('\n\n')
    fields = re.sub(r'\n[ \t]+', ' ', fields)
    subject = re.search(r'^Subject:\s*(?:\[[^]]*\]\s*)?(.*)$', fields, re.M)
    if not subject:
        raise Failure(f'{shown(patch)}: no "Subject:" line in its header')
    return f'{subject[1]}\n\n{body.strip()}\n'


def message(stage):
    if isinstance(stage, Path):
        text = patch_message(stage)
    else:
        path = ROOT / 'overlay/messages' / stage.name
        if not path.is_file():
            raise Failure(f'{shown(path)} is missing: the commit message of '
                          f'[{stage.name}] in overlay/series')
        text = path.read_text()
    return re.sub(r'^Signed-off-by:.*\n', '', text, flags=re.M)


def write_series(base, out, name, email):
    """Write the patches to the folder; returns them in order."""
    stages = [(stage, files) for stage, files
              in overlay.Overlay(base).stages()]
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(Path(folder), name, email)
        for path in stages[-1][1]:
            if (base.pristine / path).is_file():
                write_changed(Path(folder, path),
                              (base.pristine / path).read_bytes())
        repository.commit_all('base')
        for stage, files in stages:
            for path, data in files.items():
                write_changed(Path(folder, path), data)
            repository.commit_all(message(stage), '-s')
        repository.git('format-patch', '-q', '--no-signature', '--root', '-o',
                       out.resolve(), f'HEAD~{len(stages)}..')
    return sorted(out.glob('*.patch'))


def reports(output):
    """checkpatch.pl's reports; the one on licences ends without a newline."""
    parts = re.split(r'(?:^|(?<=commit message\.))(?=(?:ERROR|WARNING): )',
                     output, flags=re.M)
    return [part.partition('\n\n')[0] for part in parts[1:]]


def mit_files(patch):
    """The files under the MIT licence that a patch adds."""
    name, found = None, set()
    for line in patch.read_text().splitlines():
        if line.startswith('+++ b/'):
            name = line[6:]
        elif re.match(r'\+.*SPDX-License-Identifier: MIT\b', line):
            found.add(name)
    return found


def check_patch(base, patch):
    """QEMU's own checkpatch.pl has nothing to say but what is allowed."""
    run = subprocess.run(
        ['perl', 'scripts/checkpatch.pl', '--no-summary', patch.resolve()],
        cwd=base.pristine, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = reports(run.stdout)
    bad = [text for text in found if not MIT_NOTE.match(text)]
    if bad or (run.returncode != 0 and not found):
        raise Failure(f'{patch.name}: checkpatch.pl says\n'
                      + ('\n'.join(bad) or run.stdout))
    unlisted = mit_files(patch) - set(data_lines(ALLOWED)) if found else ()
    if unlisted:
        raise Failure(f'{patch.name}: overlay/checkpatch-allowed does not '
                      'list ' + ', '.join(sorted(unlisted)))


def prepare_folder(name):
    """The folder to export to, which has to be new or empty."""
    if not name:
        raise Failure('say where to: make series OUT=DIR')
    out = Path(name)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Failure(f'{out}: not an empty folder')
    out.mkdir(parents=True, exist_ok=True)
    return out
