"""Writes NAME.onnx and NAME.npz: small models in the forms of those that packages ship, their data, and as
"expected" what ONNX Runtime makes of them.

    python make_forms.py

Needs onnx, onnxruntime and numpy.
"""
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).parent
random = np.random.default_rng(5)
F, I8, U8, I32, I64 = np.float32, np.int8, np.uint8, np.int32, np.int64


def normal(*shape, scale=0.5):
    return (scale * random.normal(size=shape)).astype(F)


def labels(*shape, below):
    return random.integers(0, below, size=shape).astype(I64)


class Graph:
    """Nodes in order; every method returns the name, or names, of what it makes."""

    def __init__(self, prefix=""):
        self.nodes, self.tensors, self.inputs, self.count, self.prefix = [], [], [], 0, prefix
        self.keeps_constants = False
        # By name, for the values that another run must have where ONNX Runtime has no kernel.
        self.arrays = {}

    def fresh(self, kind):
        self.count += 1
        return f"{self.prefix}{kind}_{self.count}"

    def input(self, name, element, shape):
        self.inputs.append(helper.make_tensor_value_info(name, element, shape))
        return name

    def weight(self, array, name=None, element=None):
        name = name or self.fresh("w")
        self.arrays[name] = array
        tensor = numpy_helper.from_array(array, name)
        if element is not None:
            tensor = helper.make_tensor(name, element, array.shape, array.flatten().tolist())
        if self.keeps_constants:
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.tensors.append(tensor)
        return name

    def constant(self, value):
        name = self.fresh("c")
        self.nodes.append(
            helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value), name)))
        return name

    def __call__(self, operator, *inputs, outputs=1, domain="", name=None, **attributes):
        values = [self.constant(np.array(x, I64)) if isinstance(x, list) else x or "" for x in inputs]
        made = [self.fresh(operator.lower()) for _ in range(outputs)]
        self.nodes.append(
            helper.make_node(operator, values, made, name=name or made[0], domain=domain, **attributes))
        return made[0] if outputs == 1 else made

    def body(self, outputs, name):
        infos = [helper.make_empty_tensor_value_info(o) if isinstance(o, str) else o for o in outputs]
        return helper.make_graph(self.nodes, name, self.inputs, infos, self.tensors)


def save(name, graph, outputs, data, opset=17, domains=(), run=None, limits=None):
    """`outputs`: (name, element, shape) each; `data`: arrays by name, with the target."""
    infos = [helper.make_tensor_value_info(*output) for output in outputs]
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    proto = helper.make_model(
        helper.make_graph(graph.nodes, name, graph.inputs, infos, graph.tensors),
        opset_imports=opsets, ir_version=10)
    inputs = {info.name: data[info.name] for info in graph.inputs}
    if run is None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        if limits:
            # Files of one sample a batch.
            rows = len(next(iter(inputs.values())))
            parts = [session.run([outputs[0][0]], {k: v[i:i + limits] for k, v in inputs.items()})[0]
                     for i in range(0, rows, limits)]
            expected = np.concatenate(parts)
        else:
            expected = session.run([outputs[0][0]], inputs)[0]
    else:
        expected = run
    onnx.save(proto, FOLDER / f"{name}.onnx")
    np.savez(FOLDER / f"{name}.npz", **data, expected=np.asarray(expected, F))


# Quantisation, as ONNX Runtime's quantizer writes it.


def quantized(array, kind=I8, axis=None):
    """Integers, scale and zero point."""
    bits = np.iinfo(kind)
    axes = None if axis is None else tuple(i for i in range(array.ndim) if i != axis)
    if kind == I8:
        scale = np.maximum(np.abs(array).max(axis=axes), 1e-6) / 127
        zero = np.zeros_like(scale)
    else:
        low, high = np.minimum(array.min(axis=axes), 0), np.maximum(array.max(axis=axes), 1e-6)
        scale = (high - low) / 255
        zero = np.round(-low / scale)
    shape = [1] * array.ndim
    if axis is not None:
        shape[axis] = -1
    whole = np.round(array / np.reshape(scale, shape)) + np.reshape(zero, shape)
    return (np.clip(whole, bits.min, bits.max).astype(kind), np.asarray(scale, F),
            np.asarray(zero).astype(kind))


class Quantized(Graph):
    def stored(self, array, kind=I8, axis=None, name=None):
        name = name or self.fresh("q")
        whole, scale, zero = quantized(array, kind, axis)
        return (self.weight(whole, f"{name}_quantized"), self.weight(scale, f"{name}_scale"),
                self.weight(zero, f"{name}_zero_point"))

    def dequantized(self, array, kind=I8, axis=None, name=None):
        return self("DequantizeLinear", *self.stored(array, kind, axis, name),
                    **({} if axis is None else {"axis": axis}))

    def scale(self, value, zero, kind=U8):
        return self.weight(np.array(value, F)), self.weight(np.array(zero, kind))

    def rounded(self, x, value, zero, kind=U8):
        """Quantised and dequantised again."""
        scale = self.scale(value, zero, kind)
        return self("DequantizeLinear", self("QuantizeLinear", x, *scale), *scale)

    def dynamic(self, x, array, bias=None, name=None):
        """MatMul by dynamically quantised x, as quantize_dynamic writes it."""
        whole, scale, zero = self.stored(array, I8, None, name)
        q, a, b = self("DynamicQuantizeLinear", x, outputs=3)
        product = self("Cast", self("MatMulInteger", q, whole, b, zero), to=TensorProto.FLOAT)
        y = self("Mul", product, self("Mul", a, scale))
        return y if bias is None else self("Add", y, self.weight(bias))


