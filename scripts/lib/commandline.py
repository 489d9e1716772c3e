# SPDX-License-Identifier: GPL-2.0-or-later
"""The command lines of the scripts in Python."""

import argparse
import sys
from pathlib import Path


class Parser(argparse.ArgumentParser):
    """--help shows a script's text; what is wrong is one line, status 2."""

    def __init__(self, text):
        super().__init__(prog=f'scripts/{Path(sys.argv[0]).name}',
                         description=text,
                         formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message):
        self.exit(2, f'{self.prog}: {message}; --help shows its use\n')
