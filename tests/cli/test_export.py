# SPDX-License-Identifier: MIT
"""stoa export: a model as C, compiled here, that gives the command's answers; and what it refuses."""

import csv
import datetime
import gzip
import json
import os
import shlex
import shutil
import subprocess
import unittest

from support import Command, read, write
from test_tables import HOUSES, TAGS, houses, tags

CC = shlex.split(os.environ.get("STOA_TEST_CC", "cc"))
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]

FIELDS = """
#include <stdio.h>
#include <string.h>
#include "houses.c"
int main(void) {{
    static const char *const rows[][4] = {{{rows}}};
    float values[HOUSES_INPUT], output[1];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {{
        int bad = houses_fields(rows[i], values);
        houses_prepare(values, values);
        if (bad || houses_run(values, output) != 0) {{
            return 1;
        }}
        houses_restore(output);
        (void)printf("%.9g\\n", (double)output[0]);
    }}
    static const char *const bad[][4] = {{{{"east", "1", "1", "1"}}, {{"north", "1", "x", "1"}}, {{"north", "1", "1", ""}}}};
    for (size_t i = 0; i < 3; i++) {{
        (void)printf("%d\\n", houses_fields(bad[i], values));
    }}
    return 0;
}}
"""


def tensors(path):
    """Those of a model file, as name: (shape, bytes)."""
    data = read(path)
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    header.pop("__metadata__")
    return {name: (entry["shape"], data[slice(*(begin + place for place in entry["data_offsets"]))])
            for name, entry in header.items()}


