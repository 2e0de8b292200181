# SPDX-License-Identifier: MIT
"""A manual page beside what its program says of itself: commands, their options, variables; and mandoc's own complaints.

Run: test_manual.py PAGE PROGRAM ENVIRONMENT.C
"""

import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ENVIRONMENT, PROGRAM, PAGE = (pathlib.Path(sys.argv.pop()) for _ in range(3))
TEXT = PAGE.read_text(encoding='utf-8')


def help_of(*command):
    done = subprocess.run([PROGRAM, *command, '--help'], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=True)
    return done.stdout


def listed(text, heading, pattern):
    """What the lines below a heading, up to an empty one, begin with."""
    block = re.search(rf'^{heading}:\n(.*?)(?:\n\n|\Z)', text, re.MULTILINE | re.DOTALL)
    return [re.match(pattern, line).groups() for line in block[1].splitlines()] if block else []


def options_of(text):
    """Name and value of each option that a help text lists, but --help, which all have."""
    return {(name, value or '') for name, value in listed(text, 'Options', r'  --([a-z-]+)(?: ([A-Z=]+))?(?: |$)')} - {
        ('help', '')}


def section(name):
    return re.search(rf'^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)', TEXT, re.MULTILINE | re.DOTALL)[1]


def synopsis():
    """Options by command."""
    commands = {}
    for block in section('SYNOPSIS').split('.Nm\n')[1:]:
        command = re.match(r'\.Cm ([a-z]+)', block)
        if command:
            commands[command[1]] = set(re.findall(r'^\.Op Fl -([a-z-]+)(?: Ar ([A-Z=]+))?$', block, re.MULTILINE))
    return commands


class Manual(unittest.TestCase):
    maxDiff = None

    def test_lint(self):
        mandoc = shutil.which('mandoc')
        if not mandoc:
            self.skipTest('mandoc: not installed')
        done = subprocess.run([mandoc, '-Tlint', '-W', 'warning', PAGE], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ''))

    def test_commands(self):
        names = {name for name, in listed(help_of(), '(?:Commands|Modes)', r'  ([a-z]+) ')}
        self.assertGreater(len(names), 1)
        self.assertEqual(set(synopsis()), names)
        described = re.findall(r'^\.It Cm ([a-z]+)', section('DESCRIPTION'), re.MULTILINE)
        self.assertEqual(sorted(described), sorted(names))

    def test_options(self):
        known = {name for name, _ in options_of(help_of())} | {'help'}
        for command, options in synopsis().items():
            with self.subTest(command):
                # `help` explains the others.
                self.assertEqual(options, set() if command == 'help' else options_of(help_of(command)))
            known |= {name for name, _ in options}
        # `--name value` stands for any.
        for part, text in (('page', TEXT), ('sections', TEXT.replace(section('SYNOPSIS'), ''))):
            with self.subTest(part):
                named = set(re.findall(r'\bFl -([a-z-]+)(?! (?:Ns = Ns )?Ar value)\b', text))
                self.assertEqual(named, known)

    def test_variables(self):
        read = set(re.findall(r'getenv\("(STOA_[A-Z_]+)"\)', ENVIRONMENT.read_text(encoding='utf-8')))
        self.assertGreater(len(read), 1)
        self.assertEqual(set(re.findall(r'^\.It Ev (STOA_[A-Z_]+)', section('ENVIRONMENT'), re.MULTILINE)), read)


if __name__ == '__main__':
    unittest.main()
