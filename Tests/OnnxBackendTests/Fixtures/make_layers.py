"""Writes layers/*.onnx: one node each, with its inputs, and what ONNX Runtime makes of them, as
initializers (the latter named "expected:" and the output). These are forms of the layers that the
onnx package has no conformance case for.

    python make_layers.py

Needs onnx, onnxruntime and torch.
"""
import pathlib

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).parent / "layers"
TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32,
         np.dtype(np.int64): TensorProto.INT64, np.dtype(bool): TensorProto.BOOL}
random = np.random.default_rng(7)


def normal(*shape):
    return random.normal(size=shape).astype(np.float32)


def case(name, opset, operator, inputs, outputs=1, expected=None, domain="", **attributes):
    """`inputs`: arrays, None where one is left out; `outputs`: how many, or which as a list of bools."""
    names = [f"x{i}" if value is not None else "" for i, value in enumerate(inputs)]
    arrays = {f"x{i}": value for i, value in enumerate(inputs) if value is not None}
    kept = [True] * outputs if isinstance(outputs, int) else outputs
    results = [f"y{i}" if keep else "" for i, keep in enumerate(kept)]
    node = helper.make_node(operator, names, results, name="layer", domain=domain, **attributes)
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])

    def model(info, initializers):
        graph = helper.make_graph(
            [node], name, info, [helper.make_empty_tensor_value_info(r) for r in results if r],
            initializers)
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=min(10, helper.find_min_ir_version_for(opsets, True)))

    tensors = [numpy_helper.from_array(value, key) for key, value in arrays.items()]
    if expected is None:
        # Only numbers are inputs: shapes and scales have to be known.
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            model([], tensors).SerializeToString(), options, providers=["CPUExecutionProvider"])
        expected = session.run([r for r in results if r], {})
    goldens = [numpy_helper.from_array(np.asarray(value), f"expected:{key}")
               for key, value in zip([r for r in results if r], expected)]
    onnx.save(model([], tensors + goldens), FOLDER / f"{name}.onnx")


def convolutions():
    x, w = normal(2, 4, 7, 8), normal(6, 2, 4, 3)
    for mode in ("SAME_UPPER", "SAME_LOWER"):
        case(f"conv_{mode.lower()}_stride", 9, "Conv", [x, w, normal(6)], group=2, auto_pad=mode,
             strides=[2, 3], kernel_shape=[4, 3])
    case("conv_valid_dilated", 11, "Conv", [x, w], group=2, auto_pad="VALID", dilations=[2, 3])
    case("conv_1d_grouped", 9, "Conv", [normal(2, 6, 11), normal(9, 2, 3), normal(9)], group=3,
         pads=[3, 1], strides=[2], dilations=[2])
    case("conv_3d", 9, "Conv", [normal(1, 2, 4, 5, 4), normal(3, 2, 2, 3, 2)], pads=[1, 0, 1, 0, 2, 0],
         strides=[2, 1, 2])
    x, w = normal(2, 4, 4, 3), normal(4, 3, 3, 3)
    case("convtranspose_grouped_output_padding", 11, "ConvTranspose", [x, w, normal(6)], group=2,
         strides=[3, 2], pads=[1, 0, 2, 1], output_padding=[2, 1])
    # ONNX Runtime has no output padding beyond the stride.
    longer = torch.nn.functional.conv_transpose2d(
        torch.tensor(x), torch.tensor(w), stride=2, dilation=(3, 1), output_padding=(2, 1),
        padding=(1, 0)).numpy()
    case("convtranspose_long_output_padding", 11, "ConvTranspose", [x, w], strides=[2, 2],
         dilations=[3, 1], output_padding=[2, 1], pads=[1, 0, 1, 0], expected=[longer])
    for mode in ("SAME_UPPER", "SAME_LOWER"):
        case(f"convtranspose_{mode.lower()}", 9, "ConvTranspose", [x, w], auto_pad=mode, strides=[2, 2])
    case("convtranspose_output_shape", 9, "ConvTranspose", [x, w], strides=[2, 2], output_shape=[8, 6])
    case("convtranspose_long_output_shape", 9, "ConvTranspose", [x, w], strides=[3, 2],
         output_shape=[14, 8])
    case("convtranspose_3d", 9, "ConvTranspose", [normal(1, 2, 2, 3, 2), normal(2, 2, 2, 2, 3)],
         strides=[2, 1, 2], pads=[0, 1, 1, 1, 0, 0])