def quantized_speech():
    """A speech encoder, dynamically quantised: convolutions over samples, then attention-free layers, and a
    score for every frame."""
    g = Quantized()
    x = g.input("audio", TensorProto.FLOAT, ["batch", "samples"])
    x = g("Unsqueeze", x, [1])
    whole, scale, zero = g.stored(normal(6, 1, 8), U8, None, "conv0")
    q, a, b = g("DynamicQuantizeLinear", x, outputs=3)
    y = g("Cast", g("ConvInteger", q, whole, b, zero, strides=[4]), to=TensorProto.FLOAT)
    y = g("Mul", y, g("Mul", a, scale))
    y = g("Add", y, g.weight(normal(1, 6, 1)))
    y = g("Transpose", g("Tanh", y), perm=[0, 2, 1])
    y = g("LayerNormalization", y, g.weight(np.ones(6, F)), g.weight(np.zeros(6, F)))
    y = g("Tanh", g.dynamic(y, normal(6, 8), normal(8), "fc1"))
    y = g.dynamic(y, normal(8, 5), normal(5), "fc2")
    save("quantized_speech", g, [(y, TensorProto.FLOAT, ["batch", "frames", 5])],
         {"audio": normal(6, 40), "target": labels(6, 9, below=5)})


def quantized_text():
    """A sentence encoder with static quantisation in QDQ form: a quantised embedding table, per-channel
    weights, mean pooling over the mask."""
    g = Quantized()
    ids = g.input("input_ids", TensorProto.INT64, ["batch", "sequence"])
    mask = g.input("attention_mask", TensorProto.INT64, ["batch", "sequence"])
    table, scale, zero = g.stored(normal(20, 6), U8, None, "word_embeddings")
    x = g("DequantizeLinear", g("Gather", table, ids), scale, zero)
    x = g.rounded(x, 0.02, 128)
    weight = g.dequantized(normal(6, 6), I8, 1, "query")
    x = g("Tanh", g("Add", g("MatMul", x, weight), g.weight(normal(6), "query_bias")))
    x = g.rounded(x, 2 / 255, 128)
    m = g("Cast", g("Unsqueeze", mask, [-1]), to=TensorProto.FLOAT)
    total = g("ReduceSum", g("Mul", x, m), [1], keepdims=0)
    count = g("Clip", g("ReduceSum", m, [1], keepdims=0), g.constant(np.array(1e-9, F)))
    pooled = g("Div", total, count)
    y = g("Gemm", pooled, g.dequantized(normal(3, 6), I8, 0, "classifier"), g.weight(normal(3)), transB=1)
    m = np.ones((8, 7), I64)
    m[::2, 5:] = 0
    save("quantized_text", g, [(y, TensorProto.FLOAT, ["batch", 3])],
         {"input_ids": labels(8, 7, below=20), "attention_mask": m, "target": labels(8, below=3)})


def quantized_vision():
    """A small image classifier in the operator form: QLinearConv, QLinearAdd, QLinearGlobalAveragePool,
    QGemm."""
    g = Quantized()
    ms = "com.microsoft"
    x = g.input("input", TensorProto.FLOAT, ["N", 1, 6, 6])
    s0 = g.scale(0.02, 128)
    q = g("QuantizeLinear", x, *s0)
    w1 = g.stored(normal(4, 1, 3, 3), I8, 0, "conv1")
    s1 = g.scale(0.02, 118)
    bias = (normal(4) / (0.02 * numpy_helper.to_array(g.tensors[-2]))).astype(I32)
    h = g("QLinearConv", q, *s0, *w1, *s1, g.weight(bias, "conv1_bias"), pads=[1, 1, 1, 1])
    w2 = g.stored(normal(4, 4, 1, 1), I8, 0, "conv2")
    k = g("QLinearConv", h, *s1, *w2, *s1)
    s2 = g.scale(0.03, 120)
    h = g("QLinearAdd", h, *s1, k, *s1, *s2, domain=ms)
    s3 = g.scale(0.015, 120)
    h = g("QLinearGlobalAveragePool", h, *s2, *s3, domain=ms)
    h = g("Reshape", h, [0, -1])
    w3 = g.stored(normal(3, 4), I8, None, "fc")
    y = g("QGemm", h, *s3, *w3, "", "", "", transB=1, domain=ms)
    save("quantized_vision", g, [(y, TensorProto.FLOAT, ["N", 3])],
         {"input": normal(10, 1, 6, 6), "target": labels(10, below=3)}, domains=[ms])


