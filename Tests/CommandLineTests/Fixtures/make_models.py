"""The model files of the command line's tests, a few hundred bytes each. Needs the package `onnx`."""

import pathlib

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

FOLDER = pathlib.Path(__file__).parent


def model(name, batch):
    weight = np.array([0.5, -1.0, 2.0], np.float32)
    stored = {
        "scale.weight": weight,
        "scale.bias": np.array([0.1, 0.0, -0.2], np.float32),
        "gain.weight": np.array([1.5], np.float32),
        "unused.weight": np.ones((2, 2), np.float32),
        "half": np.array(0.5, np.float32),
        "count": np.array([3], np.int64),
    }
    nodes = [
        helper.make_node("Mul", ["x", "scale.weight"], ["product"]),
        helper.make_node("Tanh", ["product"], ["curved"]),
        helper.make_node("Mul", ["curved", "gain.weight"], ["amplified"]),
        helper.make_node("Add", ["amplified", "scale.bias"], ["logits"]),
        helper.make_node("Mul", ["gain.weight", "gain.weight"], ["energy"]),
        helper.make_node("Tanh", ["x"], ["untrained"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3])
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 3]),
        helper.make_tensor_value_info("energy", TensorProto.FLOAT, [1]),
        helper.make_tensor_value_info("untrained", TensorProto.FLOAT, [batch, 3]),
    ]
    graph = helper.make_graph(
        nodes, name, [x], outputs, [numpy_helper.from_array(v, k) for k, v in stored.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(made)
    save(made, FOLDER / f"{name}.onnx")


model("gate", "batch")
model("gate-of-4", 4)
