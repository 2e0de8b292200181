# SPDX-License-Identifier: MIT
"""What the Python peers look for before they begin: one sentence and exit status 2 where it is missing."""

import importlib
import importlib.util
import os
import shutil
import sys


def refuse(sentence):
    print("%s: %s" % (os.path.basename(sys.argv[0]), sentence), file=sys.stderr)
    sys.exit(2)


def need_module(name, title):
    """A module that this Python has. It is not imported here: it belongs into the measured processes."""
    if importlib.util.find_spec(name) is None:
        refuse("%s is not installed for %s, expected a Python that can import %s" % (title, sys.executable, name))


def import_module(name, title):
    """The module, or one sentence: where it is missing, and where something that it needs itself is."""
    need_module(name, title)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        refuse("%s cannot be imported by %s: %s" % (title, sys.executable, " ".join(str(error).split())))


def need_program(path, option):
    if shutil.which(path) is None:
        refuse("no program %s, expected one that is built, or another named with %s" % (path, option))
