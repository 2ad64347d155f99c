"""Writes scikit/*.onnx: what skl2onnx exports of fitted models by default, with their inputs ("given:" and
the name) and what ONNX Runtime makes of them ("expected:" and the output) added as initializers.

    python make_scikit.py

Needs scikit-learn, skl2onnx and onnxruntime. Made with 1.9.1, 1.20.0 and 1.32.0.
"""
import pathlib
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    Lasso, LinearRegression, LogisticRegression, PoissonRegressor, Ridge, RidgeClassifier, SGDClassifier)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, OneHotEncoder, PolynomialFeatures, StandardScaler

warnings.filterwarnings("ignore")
FOLDER = pathlib.Path(__file__).parent / "scikit"
random = np.random.default_rng(3)
x = (random.normal(size=(40, 4)) * [1, 10, 0.1, 3] + [0, 50, 1, -2]).astype(np.float32)
z = x[:, 0] + 0.1 * (x[:, 1] - 50) + random.normal(size=40)
two, three = (z > 0).astype(np.int64), np.digitize(z, [-0.7, 0.7])
text, real = np.array(["no", "yes"])[two], z.astype(np.float32)
pair = np.stack([z, -z + random.normal(size=40)], 1).astype(np.float32)
gaps = np.where(random.uniform(size=x.shape) < 0.1, np.nan, x).astype(np.float32)
codes = x.copy()
codes[:, 3] = random.integers(0, 3, size=40)
columns = ColumnTransformer([("n", StandardScaler(), [0, 1, 2]), ("c", OneHotEncoder(), [3])])


def scaled(*steps):
    return make_pipeline(StandardScaler(), *steps)


net = dict(hidden_layer_sizes=(4,), max_iter=30, random_state=0)
MODELS = {
    "logistic_2": (LogisticRegression(), x, two), "logistic_3": (LogisticRegression(), x, three),
    "logistic_text": (LogisticRegression(), x, text), "pipeline_2": (scaled(LogisticRegression()), x, two),
    "pipeline_3": (scaled(LogisticRegression()), x, three),
    "one_vs_rest": (scaled(OneVsRestClassifier(LogisticRegression())), x, three),
    "linear": (scaled(LinearRegression()), x, real), "ridge_2": (Ridge(), x, pair),
    "lasso": (make_pipeline(MinMaxScaler(), Lasso(alpha=0.01)), x, real),
    "poisson": (scaled(PoissonRegressor()), x, np.abs(real)),
    "mlp_2": (scaled(MLPClassifier(**net)), x, two),
    "mlp_3": (scaled(MLPClassifier(activation="tanh", **net)), x, three),
    "mlp_regressor": (scaled(MLPRegressor(activation="logistic", **net)), x, real),
    "sgd_2": (scaled(SGDClassifier(loss="log_loss", random_state=0)), x, two),
    "sgd_3": (scaled(SGDClassifier(loss="log_loss", random_state=0)), x, three),
    "sgd_hinge": (scaled(SGDClassifier(random_state=0)), x, two),
    "ridge_classifier": (scaled(RidgeClassifier()), x, three),
    "discriminant": (LinearDiscriminantAnalysis(), x, three),
    "imputer": (make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()), gaps, two),
    "normalizer": (make_pipeline(Normalizer(), LogisticRegression()), x, three),
    "pca": (scaled(PCA(2), LogisticRegression()), x, three),
    "polynomial": (scaled(PolynomialFeatures(2), LinearRegression()), x, real),
    "one_hot": (make_pipeline(columns, LogisticRegression()), codes, two),
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, (model, inputs, target) in MODELS.items():
        exported = to_onnx(model.fit(inputs, target), inputs[:1], target_opset=17)
        given = inputs[:6]
        session = onnxruntime.InferenceSession(
            exported.SerializeToString(), providers=["CPUExecutionProvider"])
        exported.graph.initializer.append(numpy_helper.from_array(given, "given:X"))
        for output, value in zip(session.get_outputs(), session.run(None, {"X": given})):
            if isinstance(value, list):
                value = np.array([[row[key] for key in sorted(row)] for row in value], np.float32)
            if value.dtype.kind in "OU":
                value = np.array([int(label == "yes") for label in value])
            exported.graph.initializer.append(numpy_helper.from_array(value, f"expected:{output.name}"))
        onnx.save(exported, FOLDER / f"{name}.onnx")
