"""Writes forms/*.onnx: small graphs of sequences, grids, signals and classical models, with the numbers
they take, and what ONNX Runtime makes of them, as initializers (the latter named "expected:" and the
output).

    python make_forms.py

Needs onnx and onnxruntime.
"""
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

FOLDER = pathlib.Path(__file__).parent / "forms"
random = np.random.default_rng(11)


def normal(*shape):
    return random.normal(size=shape).astype(np.float32)


def scalar(value, kind=np.int64):
    return np.array(value, kind)


def node(operator, inputs, outputs, ml=False, **attributes):
    return helper.make_node(
        operator, inputs.split(",") if inputs else [], outputs.split(","),
        domain="ai.onnx.ml" if ml else "", **attributes)


def form(name, nodes, outputs="y", opset=17, expected=None, **arrays):
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    results = outputs.split(",")

    def model(initializers):
        graph = helper.make_graph(
            nodes, name, [], [helper.make_empty_tensor_value_info(r) for r in results], initializers)
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    tensors = [numpy_helper.from_array(value, key) for key, value in arrays.items()]
    if expected is None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            model(tensors).SerializeToString(), options, providers=["CPUExecutionProvider"])
        expected = session.run(results, {})
    goldens = [numpy_helper.from_array(np.asarray(value), f"expected:{key}")
               for key, value in zip(results, expected)]
    onnx.save(model(tensors + goldens), FOLDER / f"{name}.onnx")


def sequences():
    # What torch's chunk and split become.
    take = [node("SequenceAt", f"s,i{i}", f"p{i}") for i in range(3)]
    places = {f"i{i}": scalar(i) for i in range(3)}
    mix = [node("ReduceSum", f"p{i}", f"r{i}", keepdims=0) for i in range(3)]
    mix += [node("Mul", "r0,r1", "m"), node("Mul", "m,r2", "y")]
    form("sequence_chunk", [node("SplitToSequence", "x,n", "s", axis=1), *take, *mix],
         x=normal(2, 5, 3), n=scalar(2), **places)
    form("sequence_split", [node("SplitToSequence", "x,n", "s", axis=-1), *take, *mix],
         x=normal(2, 3, 6), n=np.array([1, 2, 3]), **places)
    form("sequence_each", [node("SplitToSequence", "x", "s", keepdims=0),
                           node("SequenceAt", "s,i", "p"), node("SequenceAt", "s,j", "q"),
                           node("Identity", "s", "t"), node("SequenceLength", "t", "l"),
                           node("Mul", "p,q", "y")], "y,l",
         x=normal(4, 3), i=scalar(0), j=scalar(-1))
    build = [node("SequenceConstruct", "x,z", "s"), node("SequenceInsert", "s,z", "t"),
             node("SequenceInsert", "t,x,i", "u"), node("SequenceErase", "u,j", "v")]
    for new in (0, 1):
        form(f"sequence_concat_{new}",
             [*build, node("ConcatFromSequence", "v", "c", axis=1, new_axis=new), node("Mul", "c,c", "y")],
             x=normal(2, 3), z=normal(2, 3), i=scalar(1), j=scalar(-2))
    form("sequence_empty",
         [node("SequenceEmpty", "", "s"), node("SequenceInsert", "s,x", "t"),
          node("SequenceAt", "t,i", "p"), node("Mul", "p,p", "y")], x=normal(3), i=scalar(0))
    def value(name):
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)

    body = helper.make_graph([node("Mul", "a,b", "c"), node("Tanh", "c", "d")], "body",
                             [value("a"), value("b")], [value("d")])
    form("sequence_map", [node("SequenceConstruct", "x,z,x", "s"),
                          node("SequenceMap", "s,z", "t", body=body),
                          node("ConcatFromSequence", "t", "y", axis=0)], x=normal(2, 3), z=normal(2, 3))


