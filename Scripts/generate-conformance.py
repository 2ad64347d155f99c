"""Writes the single-operator cases of the onnx package, one folder each, for the conformance tests.

usage: generate-conformance.py FOLDER

Each case is model.onnx, input_N.pb and output_N.pb of its first data set, and tolerance.json.
Newer onnx packages build these cases in memory only; `onnx.backend.test.cmd_tools generate-data`
leaves them out there.
"""
import json
import os
import random
import sys

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper


def tensor(value, info):
    """The value as bytes, or None where it is a sequence, a map or an optional one."""
    if not info.type.HasField("tensor_type"):
        return None
    if not isinstance(value, TensorProto):
        value = numpy_helper.from_array(np.asarray(value), info.name)
    return value.SerializeToString()


def main(folder):
    random.seed(0)
    np.random.seed(0)
    from onnx.backend.test.case.node import collect_testcases

    try:
        cases = collect_testcases(None)
    except TypeError:
        cases = collect_testcases()
    for case in cases:
        if case.model is None or not case.data_sets:
            continue
        path = os.path.join(folder, case.name)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, "model.onnx"), "wb") as file:
            file.write(case.model.SerializeToString())
        with open(os.path.join(path, "tolerance.json"), "w") as file:
            json.dump({"rtol": case.rtol, "atol": case.atol}, file)
        inputs, outputs = case.data_sets[0]
        graph = case.model.graph
        for kind, values, infos in (
            ("input", inputs, graph.input),
            ("output", outputs, graph.output),
        ):
            for index, (value, info) in enumerate(zip(values, infos)):
                data = tensor(value, info)
                if data is not None:
                    with open(os.path.join(path, f"{kind}_{index}.pb"), "wb") as file:
                        file.write(data)
    # Last, so that a folder with it is complete.
    with open(os.path.join(folder, "VERSION"), "w") as file:
        file.write(onnx.__version__ + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
