# SPDX-License-Identifier: MIT
"""Every command on a terminal of 60 columns: no line is longer, and every word that a pipe gets is there."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import unittest

from support import BINARY, Command, write

COLUMNS = 60
WORD = r"[^\W\d_]+"


class Narrow(Command):
    def on_terminal(self, arguments, **environment):
        """What the command prints on a terminal of so many columns; its notes go elsewhere."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        run = subprocess.Popen([BINARY, *arguments], stdout=slave, stderr=subprocess.PIPE,
                               env=self.environment(TERM="dumb", NO_COLOR="1", COLUMNS=None, **environment), text=True)
        os.close(slave)
        text = b""
        while True:
            try:
                block = os.read(master, 65536)
            except OSError:
                break
            if not block:
                break
            text += block
        os.close(master)
        errors = run.communicate(timeout=60)[1]
        self.assertEqual(run.returncode, 0, errors)
        return text.decode().replace("\r\n", "\n")

    def fits(self, narrow):
        for line in narrow.splitlines():
            # A word alone, such as a path, cannot be cut.
            self.assertTrue(len(line) <= COLUMNS or " " not in line.strip(), line)

    def check(self, *arguments, changes=False):
        """`changes`: its figures are others every time."""
        narrow = self.on_terminal(arguments)
        self.fits(narrow)
        wide = self.stoa(*arguments)
        self.assertEqual(wide.returncode, 0, wide.stderr)
        pattern = WORD if changes else r"\S+"
        missing = set(re.findall(pattern, wide.stdout)) - set(re.findall(pattern, narrow))
        self.assertEqual(missing, set(), (arguments, narrow))

    def test_doctor(self):
        """Most of its advice depends on what else the machine is doing, so that two runs need not give the same. That on
        STOA_CPU does not: it is longer than a line and stands there whole."""
        arguments = ("doctor", "--seconds", "0.1")
        narrow = self.on_terminal(arguments, STOA_CPU="base")
        self.fits(narrow)
        wide = self.stoa(*arguments, env={"STOA_CPU": "base"})
        self.assertEqual(wide.returncode, 0, wide.stderr)
        found = []
        for text in narrow, wide.stdout:
            figures, _, advice = text.partition("\nAdvice:\n")
            items = [" ".join(item.split()) for item in re.split(r"(?m)^- ", advice)]
            found.append((set(re.findall(WORD, figures)), [item for item in items if item.startswith("STOA_CPU ")]))
        self.assertEqual(found[1][0] - found[0][0], set(), narrow)
        self.assertEqual(found[0][1], found[1][1], narrow)
        isa = json.loads(self.stoa("doctor", "--seconds", "0.1", "--json").stdout)["cpu.isa"]
        self.assertEqual(len(found[0][1]), isa != "base", narrow)

    def test_all(self):
        self.model("run/model.safetensors")
        self.check("recipes")
        self.check("recipes", "--keys")
        self.check("plan", "tiny")
        self.check("plan", "tiny", "--inference", "--batch", "7")
        self.check("info", "run")
        self.check("eval", "run", changes=True)
        write("x.csv", "".join(",".join(f"0.{(i * j) % 7}" for j in range(784)) + "\n" for i in range(4)))
        self.check("predict", "run", "x.csv")
        self.check("gradcheck", "tiny", "--samples", "2")
        self.check("train", "tiny", "--find-lr", changes=True)
        self.check("train", "tiny", "--epochs", "2", "--out", "other", "--force", changes=True)
        self.check("train", "tiny", "--epochs", "1", "--seeds", "2", "--set", "lr=1e-3,3e-3", "--set", "validation=0.2",
                   "--out", "grid", "--force", changes=True)
        self.check("runs", ".", changes=True)
        self.check("runs", "other", "grid", changes=True)
        self.check("data", "data/blobs", changes=True)
        self.check("info", "other", changes=True)


if __name__ == "__main__":
    unittest.main()
