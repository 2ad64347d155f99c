"""Files that claim or would take far more memory than they have bytes, and what refusing them costs.

    PYTHONPATH=.eigenstep/onnx python3 Scripts/bombs.py [PROGRAM] [NAME...]

Makes each file in a temporary folder, runs `PROGRAM diagnose` on it, and prints exit code, seconds, peak memory and
the sentence. Fails unless each is refused in one line, with a documented code, within SECONDS and MEGABYTES.
"""

import os
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SECONDS, MEGABYTES = 1.0, 200
CODES = {64, 65, 66}


# --- archives, written by hand so that they can lie


def npy_header(shape, code="<f8", fortran=False, version=1, pad=0, text=None):
    text = text or "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (code, fortran, tuple(shape))
    text = text.encode() + b" " * pad + b"\n"
    size = struct.pack("<H", len(text)) if version == 1 else struct.pack("<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text


def deflated_zeros(head, count, tail=b""):
    """A deflate stream of `head`, `count` zero bytes and `tail`, and its checksum and length."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    crc = zlib.crc32(head)
    out = [packer.compress(head), packer.flush(zlib.Z_FULL_FLUSH)]
    # After a full flush a block does not refer to what came before, so one stands for all.
    block = bytes(1 << 24)
    again = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = again.compress(block) + again.flush(zlib.Z_FULL_FLUSH)
    for _ in range(count // len(block)):
        out.append(packed)
        crc = zlib.crc32(block, crc)
    rest = bytes(count % len(block)) + tail
    out += [packer.compress(rest), packer.flush()]
    return b"".join(out), zlib.crc32(rest, crc), len(head) + count + len(tail)


class Zip:
    def __init__(self):
        self.bytes, self.directory, self.count = b"", b"", 0

    def add(self, name, data, crc, size, method=8, claimed=None, compressed=None, start=None, wide=False):
        name = name.encode()
        claimed = size if claimed is None else claimed
        compressed = len(data) if compressed is None else compressed
        at = len(self.bytes) if start is None else start
        extra = b""
        fields = (compressed, claimed)
        if wide or claimed >= 0xFFFFFFFF or compressed >= 0xFFFFFFFF:
            extra = struct.pack("<HHQQ", 1, 16, claimed, compressed)
            fields = (0xFFFFFFFF, 0xFFFFFFFF)
        common = struct.pack("<HHHHHIIIHH", 45, 0, method, 0, 33, crc, *fields, len(name), len(extra))
        if start is None:
            self.bytes += b"PK\x03\x04" + common + name + extra + data
        self.directory += b"PK\x01\x02" + struct.pack("<H", 45) + common + struct.pack("<HHHII", 0, 0, 0, 0, at) + name + extra
        self.count += 1

    def stored(self, name, data, **more):
        self.add(name, data, zlib.crc32(data), len(data), method=0, **more)

    def array(self, name, values):
        self.stored(name + ".npy", npy_header(values.shape, values.dtype.str) + values.tobytes())

    def zeros(self, name, shape, code="<f8", **more):
        size = int(np.prod([int(n) for n in shape], dtype=object)) * np.dtype(code).itemsize
        header = npy_header(shape, code, **{k: more.pop(k) for k in list(more) if k == "fortran"})
        self.add(name + ".npy", *deflated_zeros(header, size), **more)

    def close(self, count=None, size=None, offset=None, wide=None):
        end = len(self.bytes)
        count = self.count if count is None else count
        size = len(self.directory) if size is None else size
        offset = end if offset is None else offset
        body = self.bytes + self.directory
        if wide or count >= 0xFFFF:
            body += b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, offset)
            body += b"PK\x06\x07" + struct.pack("<IQI", 0, end + len(self.directory), 1)
            return body + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        return body + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, size & 0xFFFFFFFF, offset & 0xFFFFFFFF, 0)


X = np.arange(24, dtype=np.float32).reshape(6, 4) / 24
Y = np.arange(6, dtype=np.float32).reshape(6, 1)


def archive(x=None, target=None):
    """An archive in which `x` or `target` is what the caller adds."""
    made = Zip()
    for name, add, values in (("x", x, X), ("target", target, Y)):
        if add:
            add(made)
        else:
            made.array(name, values)
    return made.close()


def member(name, header, claimed=None, body=b"", **more):
    data = header + body
    packed, crc, size = deflated_zeros(data, 0)
    return lambda made: made.add(name + ".npy", packed, crc, size, claimed=claimed, **more)


def sparse(path, head, size):
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(size)


# --- models


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, initializers=(), inputs=None, outputs=None, functions=(), opset=18):
    graph = helper.make_graph(
        nodes, "g", inputs if inputs is not None else [value("x", ["N", 4])], outputs or [value("y", ["N", 1])],
        [numpy_helper.from_array(np.asarray(a), n) if isinstance(a, (np.ndarray, np.generic)) else a for n, a in initializers])
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid("f", 1)] if functions else [])
    made = helper.make_model(graph, opset_imports=imports, functions=list(functions))
    made.ir_version = 8
    return made


W = ("w", np.full((4, 1), 0.5, np.float32))


def i64(name, *values):
    return (name, np.array(values, np.int64))


def plus(nodes, initializers):
    """y = x w + sum(big), where the nodes make `big`."""
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["p"]), *nodes,
         helper.make_node("ReduceSum", ["big"], ["s"], keepdims=0), helper.make_node("Add", ["p", "s"], ["y"])],
        [W, *initializers])


def op(kind, *inputs, out="big", **attributes):
    return helper.make_node(kind, list(inputs), [out], **attributes)


def lying(name, dims, kind=TensorProto.FLOAT, raw=b""):
    tensor = TensorProto(name=name, data_type=kind, dims=dims)
    tensor.raw_data = raw
    return (name, tensor)


def external(name, dims, location, offset=None, length=None, kind=TensorProto.FLOAT):
    tensor = TensorProto(name=name, data_type=kind, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, text in (("location", location), ("offset", offset), ("length", length)):
        if text is not None:
            tensor.external_data.add(key=key, value=str(text))
    return (name, tensor)


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def wire(graph):
    return b"\x08\x08" + field(8, b"\x10\x12") + field(7, graph)


def nested(depth):
    inner = b""
    for _ in range(depth):
        inner = field(1, field(5, field(6, inner)))
    return wire(inner)


def doubling(kind, times):
    nodes, last = [], "x"
    for index in range(times):
        nodes.append(helper.make_node(kind, [last, last], [f"d{index}"], **({"axis": 1} if kind == "Concat" else {})))
        last = f"d{index}"
    return model(nodes + [helper.make_node("ReduceMean", [last], ["m"], axes=[1], keepdims=1),
                          helper.make_node("Mul", ["m", "c"], ["y"])], [("c", np.float32([2.0]))], opset=17)


def exponential_functions():
    functions = []
    for level in range(40):
        callee = f"f{level - 1}" if level else "Relu"
        domain = "f" if level else ""
        functions.append(helper.make_function(
            "f", f"f{level}", ["a"], ["c"],
            [helper.make_node(callee, ["a"], ["b"], domain=domain), helper.make_node(callee, ["b"], ["c"], domain=domain)],
            [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]))
    return model([helper.make_node("f39", ["x"], ["h"], domain="f"), helper.make_node("MatMul", ["h", "w"], ["y"])],
                 [W], functions=functions)


def loop(trips, scan):
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Add", ["v", "v"], ["v2"]),
         helper.make_node("Identity", ["v2"], ["o"])], "b",
        [value("i", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("v", ["N", 1])],
        [value("c2", [], TensorProto.BOOL), value("v2", ["N", 1])] + ([value("o", ["N", 1])] if scan else []))
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["p"]),
         helper.make_node("Loop", ["n", "t", "p"], ["y"] + (["all"] if scan else []), body=body)],
        [W, ("n", np.int64(trips)), ("t", np.bool_(True))])


BIG = 1 << 39


def bombs():
    """Name, and a function of a folder that gives the arguments of `diagnose`."""
    plain = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [W]).SerializeToString()
    good = archive()

    def on_data(data, name="d.npz"):
        def make(folder):
            write(folder, "m.onnx", plain)
            path = os.path.join(folder, name)
            data(path) if callable(data) else write(folder, name, data)
            return [os.path.join(folder, "m.onnx"), "--data", path, "--loss", "mse"]
        return make

    def on_model(made, beside=None):
        def make(folder):
            write(folder, "d.npz", good)
            write(folder, "m.onnx", made if isinstance(made, bytes) else made.SerializeToString())
            if beside:
                sparse(os.path.join(folder, "w.bin"), b"", beside)
            return [os.path.join(folder, "m.onnx"), "--data", os.path.join(folder, "d.npz"), "--loss", "mse"]
        return make

    def on_table(data):
        def make(folder):
            path = os.path.join(folder, "t.csv")
            data(path) if callable(data) else write(folder, "t.csv", data)
            return [path, "--target", "y"]
        return make

    zeros = lambda name, shape, *rest, **more: (lambda made: made.zeros(name, shape, *rest, **more))
    # 1 to 9: honest archives that inflate a thousandfold
    yield "npz x of 400M f8, wrong rank", on_data(archive(x=zeros("x", [400_000_000])))
    yield "npz x of 100M x 4 f8, more rows than target", on_data(archive(x=zeros("x", [100_000_000, 4])))
    yield "npz target of 400M f8", on_data(archive(target=zeros("target", [400_000_000])))
    yield "npz target 6 x 60M", on_data(archive(target=zeros("target", [6, 60_000_000])))
    yield "npz target of 400M int64 labels", on_data(archive(target=zeros("target", [400_000_000], "<i8")))
    yield "npz x 6 x 500M u1", on_data(archive(x=zeros("x", [6, 500_000_000], "|u1")))
    yield "npz x of bools", on_data(archive(x=zeros("x", [6, 4, 100_000_000], "|b1")))
    yield "npz x in Fortran order", on_data(archive(x=zeros("x", [6, 60_000_000], fortran=True)))
    yield "npz both of 100M rows", on_data(archive(x=zeros("x", [100_000_000, 4]), target=zeros("target", [100_000_000, 1])))
    # 10 to 27: archives that lie
    small = X.tobytes()
    head = npy_header((6, 4), "<f4")
    yield "npz directory claims 2^62 bytes", on_data(archive(x=member("x", head, claimed=1 << 62, body=small)))
    yield "npz directory claims fewer bytes", on_data(archive(x=member("x", head, claimed=len(head), body=small)))
    yield "npz header claims 2^60 numbers", on_data(archive(x=member("x", npy_header((1 << 58, 4), "<f4"), body=small)))
    yield "npz header and directory claim 12 GB", on_data(archive(x=member("x", npy_header((1 << 28, 12), "<f4"), claimed=len(npy_header((1 << 28, 12), "<f4")) + (12 << 30), body=small)))
    yield "npz header claims fewer than inflate", on_data(archive(x=lambda z: z.add("x.npy", *deflated_zeros(head + small, 1 << 31), claimed=len(head + small))))
    yield "npz header of 4 GB claimed", on_data(archive(x=member("x", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'", body=small)))
    yield "npz header of 1 GB of spaces", on_data(archive(x=lambda z: z.add("x.npy", *deflated_zeros(b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 30), 1 << 30))))
    yield "npz shape of two million axes", on_data(archive(x=member("x", npy_header((), version=2, text="{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 2_000_000 + ")}"), body=small)))
    yield "npz shape 2^40 x 0", on_data(archive(x=member("x", npy_header((1 << 40, 0, 1 << 40), "<f4"))))
    yield "npz shape beyond 64 bits", on_data(archive(x=member("x", npy_header((1 << 40, 1 << 40), "<f4"), body=small)))
    yield "npz type of 2 MB", on_data(archive(x=member("x", npy_header((), version=2, text="{'descr': '" + "f" * 2_000_000 + "', 'fortran_order': False, 'shape': (6, 4)}"), body=small)))
    yield "npz zip64 claims 2^63 - 1", on_data(archive(x=member("x", head, claimed=(1 << 63) - 1, body=small, wide=True)))

    def overlapping():
        made = Zip()
        made.array("x", X)
        at = len(made.bytes)
        made.zeros("target", [400_000_000])
        packed = made.bytes[at:]
        for index in range(1000):
            made.add(f"a{index}.npy", packed, 0, 1 << 31, start=at)
        return made.close()

    def crowded(members, **lies):
        made = Zip()
        made.array("x", X)
        entries = []
        for index in range(members):
            entries.append(b"PK\x01\x02" + bytes(24) + struct.pack("<H", 4) + bytes(16) + b"%04x" % (index & 0xFFFF))
        made.directory += b"".join(entries)
        made.count += members
        return made.close(**lies)

    yield "npz a thousand members on the same bytes", on_data(overlapping())
    yield "npz of 60,000 empty members", on_data(crowded(60_000))
    yield "npz of 1,000,000 members", on_data(crowded(1_000_000))
    yield "npz zip64 claims 2^40 members", on_data(crowded(10, count=1 << 40, wide=True))
    yield "npz directory of 2^40 bytes", on_data(crowded(10, size=1 << 40, wide=True))
    yield "npz method 12", on_data(archive(x=member("x", head, body=small, method=12)))
    yield "npz name of 60 KB", on_data(archive(x=member("x" * 60_000, head, body=small)))
    yield "npz stream that never ends", on_data(archive(x=lambda z: z.add("x.npy", deflated_zeros(head + small, 1 << 28)[0][:2000], 0, len(head + small))))
    # npy and safetensors
    yield "npy of 8 GB of holes, wrong rank", on_data(lambda p: sparse(p, npy_header((1 << 30,)), len(npy_header((1 << 30,))) + (8 << 30)), "x.npy")
    yield "npy header claims 2^60", on_data(npy_header((1 << 58, 4)) + small, "x.npy")
    yield "npy header of 4 GB in holes", on_data(lambda p: sparse(p, b"\x93NUMPY\x03\x00\xff\xff\xff\xff{", 5 << 30), "x.npy")
    safe = lambda header, rest=b"": struct.pack("<Q", len(header)) + header + rest
    tensor = lambda dims, end, start=0, code="F32": '{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}' % (code, dims, start, end)
    yield "safetensors header of 2^63", on_data(struct.pack("<Q", (1 << 63) - 9) + b'{"x"', "d.safetensors")
    yield "safetensors header of 3 GB in holes", on_data(lambda p: sparse(p, struct.pack("<Q", 3 << 30) + b'{"x":{', 4 << 30), "d.safetensors")
    yield "safetensors dims beyond the file", on_data(safe(('{"x":%s}' % tensor([1 << 60, 4], 96)).encode(), small), "d.safetensors")
    yield "safetensors of 8 GB of holes, wrong rank", on_data(lambda p: sparse(p, safe(('{"x":%s,"target":%s}' % (tensor([1 << 31], 8 << 30), tensor([6, 1], (8 << 30) + 24, 8 << 30))).encode()), 8 + len(('{"x":%s,"target":%s}' % (tensor([1 << 31], 8 << 30), tensor([6, 1], (8 << 30) + 24, 8 << 30)))) + (8 << 30) + 24), "d.safetensors")
    yield "safetensors of 200,000 arrays", on_data(safe(("{" + ",".join('"%d":%s' % (i, tensor([0], 0)) for i in range(200_000)) + "}").encode()), "d.safetensors")
    yield "safetensors shape of 4M axes", on_data(safe(('{"x":%s}' % tensor("[" + ",".join(["1"] * 4_000_000) + "]", 4)).encode(), b"1234"), "d.safetensors")
    # tables
    yield "csv of 8 GB of holes", on_table(lambda p: sparse(p, b"a,y\n1,2\n", 8 << 30))
    yield "csv data of 8 GB of holes", on_data(lambda p: sparse(p, b"x,target\n1,2\n", 8 << 30), "d.csv")
    yield "csv that is /dev/zero", on_table(lambda p: os.symlink("/dev/zero", p))
    yield "csv data that is /dev/zero", on_data(lambda p: os.symlink("/dev/zero", p), "d.csv")
    # models whose stored tensors lie
    mat = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    yield "onnx initializer of 2^40 without data", on_model(model(mat, [lying("w", [4, 1 << 38])]))
    yield "onnx initializer of 2^31 without data", on_model(model(mat, [lying("w", [4, 1 << 28])]))
    yield "onnx initializer of 2^62", on_model(model(mat, [lying("w", [1 << 31, 1 << 31])]))
    yield "onnx initializer 0 x 2^40", on_model(model(mat, [lying("w", [0, 1 << 40])]))
    yield "onnx initializer of a million axes", on_model(model(mat, [lying("w", [1] * 1_000_000, raw=b"1234")]))
    yield "onnx Constant of 2^38", on_model(plus([op("Constant", value=lying("", [1 << 38])[1])], []))
    yield "onnx external data shorter than its dims", on_model(model(mat, [external("w", [4, 1 << 30], "w.bin")]), 4096)
    yield "onnx external data of 16 GB of holes", on_model(model(mat, [external("w", [4, 1 << 30], "w.bin")]), 16 << 30)
    yield "onnx external data at 2^62", on_model(model(mat, [external("w", [4, 1], "w.bin", offset=1 << 62)]), 4096)
    yield "onnx 1,000 tensors on the same 256 MB", on_model(
        model(mat, [W] + [external(f"w{i}", [1 << 26], "w.bin") for i in range(1000)]), 256 << 20)
    # messages without content
    yield "onnx of three million empty nodes", on_model(wire(field(1, b"") * 3_000_000))
    yield "onnx of three million empty tensors", on_model(wire(field(5, b"") * 3_000_000))
    yield "onnx node of five million empty inputs", on_model(wire(field(1, field(1, b"") * 5_000_000)))
    yield "onnx graphs 5,000 deep", on_model(nested(5_000))
    # operators
    yield "onnx ConstantOfShape 2^39", on_model(plus([op("ConstantOfShape", "n")], [i64("n", BIG)]))
    yield "onnx ConstantOfShape 2^31 (8 GB)", on_model(plus([op("ConstantOfShape", "n", out="k"), op("Exp", "k")], [i64("n", 1 << 31)]))
    yield "onnx Expand 2^39", on_model(plus([op("Expand", "w", "n", out="e"), op("Exp", "e")], [i64("n", 1 << 37, 4, 1)]))
    yield "onnx Expand beyond 64 bits", on_model(plus([op("Expand", "w", "n")], [i64("n", 1 << 40, 1 << 40, 4, 1)]))
    yield "onnx Tile 2^39", on_model(plus([op("Tile", "w", "n", out="e"), op("Exp", "e")], [i64("n", 1 << 37, 1)]))
    yield "onnx Range 2^40", on_model(plus([op("Range", "a", "b", "c")], [("a", np.float32(0)), ("b", np.float32(1 << 40)), ("c", np.float32(1))]))
    yield "onnx Range by a subnormal step", on_model(plus([op("Range", "a", "b", "c")], [("a", np.float32(0)), ("b", np.float32(1)), ("c", np.float32(1e-44))]))
    yield "onnx Pad by 2^37", on_model(plus([op("Pad", "w", "n")], [i64("n", 0, 0, 1 << 37, 0)]))
    yield "onnx Pad by 2^62", on_model(plus([op("Pad", "w", "n")], [i64("n", 0, 0, 1 << 62, 0)]))
    yield "onnx OneHot of depth 2^38", on_model(plus([op("OneHot", "i", "n", "v", out="e"), op("Exp", "e")], [i64("i", 0, 1), ("n", np.int64(1 << 38)), ("v", np.float32([0, 1]))]))
    yield "onnx Resize by 2^20", on_model(plus([op("Resize", "z", "", "s2", mode="nearest", out="e"), op("Exp", "e")], [("z", np.ones((1, 1, 2, 2), np.float32)), ("s2", np.float32([1, 1, 1 << 18, 1 << 18]))]))
    yield "onnx MatMul of 2^19 x 1 and 1 x 2^19", on_model(plus([op("ConstantOfShape", "n", out="k"), op("Add", "k", "c", out="a"), op("Transpose", "a", out="b"), op("MatMul", "a", "b")], [i64("n", 1 << 19, 1), ("c", np.float32([1]))]))
    yield "onnx ConvTranspose with stride 2^30", on_model(plus([op("ConvTranspose", "z", "k", strides=[1 << 30])], [("z", np.ones((1, 1, 200), np.float32)), ("k", np.ones((1, 1, 3), np.float32))]))
    yield "onnx Concat doubled 38 times", on_model(doubling("Concat", 38))
    yield "onnx Loop of 2^40 trips", on_model(loop(1 << 40, False))
    yield "onnx Loop that stacks 2^31 results", on_model(loop(1 << 31, True))
    yield "onnx functions that call twice, 40 deep", on_model(exponential_functions())
    yield "onnx EyeLike of 2^39", on_model(plus([op("ConstantOfShape", "n", out="k"), op("EyeLike", "k")], [i64("n", 1 << 20, 1 << 19)]))


def write(folder, name, data):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


# A small process between: a program starts with the peak of the one that started it.
WATCH = """
import os, sys, time
started = time.time()
said = os.open(sys.argv[1], os.O_WRONLY)
null = os.open('/dev/null', os.O_RDWR)
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=[
    (os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, said, 2)])