def grids():
    x, grid = normal(2, 3, 5, 4), (1.2 * random.uniform(-1, 1, (2, 3, 6, 2))).astype(np.float32)
    for mode in ("linear", "nearest", "cubic"):
        for padding in ("zeros", "border", "reflection"):
            for aligned in (0, 1):
                old = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
                opset = 16 if aligned else 20
                form(f"gridsample_{mode}_{padding}_{aligned}",
                     [node("GridSample", "x,grid", "y", mode=old if opset == 16 else mode,
                           padding_mode=padding, align_corners=aligned)],
                     opset=opset, x=x, grid=grid)
    form("gridsample_volume", [node("GridSample", "x,grid", "y", mode="linear", padding_mode="border")],
         opset=20, x=normal(1, 2, 3, 4, 3),
         grid=(1.2 * random.uniform(-1, 1, (1, 2, 3, 2, 3))).astype(np.float32))
    theta = (np.eye(2, 3) + 0.2 * normal(2, 2, 3)).astype(np.float32)
    for aligned in (0, 1):
        form(f"affinegrid_{aligned}", [node("AffineGrid", "theta,size", "y", align_corners=aligned)],
             opset=20, theta=theta, size=np.array([2, 3, 4, 5]))
    form("affinegrid_volume", [node("AffineGrid", "theta,size", "y")], opset=20,
         theta=(np.eye(3, 4) + 0.2 * normal(1, 3, 4)).astype(np.float32), size=np.array([1, 2, 2, 3, 4]))
    # A spatial transformer.
    form("spatial_transformer",
         [node("AffineGrid", "theta,size", "grid"), node("GridSample", "x,grid", "y", mode="linear")],
         opset=20, x=x, theta=theta, size=np.array([2, 3, 4, 4]))


def signals():
    x = normal(2, 8, 1)
    form("dft_17", [node("DFT", "x", "y")], x=x)
    form("dft_one_sided", [node("DFT", "x", "y", onesided=1)], x=normal(2, 7, 1))
    form("dft_complex_axis", [node("DFT", "x", "y", axis=2)], x=normal(1, 3, 5, 2))
    form("dft_inverse", [node("DFT", "x", "y", inverse=1)], x=normal(2, 6, 2))
    form("dft_20", [node("DFT", "x,,axis", "y")], opset=20, x=normal(3, 2, 1), axis=scalar(0))
    form("dft_padded", [node("DFT", "x,n", "y", onesided=1)], opset=20, x=x, n=scalar(12))
    form("dft_cut", [node("DFT", "x,n", "y")], opset=20, x=x, n=scalar(5))
    # ONNX Runtime has no inverse of one side.
    for n in (8, 7):
        z = normal(2, 5 if n == 8 else 4, 2)
        real = np.fft.irfft(z[..., 0] + 1j * z[..., 1], n=n, axis=1)[..., None].astype(np.float32)
        form(f"dft_real_inverse_{n}", [node("DFT", "x,n", "y", inverse=1, onesided=1)], opset=20, x=z,
             n=scalar(n), expected=[real])
    window = np.hanning(8).astype(np.float32)
    form("stft_window", [node("STFT", "x,hop,window", "y")], x=normal(2, 30, 1), hop=scalar(3),
         window=window)
    form("stft_frames", [node("STFT", "x,hop,,n", "y", onesided=0)], x=normal(1, 20, 1), hop=scalar(5),
         n=scalar(6))
    form("stft_complex", [node("STFT", "x,hop,window,n", "y", onesided=0)], x=normal(2, 16, 2),
         hop=scalar(4), window=window, n=scalar(8))
    for name in ("Hann", "Hamming", "Blackman"):
        for periodic in (0, 1):
            form(f"{name.lower()}_{periodic}",
                 [node(f"{name}Window", "n", "w", periodic=periodic), node("Mul", "x,w", "y")],
                 x=normal(9), n=scalar(9))
    # The front end of an audio model.
    form("mel_spectrogram",
         [node("HannWindow", "n", "w"), node("STFT", "x,hop,w", "f"), node("Mul", "f,f", "s"),
          node("ReduceSum", "s,last", "p", keepdims=0),
          node("MelWeightMatrix", "bands,n,rate,low,high", "mel"),
          node("MatMul", "p,mel", "m"), node("Add", "m,small", "a"), node("Log", "a", "y")],
         x=normal(2, 96, 1), n=scalar(32), hop=scalar(16), last=np.array([3]), bands=scalar(6),
         rate=scalar(8000), low=scalar(0, np.float32), high=scalar(4000, np.float32),
         small=scalar(1e-2, np.float32))