def pools():
    x = normal(2, 3, 8, 9)
    case("maxpool_positions_dilated_ceil", 10, "MaxPool", [x], 2, kernel_shape=[3, 2], strides=[2, 3],
         dilations=[2, 1], pads=[1, 0, 2, 1], ceil_mode=1)
    case("maxpool_positions_column_major", 12, "MaxPool", [x], 2, kernel_shape=[3, 3], strides=[2, 2],
         storage_order=1, pads=[1, 1, 1, 1])
    for mode in ("SAME_UPPER", "SAME_LOWER"):
        case(f"maxpool_{mode.lower()}", 9, "MaxPool", [x], auto_pad=mode, kernel_shape=[4, 2],
             strides=[3, 2])
        case(f"averagepool_{mode.lower()}", 9, "AveragePool", [x], auto_pad=mode, kernel_shape=[4, 3],
             strides=[3, 2])
    for include in (0, 1):
        case(f"averagepool_pads_{include}", 9, "AveragePool", [x], kernel_shape=[3, 4], strides=[2, 3],
             pads=[1, 2, 2, 0], count_include_pad=include)
        case(f"averagepool_ceil_dilated_{include}", 19, "AveragePool", [x], kernel_shape=[3, 2],
             strides=[2, 3], pads=[1, 0, 1, 1], dilations=[2, 2], ceil_mode=1, count_include_pad=include)
    case("averagepool_1d_3", 9, "AveragePool", [normal(2, 2, 7)], kernel_shape=[3], strides=[2],
         pads=[1, 1])
    case("lppool_cubes", 11, "LpPool", [x], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], p=3)
    for p in (1, 3):
        case(f"globallppool_{p}", 9, "GlobalLpPool", [normal(2, 3, 4, 3)], p=p)


def normalisation():
    x = normal(3, 4, 2, 3)
    variance = np.abs(normal(4)) + 0.5
    case("batchnorm_9", 9, "BatchNormalization", [x, normal(4), normal(4), normal(4), variance],
         epsilon=1e-3)
    case("batchnorm_2d", 15, "BatchNormalization",
         [normal(5, 4), normal(4), normal(4), normal(4), variance])
    case("layernorm_statistics", 17, "LayerNormalization", [x, normal(2, 3), normal(1, 3)], 3, axis=2)
    groups = x.reshape(3, 2, -1)
    mean, deviation = groups.mean(-1, keepdims=True), groups.std(-1, keepdims=True)
    scale, bias = normal(2), normal(2)
    y = (groups - mean) / np.sqrt(deviation**2 + 1e-5) * scale[:, None] + bias[:, None]
    case("groupnorm_18", 18, "GroupNormalization", [x, scale, bias], num_groups=2,
         expected=[y.reshape(x.shape)])
    case("lpnorm_1", 9, "LpNormalization", [x], p=1, axis=1)
    # ONNX Runtime takes odd sizes only: the region is one channel before and two after.
    z = normal(2, 7, 2, 2)
    squares = np.stack([(z[:, max(0, c - 1):c + 3] ** 2).sum(1) for c in range(7)], axis=1)
    case("lrn_even", 9, "LRN", [z], size=4, alpha=0.5, beta=0.6, bias=1.5,
         expected=[(z / (1.5 + 0.5 / 4 * squares) ** 0.6).astype(np.float32)])
    case("mvn_axes", 9, "MeanVarianceNormalization", [x], axes=[1, 3])
    case("dropout_9", 9, "Dropout", [x], ratio=0.3)