def resident():
    try:
        with open(f'/proc/{pid}/statm') as file:
            return int(file.read().split()[1]) * 4096 / 1e6
    except (OSError, IndexError):
        return 0
while True:
    ended, status, usage = os.wait4(pid, os.WNOHANG)
    if ended:
        break
    if time.time() - started > 20 or resident() > 2000:
        os.kill(pid, 9)
    time.sleep(0.005)
print(os.waitstatus_to_exitcode(status), time.time() - started, usage.ru_maxrss / 1024)
"""


def measured(program, arguments):
    """Exit code, seconds, megabytes at the peak, and what was said. What goes off is put out."""
    with tempfile.NamedTemporaryFile() as said:
        done = subprocess.run(
            [sys.executable, "-S", "-E", "-c", WATCH, said.name, program, "diagnose", *arguments, "--no-trials"],
            stdout=subprocess.PIPE, check=True)
        code, seconds, megabytes = done.stdout.split()
        text = said.read(20_000).decode(errors="replace")
    return int(code), float(seconds), float(megabytes), text


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ".build/release/eigenstep"
    wanted = sys.argv[2:]
    failures, worst = 0, [0.0, 0.0]
    count = 0
    for name, make in bombs():
        if wanted and not any(word in name for word in wanted):
            continue
        with tempfile.TemporaryDirectory() as folder:
            code, seconds, megabytes, text = measured(program, make(folder))
            text = text.replace(folder + "/", "")
        lines = text.strip().split("\n")
        fine = code in CODES and seconds < SECONDS and megabytes < MEGABYTES and len(lines) == 1
        failures += not fine
        count += 1
        worst = [max(worst[0], seconds), max(worst[1], megabytes)]
        print(f"{'ok  ' if fine else 'FAIL'} {code:4d} {seconds:6.2f} s {megabytes:7.1f} MB  {name}: {lines[0][:150]}", flush=True)
    print(f"{count} bombs, {failures} failures; at most {worst[0]:.2f} s and {worst[1]:.1f} MB")
    sys.exit(failures > 0)


main()