def quantized_matmul():
    """QLinearMatMul, QLinearMul, QLinearSigmoid and QLinearConcat between two tables."""
    g = Quantized()
    ms = "com.microsoft"
    x = g.input("x", TensorProto.FLOAT, [-1, 5])
    s0 = g.scale(0.02, 128)
    q = g("QuantizeLinear", x, *s0)
    s1 = g.scale(0.03, 128)
    a = g("QLinearMatMul", q, *s0, *g.stored(normal(5, 4), U8, None, "left"), *s1)
    b = g("QLinearMatMul", q, *s0, *g.stored(normal(5, 4), U8, None, "right"), *s1)
    s2 = g.scale(1 / 256, 0)
    gate = g("QLinearSigmoid", a, *s1, *s2, domain=ms)
    s3 = g.scale(0.03, 128)
    b = g("QLinearMul", b, *s1, gate, *s2, *s3, domain=ms)
    s4 = g.scale(0.03, 128)
    y = g("QLinearConcat", *s4, b, *s3, a, *s1, domain=ms, axis=1)
    y = g("DequantizeLinear", y, *s4)
    save("quantized_matmul", g, [(y, TensorProto.FLOAT, [-1, 8])],
         {"x": normal(9, 5), "target": normal(9, 8)}, domains=[ms])