def resizing():
    x = normal(1, 2, 4, 5)
    for mode in ("nearest", "linear"):
        for operator, opset in (("Upsample", 9), ("Resize", 10)):
            case(f"{operator.lower()}_{mode}", opset, operator,
                 [x, np.array([1, 1, 2.5, 2], np.float32)], mode=mode)
    none = np.array([], np.float32)
    case("resize_sizes_11", 11, "Resize", [x, none, none, np.array([1, 2, 7, 3])],
         mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
    case("resize_cubic_11", 11, "Resize", [x, none, np.array([1, 1, 1.5, 0.6], np.float32)],
         mode="cubic", coordinate_transformation_mode="half_pixel", cubic_coeff_a=-0.5)
    case("resize_align_corners_11", 11, "Resize", [x, none, none, np.array([1, 2, 9, 3])],
         mode="linear", coordinate_transformation_mode="align_corners")


def recurrence():
    steps, batch, features, hidden = 5, 3, 2, 4
    x = normal(steps, batch, features)
    lengths = np.array([5, 2, 4], np.int32)

    def weights(gates, directions):
        return [0.5 * normal(directions, gates * hidden, features),
                0.5 * normal(directions, gates * hidden, hidden), normal(directions, 2 * gates * hidden)]

    def state(directions):
        return normal(directions, batch, hidden)

    case("lstm_bidirectional_peepholes_lengths", 9, "LSTM",
         [x, *weights(4, 2), lengths, state(2), state(2), normal(2, 3 * hidden)], 3, hidden_size=hidden,
         direction="bidirectional")
    case("lstm_reverse_activations_clip", 14, "LSTM", [x, *weights(4, 1), None, state(1), state(1)], 3,
         hidden_size=hidden, direction="reverse", clip=0.8,
         activations=["HardSigmoid", "Softsign", "Elu"], activation_alpha=[0.3, 0.7],
         activation_beta=[0.4])
    case("lstm_input_forget", 14, "LSTM", [x, *weights(4, 1)], hidden_size=hidden, input_forget=1)
    for linear in (0, 1):
        case(f"gru_bidirectional_lengths_{linear}", 9, "GRU", [x, *weights(3, 2), lengths, state(2)], 2,
             hidden_size=hidden, direction="bidirectional", linear_before_reset=linear)
        case(f"gru_reverse_{linear}", 14, "GRU", [x, *weights(3, 1)[:2]], [False, True],
             hidden_size=hidden, direction="reverse", linear_before_reset=linear,
             activations=["Sigmoid", "LeakyRelu"], activation_alpha=[0.2])
    case("rnn_bidirectional_lengths", 9, "RNN", [x, *weights(1, 2), lengths, state(2)], 2,
         hidden_size=hidden, direction="bidirectional", activations=["Tanh", "ScaledTanh"],
         activation_alpha=[0.7], activation_beta=[1.2])


def contributed():
    x = normal(2, 3, 4)
    own = dict(domain="com.microsoft")
    case("microsoft_gelu", 17, "Gelu", [x], **own)
    case("microsoft_biasgelu", 17, "BiasGelu", [x, normal(4)], **own)
    case("microsoft_fastgelu", 17, "FastGelu", [x, normal(4)], **own)
    case("microsoft_quickgelu", 17, "QuickGelu", [x], **own)
    case("microsoft_skiplayernorm", 17, "SkipLayerNormalization",
         [x, normal(2, 3, 4), normal(4), normal(4), normal(4)], [True, False, False, True], **own)
    case("microsoft_skipsimplifiedlayernorm", 17, "SkipSimplifiedLayerNormalization",
         [x, normal(2, 3, 4), normal(4)], [True, False, False, True], **own)
    case("simplifiedlayernorm", 17, "SimplifiedLayerNormalization", [x, normal(4)])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    convolutions()
    pools()
    normalisation()
    resizing()
    recurrence()
    contributed()
