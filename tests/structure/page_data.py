# SPDX-License-Identifier: MIT
"""Small stand-ins for the data that the pages speak of, drawn for test_page_commands.py: a table as people have them, several
labels a sample in NumPy's arrays, pictures of every size, and the binary files of CIFAR-10."""

import io
import random
import struct
import subprocess
import zipfile


def houses(path):
    """A table with a price: semicolons, a column of numbers of rows, dates, texts, and a value missing here and there."""
    draw = random.Random(5)
    lines = ["id;date;rooms;area;district;price"]
    for i in range(400):
        rooms = draw.randrange(1, 6)
        area = rooms * 22 + draw.randrange(15)
        district = draw.choice(["north", "south", "harbour"])
        price = 1200 * area + {"north": 20000, "south": 0, "harbour": 60000}[district] + draw.randrange(-4000, 4000)
        date = f"2025-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"
        lines.append(f"{1000 + i};{date};{rooms};{'' if i % 23 == 0 else area};{district};{price}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def npy(kind, shape, values):
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    code = {"<f4": "f", "|u1": "B"}[kind]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + struct.pack(f"<{len(values)}{code}", *values)


def tags(path):
    """Five numbers a sample and three labels, each of which says that one of the numbers is large."""
    draw = random.Random(6)
    samples = [[draw.random() for _ in range(5)] for _ in range(400)]
    labels = [[int(sample[i] > 0.5) for i in range(3)] for sample in samples]
    with zipfile.ZipFile(path, "w") as archive:
        for name, kind, rows in (("x", "<f4", samples), ("y", "|u1", labels)):
            data = npy(kind, (len(rows), len(rows[0])), [value for row in rows for value in row])
            archive.writestr(f"{name}.npy", io.BytesIO(data).getvalue())


def shapes(folder, program):
    """Pictures of three shapes, PNG and JPEG, of every size, by the program that draws them for the tests of the command."""
    subprocess.run([program, folder, "120", "1"], check=True)


def cifar(folder):
    folder.mkdir(parents=True)
    draw = random.Random(7)
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    for part in [f"data_batch_{i + 1}" for i in range(5)] + ["test_batch"]:
        records = bytearray()
        for i in range(40):
            label = i % 10
            records.append(label)
            for plane in range(3):
                base = (20 + 22 * label, 230 - 22 * label, 40 + 90 * (label % 2))[plane]
                records += bytes(min(255, base + draw.randrange(30)) for _ in range(1024))
        (folder / f"{part}.bin").write_bytes(bytes(records))
    (folder / "batches.meta.txt").write_text("\n".join(names) + "\n\n", encoding="utf-8")
