"""Writes the archives that the tests read. Needs numpy, ml_dtypes and safetensors.

Array `t` of a number type t holds 3 x 4 numbers, element i of them i - 4 for a signed type, i for an
unsigned one; of a floating type (i - 4) / 8; of bool, whether 3 divides i.
"""

import io
import os
import pathlib
import zipfile

import ml_dtypes
import numpy as np
import safetensors.numpy

here = pathlib.Path(__file__).parent


def example(dtype):
    dtype = np.dtype(dtype)
    i = np.arange(12).reshape(3, 4)
    if dtype == bool:
        return i % 3 == 0
    if dtype.kind == "u":
        return i.astype(dtype)
    return (i - 4).astype(dtype) if dtype.kind == "i" else ((i - 4) / 8).astype(dtype)


names = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
arrays = {np.dtype(t).name: example(t) for t in names}
some = {
    "x": (np.arange(2 * 3 * 4).reshape(4, 3, 2) / 4).astype("<f4"),
    "target": np.array([2, 0, 1, 2]),
}

fixed = zipfile.ZipInfo.__init__


def at_epoch(self, filename="NoName", date_time=(1980, 1, 1, 0, 0, 0)):
    fixed(self, filename, (1980, 1, 1, 0, 0, 0))


zipfile.ZipInfo.__init__ = at_epoch  # the same bytes at each run

np.savez(here / "types.npz", **arrays)
np.savez_compressed(
    here / "orders.npz",
    **{f"big_{n}": a.astype(a.dtype.newbyteorder(">")) for n, a in arrays.items()},
    fortran=np.asfortranarray(some["x"]),
    scalar=np.float64(2.5),
    empty=np.zeros((0, 3), "f4"),
    **{"ordner/größe": np.array([1, 2], "i4")},
)


class Pipe(io.RawIOBase):
    """A stream that cannot seek, for which zipfile writes data descriptors."""

    def __init__(self, path):
        self.file = open(path, "wb")

    def writable(self):
        return True

    def write(self, b):
        return self.file.write(b)

    def flush(self):
        self.file.flush()


def write_members(archive, force_zip64):
    for name, array in some.items():
        method = zipfile.ZIP_STORED if name == "x" else zipfile.ZIP_DEFLATED
        info = zipfile.ZipInfo(name + ".npy")
        info.compress_type = method
        with archive.open(info, "w", force_zip64=force_zip64) as member:
            np.lib.format.write_array(member, array)


with zipfile.ZipFile(Pipe(here / "descriptors.npz"), "w") as archive:
    write_members(archive, False)
    archive.comment = b"PK\x05\x06 in a comment"
zipfile.ZIP64_LIMIT = 40  # every size and most offsets become 64-bit
zipfile.ZIP_FILECOUNT_LIMIT = 1
with zipfile.ZipFile(here / "zip64.npz", "w") as archive:
    write_members(archive, True)

safetensors.numpy.save_file(
    {**arrays, "bfloat16": example("f4").astype(ml_dtypes.bfloat16)},
    here / "types.safetensors",
    metadata={"made by": 'a "script"\n'},
)
five = {n: arrays[n] for n in ["float32", "int64", "bool", "float64", "int32"]}
safetensors.numpy.save_file(five, here / "five.safetensors", metadata={"a": "b"})
for file in sorted(here.iterdir()):
    print(file.name, os.path.getsize(file))