class Export(Command):
    def compiled(self, source, *options):
        program = os.path.join(self.folder, "program")
        subprocess.run([*CC, *WARNINGS, "-O2", *options, source, "-o", program, "-lm"], check=True)
        return program

    def run_program(self, program, *arguments, text=""):
        done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def answers(self, *words):
        self.done("predict", *words, "--csv", "answers.csv", "--force")
        with open("answers.csv", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def test_pictures(self):
        """Pixels from 0 to 1 as text, normalised by the model's mean and deviation."""
        self.model()
        text = self.done("export", "model.safetensors", "--c", "net.c")
        self.assertRegex(text, r"(?m)^code +\S+ KiB of source beside the constants$")
        self.assertRegex(text, r"(?m)^arena +\S+ KiB for one sample$")
        images = gzip.decompress(read("data/blobs/t10k-images-idx3-ubyte.gz"))[16:]
        numbers = " ".join(repr(byte / 255) for byte in images)
        lines = self.run_program(self.compiled("net.c", "-DNET_MAIN"), text=numbers).splitlines()
        wanted = self.answers("model.safetensors", "data/blobs")
        self.assertEqual([line.split()[0] for line in lines], [row["name"] or row["class"] for row in wanted])

    def test_separate_weights(self):
        self.model()
        report = json.loads(self.done("export", "model.safetensors", "--c", "net.c", "--weights", "separate", "--json",
                                      "--name", "digits"))
        self.assertEqual(report["weights"], "net.weights")
        self.assertEqual(os.path.getsize("net.weights"), report["weights_bytes"])
        self.assertEqual(os.path.getsize("net.c"), report["source_bytes"])
        program = self.compiled("net.c", "-DDIGITS_MAIN")
        self.assertEqual(len(self.run_program(program, "net.weights", text="0.5 " * 784).splitlines()), 1)
        good = read("net.weights")
        for bad in good[:-4], good + b"\0\0\0\0", b"X" + good[1:], good[:200] + bytes([good[200] ^ 1]) + good[201:], b"":
            write("bad.weights", bad)
            done = subprocess.run([program, "bad.weights"], input="", capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2, bad[:20])
            self.assertIn("expected the file of the weights", done.stderr)

    def test_tables(self):
        """Categories, dates, a missing number, and targets in their units."""
        write("houses.ini", HOUSES.format(more=""))
        write("houses.csv", houses(300, 1))
        self.assertEqual(self.stoa("train", "houses.ini", "--data", "houses.csv", "--out", "run").returncode, 0)
        self.done("export", "run", "--c", "houses.c")
        write("new.csv", houses(40, 7))
        with open("new.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        day = datetime.date(1970, 1, 1)
        texts = [(r["district"], str((datetime.date.fromisoformat(r["built"]) - day).days), r["rooms"], r["area"]) for r in rows]
        self.assertIn("", [text[2] for text in texts])
        lines = ",\n".join("{" + ", ".join(f'"{word}"' for word in text) + "}" for text in texts)
        write("main.c", FIELDS.format(rows=lines))
        *got, east, no_number, missing = self.run_program(self.compiled("main.c")).splitlines()
        self.assertEqual((east, no_number, missing), ("1", "3", "0"))
        done = self.stoa("predict", "run", "new.csv", "--csv", "answers.csv")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open("answers.csv", encoding="utf-8", newline="") as file:
            wanted = [float(row["price"]) for row in csv.DictReader(file)]
        self.assertEqual(len(got), len(wanted))
        for one, other in zip(got, wanted):
            self.assertAlmostEqual(float(one), other, delta=1e-4 * max(wanted))

    def test_labels(self):
        write("tags.ini", TAGS)
        tags("tags.npz", 200, 3)
        self.assertEqual(self.stoa("train", "tags.ini", "--data", "tags.npz", "--out", "run", "--epochs", "2").returncode, 0)
        self.done("export", "run", "--c", "tags.c")
        write("main.c", '#include <stdio.h>\n#include "tags.c"\nint main(void) {\n    float x[TAGS_INPUT] = {0.0F}, y[TAGS_OUTPUT];\n'
                        '    (void)tags_run(x, y);\n    tags_shares(y, y);\n    return !(y[0] > 0.0F && y[0] < 1.0F);\n}\n')
        self.run_program(self.compiled("main.c"))

    def test_declarations(self):
        """The file as its own header, in another file than its code, in C and in C++."""
        self.model()
        self.done("export", "model.safetensors", "--c", "net.c")
        program = ('#define NET_DECLARATIONS\n#include "net.c"\nint main(void) {\n    static float x[NET_INPUT], y[NET_OUTPUT], a[NET_ARENA];'
                   '\n    return net_run_in(a, x, y) + (net_class(y) < 0);\n}\n')
        write("main.c", program)
        write("main.cc", program)
        self.run_program(self.compiled("main.c", "net.c"))
        if shutil.which("g++"):
            subprocess.run([*CC, "-c", "net.c", "-o", "net.o"], check=True)
            subprocess.run(["g++", "-Wall", "-Wextra", "-pedantic", "-Werror", "main.cc", "net.o", "-o", "mixed", "-lm"], check=True)
            self.run_program("./mixed")

    def test_refused(self):
        self.model()
        write("mine.c", "int main(void) { return 0; }\n")
        write("mine.onnx", b"\x08\x08\x12\x07pytorch")
        os.makedirs("folder.c")
        for words, expected in [
                ((), ("--c or --onnx missing", "expected stoa export MODEL --c FILE or --onnx FILE")),
                (("--c", "net.c", "--onnx", "net.onnx"), ("found --c and --onnx",)),
                (("--c", "net.c", "--with-preprocessing"), ("--with-preprocessing: found --c, expected --onnx",)),
                (("--onnx", "net.bin"), ("--onnx: found 'net.bin'", "expected the name of an ONNX file")),
                (("--onnx", "net.onnx", "--name", "net"), ("--name: found --onnx, expected --c",)),
                (("--onnx", "no/net.onnx"), ("no/net.onnx", "its folder is not there")),
                (("--onnx", "mine.onnx"), ("mine.onnx: found another file", "--force")),
                (("--c", "net"), ("--c: found 'net'", "expected the name of a C file")),
                (("--c", "net.c", "--weights", "none"), ("--weights: found 'none'", "expected inside or separate")),
                (("--c", "net.c", "--name", "my-net"), ("found 'my-net'", "expected an identifier of C")),
                (("--c", "no/net.c"), ("no/net.c", "its folder is not there")),
                (("--c", "folder.c"), ("folder.c: found a folder",)),
                (("--c", "mine.c"), ("mine.c: found another file", "--force"))]:
            self.refused("export", "model.safetensors", *words, words=expected)
        self.refused("export", "none.safetensors", "--c", "net.c", words=("none.safetensors",))
        self.done("export", "model.safetensors", "--c", "mine.c", "--force")
        self.done("export", "model.safetensors", "--c", "mine.c")

    def test_onnx(self):
        """There and back: tensors to the bit; what is known of the data as metadata, and as nodes where asked for."""
        self.model()
        done = self.stoa("export", "model.safetensors", "--onnx", "net.onnx")
        if "this build of Stoa reads and writes no ONNX" in done.stderr:
            self.assertEqual(done.returncode, 1)
            self.skipTest("built without protobuf-c")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^nodes +\d+ of opset 17$")
        plain = read("net.onnx")
        report = json.loads(self.done("export", "model.safetensors", "--onnx", "net.onnx", "--with-preprocessing", "--json"))
        self.assertEqual((report["opset"], report["bytes"]), (17, os.path.getsize("net.onnx")))
        self.assertIn(b"data.mean", plain)
        self.assertNotIn(b"normalised", plain)
        self.assertIn(b"input/normalised", read("net.onnx"))
        write("plain.onnx", plain)
        self.done("import", "plain.onnx", "--out", "back.safetensors")
        self.assertEqual(tensors("model.safetensors"), tensors("back.safetensors"))

    def test_full_disk(self):
        """No half of a file where it cannot be written."""
        self.model()
        if os.path.exists("/dev/full"):
            self.refused("export", "model.safetensors", "--c", "/proc/net.c", "--force", words=("/proc/net.c",),
                         code=self.stoa("export", "model.safetensors", "--c", "/proc/net.c").returncode)


if __name__ == "__main__":
    unittest.main()