def four_bits():
    """A language model's layers of 4 bits: MatMulNBits in blocks, simplified normalisation, float16
    elsewhere."""
    g = Graph()
    ms = "com.microsoft"
    ids = g.input("input_ids", TensorProto.INT64, ["batch_size", "sequence_length"])
    x = g("Gather", g.weight(normal(12, 32), "embed"), ids)
    scale = g.weight(np.ones(32, F), "norm")
    x = g("SimplifiedLayerNormalization", x, scale, axis=-1, epsilon=1e-6)

    def product(x, k, n, name, zeros):
        blocks = (k + 15) // 16
        packed = random.integers(0, 256, size=(n, blocks, 8)).astype(U8)
        inputs = [x, g.weight(packed, f"{name}.qweight"), g.weight(np.abs(normal(n * blocks, scale=0.02)),
                                                                   f"{name}.scales")]
        if zeros:
            inputs.append(g.weight(random.integers(0, 256, size=n * ((blocks + 1) // 2)).astype(U8),
                                   f"{name}.qzeros"))
        return g("MatMulNBits", *inputs, domain=ms, K=k, N=n, bits=4, block_size=16)

    h = g("Mul", g("Sigmoid", product(x, 32, 10, "gate", True)), product(x, 32, 10, "up", False))
    y = g("MatMul", h, g.weight(normal(10, 12), "head"))
    save("four_bits", g, [(y, TensorProto.FLOAT, ["batch_size", "sequence_length", 12])],
         {"input_ids": labels(4, 5, below=12), "target": labels(4, 5, below=12)}, domains=[ms])


def paddle_detection():
    """Text detection as Paddle2ONNX writes it: weights in Constant nodes, every size -1, sizes computed."""
    g = Graph("p2o.")
    g.keeps_constants = True
    x = g.input("x", TensorProto.FLOAT, [-1, 2, -1, -1])
    h = g("Conv", x, g.weight(normal(4, 2, 3, 3), "conv2d_0.w_0"), pads=[1, 1, 1, 1], strides=[2, 2])
    h = g("BatchNormalization", h, g.weight(np.ones(4, F), "bn.w"), g.weight(np.zeros(4, F), "bn.b"),
          g.weight(normal(4), "bn.mean"), g.weight(1 + np.abs(normal(4)), "bn.var"), epsilon=1e-5)
    h = g("HardSwish", h)
    gate = g("GlobalAveragePool", h)
    gate = g("HardSigmoid", g("Conv", gate, g.weight(normal(4, 4, 1, 1), "se.w_0"),
                              g.weight(normal(4), "se.b_0")), alpha=0.2, beta=0.5)
    h = g("Mul", h, gate)
    size = g("Cast", g("Slice", g("Shape", x), [2], [4], [0]), to=TensorProto.INT64)
    sizes = g("Concat", g("Slice", g("Shape", h), [0], [2], [0]), size, axis=0)
    h = g("Resize", h, "", "", sizes, mode="nearest", nearest_mode="floor",
          coordinate_transformation_mode="asymmetric")
    y = g("Conv", h, g.weight(normal(1, 4, 3, 3), "conv2d_9.w_0"), pads=[1, 1, 1, 1])
    bias = g("Reshape", g.weight(normal(1), "conv2d_9.b_0"), [1, -1, 1, 1])
    y = g("Add", y, bias)
    save("paddle_detection", g, [(y, TensorProto.FLOAT, [-1, 1, -1, -1])],
         {"x": normal(4, 2, 6, 8), "target": labels(4, 1, 6, 8, below=2).astype(F)}, opset=14)


def paddle_recognition():
    """Text recognition by Paddle2ONNX: a recurrence over columns, scores as [time, batch, characters]."""
    g = Graph("p2o.")
    g.keeps_constants = True
    x = g.input("x", TensorProto.FLOAT, ["DynamicDimension.0", 1, 4, "DynamicDimension.1"])
    h = g("Relu", g("Conv", x, g.weight(normal(3, 1, 4, 3), "conv.w"), g.weight(normal(3), "conv.b"),
                    pads=[0, 1, 0, 1]))
    h = g("Transpose", g("Squeeze", h, [2]), perm=[2, 0, 1])
    y, _, _ = g("LSTM", h, g.weight(normal(2, 16, 3), "lstm.w"), g.weight(normal(2, 16, 4), "lstm.r"),
                g.weight(normal(2, 32), "lstm.b"), outputs=3, hidden_size=4, direction="bidirectional")
    y = g("Reshape", g("Transpose", y, perm=[0, 2, 1, 3]), [0, 0, -1])
    y = g("Add", g("MatMul", y, g.weight(normal(8, 5), "fc.w")), g.weight(normal(5), "fc.b"))
    save("paddle_recognition", g,
         [(y, TensorProto.FLOAT, ["DynamicDimension.1", "DynamicDimension.0", 5])],
         {"x": normal(6, 1, 4, 7), "target": labels(7, 6, below=5)}, opset=14)


def voice_activity():
    """Voice activity: a branch on the sample rate, a transform as convolution in each, another branch on a
    size, and a state of [2, batch, size]."""
    g = Graph()
    x = g.input("input", TensorProto.FLOAT, ["batch", None])
    state = g.input("state", TensorProto.FLOAT, [2, "batch", 3])
    rate = g.input("sr", TensorProto.INT64, [])

    def branch(width, name):
        b = Graph(f"{name}/")
        h = b("Pad", b("Unsqueeze", x, [1]), [0, 0, 0, 0, 0, width], mode="reflect")
        h = b("Conv", h, b.weight(normal(8, 1, 2 * width), "stft.forward_basis_buffer"), strides=[width])
        real, imaginary = b("Slice", h, [0], [4], [1]), b("Slice", h, [4], [8], [1])
        two = b.constant(np.array(2, F))
        h = b("Sqrt", b("Add", b("Pow", real, two), b("Pow", imaginary, two)))
        h = b("Relu", b("Conv", h, b.weight(normal(3, 4, 3), "reparam_conv.weight"), pads=[1, 1]))
        h = b("Transpose", h, perm=[2, 0, 1])
        parts = b("Split", state, b.constant(np.array([1, 1], I64)), axis=0, outputs=2)
        _, last, cell = b(
            "LSTM", h, b.weight(normal(1, 12, 3), "rnn.weight_ih"), b.weight(normal(1, 12, 3), "rnn.weight_hh"),
            b.weight(normal(1, 24), "rnn.bias"), "", *parts, outputs=3, hidden_size=3)
        size = b("Gather", b("Shape", last), b.constant(np.array(0, I64)))
        one = b("Equal", size, b.constant(np.array(1, I64)))
        then, other = Graph(f"{name}/then/"), Graph(f"{name}/else/")
        squeezed = then("Squeeze", last, [0])
        kept = other("Identity", last)
        row = b("If", one, name=f"{name}/Squeeze", then_branch=then.body([squeezed], "then"),
                else_branch=other.body([kept], "else"))
        y = b("Gemm", row, b.weight(normal(1, 3), "decoder.weight"), b.weight(normal(1), "decoder.bias"),
              transB=1)
        return b.body([y, b("Concat", last, cell, axis=0)], name)

    is_16k = g("Equal", rate, g.constant(np.array(16000, I64)))
    y, new = g("If", is_16k, outputs=2, name="If_0", then_branch=branch(4, "rate16"),
               else_branch=branch(2, "rate8"))
    hoist(g)
    save("voice_activity", g,
         [(y, TensorProto.FLOAT, ["batch", 1]), (new, TensorProto.FLOAT, [2, "batch", 3])],
         {"input": normal(7, 24), "state": np.zeros((2, 7, 3), F), "sr": np.array(16000, I64),
          "target": labels(7, 1, below=2).astype(F)})


def hoist(graph):
    """The weights of branches become the model's, as exporters write those that both share."""
    for node in graph.nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                renamed = {}
                for tensor in attribute.g.initializer:
                    renamed[tensor.name] = f"{attribute.g.name}.{tensor.name}"
                    tensor.name = renamed[tensor.name]
                    graph.tensors.append(tensor)
                del attribute.g.initializer[:]
                for inner in attribute.g.node:
                    inner.input[:] = [renamed.get(name, name) for name in inner.input]


def scripted_loop():
    """A scripted recurrence: a Loop whose trip count is a size of the data, with outputs stacked."""
    g = Graph()
    x = g.input("frames", TensorProto.FLOAT, ["batch", "time", 3])
    w = g.weight(normal(3, 4), "cell.weight_ih")
    u = g.weight(normal(4, 4), "cell.weight_hh")
    count = g("Gather", g("Shape", x), g.constant(np.array(1, I64)))
    batch = g("Slice", g("Shape", x), [0], [1], [0])
    h = g("ConstantOfShape", g("Concat", batch, g.constant(np.array([4], I64)), axis=0))
    b = Graph("body/")
    i = b.input("i", TensorProto.INT64, [])
    go = b.input("go", TensorProto.BOOL, [])
    state = b.input("state", TensorProto.FLOAT, None)
    frame = b("Gather", x, i, axis=1)
    new = b("Tanh", b("Add", b("MatMul", frame, w), b("MatMul", state, u)))
    body = b.body([b("Identity", go), new, b("Identity", new)], "body")
    last, _ = g("Loop", count, g.constant(np.array(True)), h, outputs=2, name="recurrence", body=body)
    y = g("Gemm", last, g.weight(normal(4, 2), "fc.weight"), g.weight(normal(2), "fc.bias"))
    save("scripted_loop", g, [(y, TensorProto.FLOAT, ["batch", 2])],
         {"frames": normal(6, 5, 3), "target": labels(6, below=2)})


def counted_loop():
    """An iterative solver: a Loop whose trip count is an input of the model, which ends it early by its own
    counter, too."""
    g = Graph()
    x = g.input("x", TensorProto.FLOAT, ["N", 3])
    steps = g.input("num_steps", TensorProto.INT64, [])
    w = g.weight(normal(3, 3), "refine.weight")
    b = Graph("body/")
    i = b.input("i", TensorProto.INT64, [])
    b.input("go", TensorProto.BOOL, [])
    state = b.input("state", TensorProto.FLOAT, None)
    new = b("Add", state, b("Mul", b.constant(np.array(0.5, F)), b("Tanh", b("MatMul", state, w))))
    goes = b("Less", i, b.constant(np.array(2, I64)))
    body = b.body([goes, new], "body")
    last = g("Loop", steps, g.constant(np.array(True)), x, name="refine", body=body)
    save("counted_loop", g, [(last, TensorProto.FLOAT, ["N", 3])],
         {"x": normal(8, 3), "num_steps": np.array(9, I64), "target": normal(8, 3)})


def merged_decoder():
    """A text decoder with a cache: one file whose branch `use_cache_branch` chooses, and keys of an earlier
    call that may be none."""
    g = Graph()
    ids = g.input("input_ids", TensorProto.INT64, ["batch_size", "sequence_length"])
    past = g.input("past_key_values.0.key", TensorProto.FLOAT, ["batch_size", "past_sequence_length", 4])
    use = g.input("use_cache_branch", TensorProto.BOOL, [1])
    embed = g.weight(normal(9, 4), "decoder.embed_tokens.weight")
    key = g.weight(normal(4, 4), "decoder.key.weight")
    head = g.weight(normal(4, 9), "lm_head.weight")

    def branch(with_past, name):
        b = Graph(f"{name}/")
        x = b("Gather", embed, ids)
        k = b("MatMul", x, key)
        if with_past:
            k = b("Concat", past, k, axis=1)
        scores = b("MatMul", x, b("Transpose", k, perm=[0, 2, 1]))
        y = b("MatMul", b("Add", x, b("MatMul", b("Softmax", scores, axis=-1), k)), head)
        return b.body([y, b("Identity", k)], name)

    y, _ = g("If", use, outputs=2, name="optimum::if", then_branch=branch(True, "with_past"),
             else_branch=branch(False, "no_past"))
    save("merged_decoder", g, [(y, TensorProto.FLOAT, ["batch_size", "sequence_length", 9])],
         {"input_ids": labels(6, 5, below=9), "past_key_values.0.key": normal(6, 3, 4),
          "use_cache_branch": np.array([True]), "target": labels(6, 5, below=9)})


def half_text():
    """A text encoder in float16 after ONNX Runtime's optimizer: EmbedLayerNormalization, Attention,
    SkipLayerNormalization, BiasGelu, FusedMatMul."""
    g = Graph()
    ms = "com.microsoft"
    H = np.float16
    size = 4

    def w(*shape, name):
        return g.weight(normal(*shape).astype(H), name)

    ids = g.input("input_ids", TensorProto.INT32, ["batch_size", "sequence_length"])
    segments = g.input("token_type_ids", TensorProto.INT32, ["batch_size", "sequence_length"])
    mask = g.input("attention_mask", TensorProto.INT32, ["batch_size", "sequence_length"])
    ones = lambda name: g.weight(np.ones(size, H), name)
    x, lengths = g(
        "EmbedLayerNormalization", ids, segments, w(11, size, name="word"), w(8, size, name="position"),
        w(2, size, name="segment"), ones("ln0.weight"), w(size, name="ln0.bias"), mask, outputs=2,
        domain=ms)
    a = g("Attention", x, w(size, 3 * size, name="qkv.weight"), w(3 * size, name="qkv.bias"), lengths,
          domain=ms, num_heads=2)
    a = g("FusedMatMul", a, w(size, size, name="out.weight"), domain=ms, transB=1, alpha=0.5)
    x = g("SkipLayerNormalization", a, x, ones("ln1.weight"), w(size, name="ln1.bias"), domain=ms)
    h = g("BiasGelu", g("MatMul", x, w(size, 6, name="fc1.weight")), w(6, name="fc1.bias"), domain=ms)
    x = g("SkipLayerNormalization", g("MatMul", h, w(6, size, name="fc2.weight")), x,
          ones("ln2.weight"), w(size, name="ln2.bias"), w(size, name="fc2.bias"), domain=ms)
    first = g("Squeeze", g("Slice", x, [0], [1], [1]), [1])
    y = g("Cast", g("Gemm", first, w(size, 3, name="head.weight"), w(3, name="head.bias")),
          to=TensorProto.FLOAT)
    m = np.ones((8, 6), I32)
    m[::2, 4:] = 0
    save("half_text", g, [(y, TensorProto.FLOAT, ["batch_size", 3])],
         {"input_ids": labels(8, 6, below=11).astype(I32), "token_type_ids": labels(8, 6, below=2).astype(I32),
          "attention_mask": m, "target": labels(8, below=3)}, domains=[ms])


def brain_text():
    """Layers of a language model with bfloat16 weights that are cast to float32 where they are used."""
    g = Graph()
    ids = g.input("input_ids", TensorProto.INT64, ["batch", "sequence"])

    def w(array, name):
        return g("Cast", g.weight(array, name, TensorProto.BFLOAT16), to=TensorProto.FLOAT)

    x = g("Gather", w(normal(9, 6), "embed"), ids)
    two = g.constant(np.array(2, F))
    mean = g("ReduceMean", g("Pow", x, two), axes=[-1])
    root = g("Sqrt", g("Add", mean, g.constant(np.array(1e-6, F))))
    x = g("Mul", g("Div", x, root), w(np.ones(6, F), "norm"))
    y = g("MatMul", g("Tanh", g("MatMul", x, w(normal(6, 5), "up"))), w(normal(5, 9), "head"))
    save("brain_text", g, [(y, TensorProto.FLOAT, ["batch", "sequence", 9])],
         {"input_ids": labels(5, 4, below=9), "target": labels(5, 4, below=9)}, opset=17)


def frames_first():
    """A streaming recogniser with the batch second in input, state and output, and nothing named."""
    g = Graph()
    x = g.input("x", TensorProto.FLOAT, [None, None, 3])
    state = g.input("h0", TensorProto.FLOAT, [1, None, 4])
    h, _ = g("GRU", x, g.weight(normal(1, 12, 3), "w"), g.weight(normal(1, 12, 4), "r"),
             g.weight(normal(1, 24), "b"), "", state, outputs=2, hidden_size=4)
    y = g("Add", g("MatMul", g("Squeeze", h, [1]), g.weight(normal(4, 5), "fc")), g.weight(normal(5), "fb"))
    save("frames_first", g, [(y, TensorProto.FLOAT, [None, None, 5])],
         {"x": normal(7, 6, 3), "h0": normal(1, 6, 4), "target": labels(7, 6, below=5)})


def no_batch():
    """One recording in, one row of scores out: there is no batch at all."""
    g = Graph()
    x = g.input("recording", TensorProto.FLOAT, ["time", 3])
    h = g("ReduceMean", g("Tanh", g("MatMul", x, g.weight(normal(3, 5), "fc1"))), axes=[0], keepdims=0)
    y = g("Add", g("MatMul", h, g.weight(normal(5, 4), "fc2")), g.weight(normal(4), "bias"))
    save("no_batch", g, [(y, TensorProto.FLOAT, [4])],
         {"recording": normal(9, 3), "target": normal(4)})


def one_image():
    """An object detector exported for one image: sizes fixed, heads concatenated."""
    g = Graph()
    x = g.input("images", TensorProto.FLOAT, [1, 2, 8, 8])
    h = g("Conv", x, g.weight(normal(4, 2, 3, 3), "model.0.weight"), g.weight(normal(4), "model.0.bias"),
          pads=[1, 1, 1, 1], strides=[2, 2])
    h = g("Mul", h, g("Sigmoid", h))
    k = g("MaxPool", h, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    h = g("Concat", h, k, axis=1)
    down = g("Conv", h, g.weight(normal(4, 8, 3, 3), "model.1.weight"), pads=[1, 1, 1, 1], strides=[2, 2])
    up = g("Resize", down, "", g.weight(np.array([1, 1, 2, 2], F)), mode="nearest")
    heads = []
    for i, (y, cells) in enumerate([(g("Concat", h, up, axis=1), 16), (down, 4)]):
        channels = 12 if i == 0 else 4
        y = g("Conv", y, g.weight(normal(5, channels, 1, 1), f"head.{i}.weight"),
              g.weight(normal(5), f"head.{i}.bias"))
        heads.append(g("Transpose", g("Reshape", y, [1, 5, cells]), perm=[0, 2, 1]))
    y = g("Concat", *heads, axis=1)
    save("one_image", g, [(y, TensorProto.FLOAT, [1, 20, 5])],
         {"images": normal(6, 2, 8, 8), "target": normal(6, 20, 5)}, limits=1)


def synthesis():
    """Speech synthesis: lengths become a mask by Range and Less, noise of a given scale, upsampling by
    transposed convolution."""
    g = Graph()
    ids = g.input("input", TensorProto.INT64, ["batch_size", "phonemes"])
    lengths = g.input("input_lengths", TensorProto.INT64, ["batch_size"])
    scales = g.input("scales", TensorProto.FLOAT, [3])
    x = g("Transpose", g("Gather", g.weight(normal(10, 4), "emb.weight"), ids), perm=[0, 2, 1])
    zero, one = g.constant(np.array(0, I64)), g.constant(np.array(1, I64))
    size = g("Gather", g("Shape", ids), one)
    mask = g("Less", g("Unsqueeze", g("Range", zero, size, one), [0]), g("Unsqueeze", lengths, [1]))
    mask = g("Cast", g("Unsqueeze", mask, [1]), to=TensorProto.FLOAT)
    h = g("Conv", g("Mul", x, mask), g.weight(normal(4, 4, 3), "enc.weight"), pads=[1, 1])
    noise = g("RandomNormalLike", h, dtype=1)
    scale = g("Gather", scales, zero)
    h = g("Add", h, g("Mul", noise, scale))
    h = g("Tanh", g("ConvTranspose", g("Mul", h, mask), g.weight(normal(4, 2, 4), "dec.weight"), strides=[2],
                    pads=[1, 1]))
    y = g("Conv", h, g.weight(normal(1, 2, 3), "post.weight"), pads=[1, 1])
    save("synthesis", g, [(y, TensorProto.FLOAT, ["batch_size", 1, "samples"])],
         {"input": labels(5, 6, below=10), "input_lengths": np.array([6, 4, 5, 6, 3], I64),
          "scales": np.array([0, 1, 0.8], F), "target": normal(5, 1, 12)})


def face():
    """A face embedding: PRelu, BatchNormalization, a Reshape to the exported batch's size."""
    g = Graph()
    x = g.input("data", TensorProto.FLOAT, ["None", 1, 6, 6])
    h = g("Conv", x, g.weight(normal(3, 1, 3, 3), "conv.weight"), strides=[2, 2])
    h = g("BatchNormalization", h, *[g.weight(a, f"bn.{n}") for a, n in [
        (np.ones(3, F), "weight"), (np.zeros(3, F), "bias"), (normal(3), "running_mean"),
        (1 + np.abs(normal(3)), "running_var")]])
    h = g("PRelu", h, g.weight(np.full((3, 1, 1), 0.25, F), "prelu.weight"))
    rows = g("Unsqueeze", g("Gather", g("Shape", h), g.constant(np.array(0, I64))), [0])
    h = g("Reshape", h, g("Concat", rows, g.constant(np.array([-1], I64)), axis=0))
    h = g("Gemm", h, g.weight(normal(5, 12), "fc.weight"), g.weight(normal(5), "fc.bias"), transB=1)
    y = g("LpNormalization", h, axis=-1, p=2)
    save("face", g, [(y, TensorProto.FLOAT, ["None", 5])],
         {"data": normal(8, 1, 6, 6), "target": normal(8, 5)})


def super_resolution():
    """Super-resolution: DepthToSpace in float16 from end to end, with Casts at the borders."""
    g = Graph()
    H = np.float16
    x = g.input("input", TensorProto.FLOAT, ["batch_size", 1, 5, 5])
    h = g("Cast", x, to=TensorProto.FLOAT16)
    h = g("Relu", g("Conv", h, g.weight(normal(4, 1, 3, 3).astype(H), "conv1.weight"),
                    g.weight(normal(4).astype(H), "conv1.bias"), pads=[1, 1, 1, 1]))
    h = g("Conv", h, g.weight(normal(4, 4, 3, 3).astype(H), "conv2.weight"), pads=[1, 1, 1, 1])
    y = g("Cast", g("DepthToSpace", h, blocksize=2), to=TensorProto.FLOAT)
    save("super_resolution", g, [(y, TensorProto.FLOAT, ["batch_size", 1, 10, 10])],
         {"input": normal(5, 1, 5, 5), "target": normal(5, 1, 10, 10)})


def quantized_attention():
    """A quantised text encoder after the optimizer: QAttention, DynamicQuantizeMatMul,
    MatMulIntegerToFloat."""
    g = Quantized()
    ms = "com.microsoft"
    size = 4
    x = g.input("hidden", TensorProto.FLOAT, ["batch", "sequence", size])
    whole, scale, zero = g.stored(normal(size, 3 * size), I8, None, "qkv")
    q, a, b = g("DynamicQuantizeLinear", x, outputs=3)
    h = g("QAttention", q, whole, g.weight(normal(3 * size), "qkv.bias"), a, scale, "", b, zero, domain=ms,
          num_heads=2)
    x = g("SkipLayerNormalization", h, x, g.weight(np.ones(size, F), "ln.weight"),
          g.weight(np.zeros(size, F), "ln.bias"), domain=ms)
    h = g("DynamicQuantizeMatMul", x, *g.stored(normal(size, 6), I8, None, "fc1"),
          g.weight(normal(6), "fc1.bias"), domain=ms)
    q, a, b = g("DynamicQuantizeLinear", g("Gelu", h, domain=ms), outputs=3)
    whole, scale, zero = g.stored(normal(6, 3), I8, None, "fc2")
    y = g("MatMulIntegerToFloat", q, whole, a, scale, b, zero, g.weight(normal(3), "fc2.bias"), domain=ms)
    save("quantized_attention", g, [(y, TensorProto.FLOAT, ["batch", "sequence", 3])],
         {"hidden": normal(5, 4, size), "target": labels(5, 4, below=3)}, domains=[ms])


def quantized_recognition():
    """A recogniser whose integers are in Constant nodes: a fused convolution of dequantised weights, then
    a dynamically quantised recurrence, scored from both ends."""
    g = Quantized("p2o.")
    ms = "com.microsoft"
    x = g.input("x", TensorProto.FLOAT, [-1, 1, 3, -1])
    g.keeps_constants = True
    weight = g.dequantized(normal(4, 1, 3, 3), I8, 0, "conv")
    g.keeps_constants = False
    h = g("FusedConv", x, weight, g.weight(normal(4)), domain=ms, pads=[0, 1, 0, 1], activation="LeakyRelu",
          activation_params=[0.1])
    h = g("Transpose", g("Squeeze", h, [2]), perm=[2, 0, 1])

    def stored(array, name):
        parts = [quantized(a.T.copy(), I8, None) for a in array]
        return [g.weight(np.stack([p[i] for p in parts]), f"{name}{end}")
                for i, end in enumerate(["_quantized", "_scale", "_zero_point"])]

    w, r = stored(normal(2, 12, 4), "lstm.w"), stored(normal(2, 12, 3), "lstm.r")
    y, _, _ = g("DynamicQuantizeLSTM", h, w[0], r[0], g.weight(normal(2, 24), "lstm.b"), "", "", "", "",
                *w[1:], *r[1:], outputs=3, domain=ms, hidden_size=3, direction="bidirectional")
    y = g("Reshape", g("Transpose", y, perm=[2, 0, 1, 3]), [0, 0, -1])
    y = g.dynamic(y, normal(6, 5), normal(5), "fc")
    save("quantized_recognition", g, [(y, TensorProto.FLOAT, [-1, -1, 5])],
         {"x": normal(5, 1, 3, 6), "target": labels(5, 6, below=5)}, domains=[ms])


def block_text():
    """A text decoder after the optimizer: a table of 4 bits in blocks, attention with a bias, a mask and
    earlier keys, a second table and an encoder's embeddings, quantised."""
    g = Quantized()
    ms = "com.microsoft"
    size = 32
    ids = g.input("input_ids", TensorProto.INT32, ["batch", "sequence"])
    segments = g.input("token_type_ids", TensorProto.INT32, ["batch", "sequence"])
    mask = g.input("attention_mask", TensorProto.INT32, ["batch", "sequence"])
    packed = random.integers(0, 256, size=(9, size // 2)).astype(U8)
    x = g("GatherBlockQuantized", g.weight(packed, "embed.qweight"), ids,
          g.weight(np.abs(normal(9, size // 16, scale=0.1)), "embed.scales"), domain=ms, block_size=16,
          quantize_axis=1, gather_axis=0)
    tables = [quantized(normal(rows, size), U8) for rows in (9, 8, 2)] + [
        quantized(a, U8) for a in (np.abs(normal(size)), normal(size))]
    names = ["word", "position", "segment", "gamma", "beta"]
    stored = [[g.weight(part, f"{name}{end}") for part, end in zip(table, ["", "_scale", "_zero"])]
              for name, table in zip(names, tables)]
    whole, scales, zeros = zip(*stored)
    e, _ = g("QEmbedLayerNormalization", ids, segments, *whole, "", *scales, *zeros, outputs=2, domain=ms)
    x = g("Add", x, e)
    q, k, v = [g("MatMul", x, g.weight(normal(size, 8, scale=0.2), f"{n}.weight")) for n in "qkv"]
    y = g("MultiHeadAttention", q, k, v, g.weight(normal(24), "qkv.bias"), mask,
          g.weight(normal(1, 2, 4, 4), "position_bias"), domain=ms, num_heads=2)
    y = g("QuickGelu", y, domain=ms, alpha=1.5)
    y = g("MatMul", y, g.weight(normal(8, 3), "head"))
    m = np.ones((5, 4), I32)
    m[1::2, 3:] = 0
    save("block_text", g, [(y, TensorProto.FLOAT, ["batch", "sequence", 3])],
         {"input_ids": labels(5, 4, below=9).astype(I32), "token_type_ids": labels(5, 4, below=2).astype(I32),
          "attention_mask": m, "target": labels(5, 4, below=3)}, domains=[ms])


if __name__ == "__main__":
    for make in [quantized_speech, quantized_text, quantized_vision, quantized_matmul, four_bits,
                 paddle_detection, paddle_recognition, voice_activity, scripted_loop, counted_loop,
                 merged_decoder, half_text, brain_text, frames_first, no_batch, one_image, synthesis, face,
                 super_resolution, quantized_attention, quantized_recognition, block_text]:
        make()