def classical():
    x = normal(5, 3)
    three = dict(coefficients=normal(9).tolist(), intercepts=normal(3).tolist())
    row, bias = normal(3).tolist(), float(normal()[()])
    both = dict(coefficients=[-v for v in row] + row, intercepts=[-bias, bias])
    for transform in ("NONE", "LOGISTIC", "SOFTMAX"):
        form(f"linear_classifier_3_{transform.lower()}",
             [node("LinearClassifier", "x", "label,y", True, classlabels_ints=[4, 2, 9],
                   post_transform=transform, multi_class=1, **three)], "label,y", x=x)
        form(f"linear_classifier_2_{transform.lower()}",
             [node("LinearClassifier", "x", "label,y", True, classlabels_ints=[0, 1],
                   post_transform=transform, multi_class=1, **both)], "label,y", x=x)
    for transform in ("NONE", "LOGISTIC"):
        form(f"linear_classifier_1_{transform.lower()}",
             [node("LinearClassifier", "x", "label,y", True, classlabels_ints=[0, 1],
                   post_transform=transform, coefficients=row, intercepts=[bias])], "label,y", x=x)
    form("linear_regressor", [node("LinearRegressor", "x", "y", True, coefficients=row, targets=1)], x=x)
    form("linear_regressor_2", [node("LinearRegressor", "x", "y", True, coefficients=normal(6).tolist(),
                                     intercepts=[0.5, -1.0], targets=2)], x=x)
    form("scaler", [node("Scaler", "x", "y", True, offset=[1.0, 2.0, -1.0], scale=[0.5, 2.0, 1.0])], x=x)
    form("scaler_1", [node("Scaler", "x", "y", True, offset=[1.5], scale=[0.5])], x=x)
    for norm in ("L1", "L2", "MAX"):
        positive = np.abs(x) + 0.1 if norm == "MAX" else x
        form(f"normalizer_{norm.lower()}", [node("Normalizer", "x", "y", True, norm=norm)], x=positive)
    gaps = x.copy()
    gaps[1, 2] = gaps[3, 0] = 7
    form("imputer", [node("Imputer", "x", "y", True, imputed_value_floats=[0.5, 1.0, -2.0],
                          replaced_value_float=7.0)], x=gaps)
    form("array_feature_extractor", [node("ArrayFeatureExtractor", "x,i", "y", True)], x=x,
         i=np.array([2, 0]))
    form("feature_vectorizer", [node("FeatureVectorizer", "x,z", "y", True, inputdimensions=[3, 2])], x=x,
         z=normal(5, 2))
    form("binarizer", [node("Binarizer", "x", "b", True, threshold=0.25), node("Mul", "b,x", "y")], x=x)
    form("one_hot_encoder",
         [node("OneHotEncoder", "c", "h", True, cats_int64s=[3, 5, 8]), node("Mul", "h,x", "y")],
         c=np.array([3, 8, 5, 5, 4]), x=x)
    form("label_encoder",
         [node("LabelEncoder", "c", "v", True, keys_int64s=[3, 5], values_floats=[0.5, 2.0],
               default_float=-1.0), node("Mul", "v,x", "y")],
         c=np.array([3, 8, 5]), x=x)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    sequences()
    grids()
    signals()
    classical()
