# SPDX-License-Identifier: GPL-2.0-or-later
"""git in a folder of its own, whatever the user's settings are."""

import os
import subprocess

from common import Failure

PLAIN = {'GIT_CONFIG_GLOBAL': '/dev/null', 'GIT_CONFIG_SYSTEM': '/dev/null',
         'GIT_CEILING_DIRECTORIES': '/'}


class Repository:
    """A git repository with an identity and nothing else configured."""

    def __init__(self, folder, name, email):
        self.folder = folder
        self.identity = {
            f'GIT_{who}_{what}': value for who in ('AUTHOR', 'COMMITTER')
            for what, value in (('NAME', name), ('EMAIL', email))}
        self.git('init', '-q', '-b', 'main')

    def git(self, *arguments, text=None):
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith('GIT_')}
        run = subprocess.run(
            ['git', '-c', 'gc.auto=0', *map(str, arguments)],
            cwd=self.folder, input=text,
            env={**kept, **PLAIN, **self.identity}, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if run.returncode != 0:
            raise Failure(f'git {arguments[0]}: {run.stderr.strip()}')
        return run.stdout

    def commit_all(self, message, *options):
        self.git('add', '-A', '-f', '.')
        self.git('commit', '-q', '-F', '-', *options, text=message)
