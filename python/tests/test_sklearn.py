"""Fitted estimators: their own objective at their own parameters."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import eigenstep
from eigenstep.errors import DataError, UsageError

pytest.importorskip("sklearn")
from sklearn.datasets import load_breast_cancer, load_iris  # noqa: E402
from sklearn.linear_model import (  # noqa: E402
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import PolynomialFeatures, StandardScaler  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402

random = np.random.default_rng(0)
X, CLASSES = load_iris(return_X_y=True)
Y = X[:, 3] + 0.1 * random.normal(size=len(X))
TWO = (CLASSES == 1).astype(int)


def quick(estimator, X, y, **options):
    return eigenstep.diagnose(estimator, X, y, trials=False, precision="float64", **options)


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def with_ones(X):
    return np.column_stack([X, np.ones(len(X))])


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(
    ("make", "penalty"),
    [(LinearRegression, 0.0), (lambda **k: Ridge(3.0, **k), 3.0), (lambda **k: RidgeCV([0.5], **k), 0.5)],
)
def test_least_squares(make, penalty, intercept):
    estimator = make(fit_intercept=intercept).fit(X[:, :3], Y)
    found = eigenstep.spectrum(estimator, X[:, :3], Y, count=3)
    design = with_ones(X[:, :3]) if intercept else X[:, :3]
    hessian = design.T @ design / len(X)
    hessian[np.arange(3), np.arange(3)] += penalty / len(X)
    expected = np.linalg.eigvalsh(hessian)[::-1]
    assert found.problem.gradient_norm < 1e-12
    np.testing.assert_allclose(found.largest, expected[:3], rtol=1e-9, atol=1e-12)
    errors = estimator.predict(X[:, :3]) - Y
    assert found.problem.loss == pytest.approx(
        np.mean(errors**2) / 2 + penalty / len(X) / 2 * np.sum(estimator.coef_**2), rel=1e-12
    )


@pytest.mark.parametrize("C", [0.3, 10.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_logistic_regression_of_two_classes(C, intercept):
    estimator = LogisticRegression(C=C, fit_intercept=intercept, tol=1e-12, max_iter=10_000).fit(X, TWO)
    found = eigenstep.spectrum(estimator, X, TWO, count=4, diagonal=True)
    p = estimator.predict_proba(X)[:, 1]
    design = with_ones(X) if intercept else X
    hessian = design.T @ (design * (p * (1 - p))[:, None]) / len(X)
    hessian[np.arange(4), np.arange(4)] += 1 / (C * len(X))
    assert found.problem.gradient_norm < 1e-6
    np.testing.assert_allclose(found.largest, np.linalg.eigvalsh(hessian)[::-1][:4], rtol=1e-8)
    np.testing.assert_allclose(found.diagonal_entries, np.diag(hessian), rtol=1e-8)


def test_logistic_regression_of_several_classes_by_words():
    words = np.array(["zebra", "ant", "mule"])[CLASSES]
    estimator = LogisticRegression(C=2.0, tol=1e-12, max_iter=10_000).fit(X, words)
    found = eigenstep.spectrum(estimator, X, words, count=5, which="largest")
    p, design = softmax(X @ estimator.coef_.T + estimator.intercept_), with_ones(X)
    hessian = np.zeros((5, 3, 5, 3))
    for a in range(3):
        for b in range(3):
            weight = p[:, a] * ((a == b) - p[:, b])
            hessian[:, a, :, b] = design.T @ (design * weight[:, None]) / len(X)
    hessian = hessian.reshape(15, 15)
    hessian[np.arange(12), np.arange(12)] += 1 / (2.0 * len(X))
    assert found.problem.gradient_norm < 1e-6
    np.testing.assert_allclose(found.largest, np.linalg.eigvalsh(hessian)[::-1][:5], rtol=1e-8)


def test_a_pipeline_is_measured_where_its_last_step_is():
    Xb, yb = load_breast_cancer(return_X_y=True, as_frame=True)
    pipe = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, tol=1e-12, max_iter=5000)).fit(Xb, yb)
    found = quick(pipe, Xb, yb)
    assert found.problem.gradient_norm < 1e-6
    assert found.problem.model == "logistic" and found.problem.features == 30
    assert found.problem.name == "LogisticRegression" and found.command is None
    # Columns are named as the step before names them.
    names = quick(
        make_pipeline(PolynomialFeatures(2, include_bias=False), Ridge()).fit(Xb.iloc[:, :3], yb),
        Xb.iloc[:, :3],
        yb,
    )
    assert "mean radius mean texture" in names.to_dict()["request"]["problem"]["table"]["kept"]
    assert names.problem.features == 9


def test_a_search_is_its_best_estimator():
    search = GridSearchCV(Ridge(), {"alpha": [1.0, 2.0]}).fit(X[:, :3], Y)
    assert quick(search, X[:, :3], Y).problem.gradient_norm < 1e-12


def test_sgd():
    classifier = SGDClassifier(
        loss="log_loss", alpha=0.1, learning_rate="constant", eta0=0.01, random_state=0
    ).fit(X, TWO)
    found = quick(classifier, X, TWO)
    logits = X @ classifier.coef_[0] + classifier.intercept_
    sign = 2 * TWO - 1
    assert found.problem.loss == pytest.approx(
        np.mean(np.logaddexp(0, -sign * logits)) + 0.05 * np.sum(classifier.coef_**2), rel=1e-10
    )
    assert found.learning_rate.given == 0.01 and found.mini_batches.batch == 1 and found.problem.l2 == 0.1
    regressor = SGDRegressor(alpha=0.01, random_state=0).fit(X[:, :3], Y)
    found = quick(regressor, X[:, :3], Y, batch=10)
    errors = regressor.predict(X[:, :3]) - Y
    assert found.problem.loss == pytest.approx(
        np.mean(errors**2) / 2 + 0.005 * np.sum(regressor.coef_**2), rel=1e-10
    )
    assert found.learning_rate.given == regressor.eta0 and found.mini_batches.batch == 10
    assert (
        quick(SGDClassifier(loss="log_loss", random_state=0).fit(X, TWO), X, TWO).learning_rate.given
        is None
    )


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("y", [CLASSES, TWO], ids=["three", "two"])
def test_networks_of_classes(activation, y):
    estimator = MLPClassifier(
        hidden_layer_sizes=(6, 5),
        activation=activation,
        solver="lbfgs",
        alpha=0.5,
        max_iter=5000,
        tol=1e-10,
        random_state=1,
    ).fit(X, y)
    found = quick(estimator, X, y)
    weights = sum(np.sum(part**2) for part in estimator.coefs_)
    p = estimator.predict_proba(X)[np.arange(len(X)), y]
    assert found.problem.loss == pytest.approx(np.mean(-np.log(p)) + 0.5 / len(X) / 2 * weights, rel=1e-9)
    assert found.problem.parameters == sum(part.size for part in estimator.coefs_ + estimator.intercepts_)
    if activation == "tanh":
        assert found.problem.gradient_norm < 2e-2


def test_a_network_s_gradient_vanishes_where_it_was_fitted_well():
    estimator = MLPRegressor(
        hidden_layer_sizes=(3,),
        activation="tanh",
        solver="lbfgs",
        alpha=20.0,
        max_iter=100_000,
        max_fun=1_000_000,
        tol=1e-16,
        random_state=0,
    ).fit(X, Y)
    found = quick(estimator, X, Y)
    fresh = eigenstep.diagnose(
        X, Y, model="mlp", hidden=(3,), l2=20 / len(X), trials=False, precision="float64"
    )
    assert found.problem.gradient_norm < 1e-4 * fresh.problem.gradient_norm
    step = eigenstep.train(estimator, X, Y, lr=1e-3, steps=2, precision="float64")
    assert step.before.loss == pytest.approx(found.problem.loss, rel=1e-12)


def test_the_solver_of_a_network_is_judged():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adam = MLPClassifier(
            hidden_layer_sizes=(4,), max_iter=5, beta_1=0.8, learning_rate_init=0.02, batch_size=50
        ).fit(X, CLASSES)
        sgd = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, solver="sgd", learning_rate_init=1e-3).fit(
            X, Y
        )
    found = quick(adam, X, CLASSES, effort=0.1).to_dict()["request"]["training"]
    assert found["optimizer"]["name"] == "adam" and found["optimizer"]["beta1"] == 0.8
    assert found["rate"] == 0.02 and found["batch"] == 50
    found = quick(sgd, X, Y, effort=0.1).to_dict()["request"]
    assert found["training"]["optimizer"] == {"name": "nesterov", "momentum": 0.9}
    assert found["training"]["rate"] == 1e-3 and found["problem"]["table"]["l2"] == sgd.alpha / len(X)


def test_a_keyword_goes_before_what_the_estimator_says():
    estimator = SGDRegressor(alpha=0.01, random_state=0).fit(X[:, :3], Y)
    found = quick(estimator, X[:, :3], Y, lr=0.5, batch=20, l2=0.2)
    assert found.learning_rate.given == 0.5 and found.problem.l2 == 0.2 and found.mini_batches.batch == 20


@pytest.mark.parametrize(
    ("kind", "make", "part"),
    [
        (UsageError, lambda: (LogisticRegression(), X, CLASSES), "not fitted"),
        (
            UsageError,
            lambda: (DecisionTreeClassifier().fit(X, CLASSES), X, CLASSES),
            "LinearRegression, Ridge",
        ),
        (UsageError, lambda: (SGDClassifier(random_state=0).fit(X, TWO), X, TWO), "hinge"),
        (
            UsageError,
            lambda: (SGDClassifier(loss="log_loss", random_state=0).fit(X, CLASSES), X, CLASSES),
            "3 classes",
        ),
        (UsageError, lambda: (LinearRegression().fit(X, np.c_[Y, Y]), X, np.c_[Y, Y]), "2 outputs"),
        (
            UsageError,
            lambda: (LogisticRegression(class_weight="balanced").fit(X, TWO), X, TWO),
            "class_weight",
        ),
        (
            UsageError,
            lambda: (LogisticRegression(l1_ratio=0.5, solver="saga", penalty="elasticnet").fit(X, TWO), X, TWO),
            "absolute values",
        ),
        (
            UsageError,
            lambda: (SGDClassifier(loss="log_loss", penalty="l1", random_state=0).fit(X, TWO), X, TWO),
            "penalty l1",
        ),
        (
            UsageError,
            lambda: (MLPRegressor(hidden_layer_sizes=(3,), activation="logistic", max_iter=5).fit(X, Y), X, Y),
            "activation logistic",
        ),
        (UsageError, lambda: (LinearRegression().fit(X, Y), X), "X and y"),
        (DataError, lambda: (LinearRegression().fit(X, Y), X[:, :2], Y), "2 columns"),
        (
            DataError,
            lambda: (LogisticRegression().fit(X[::5], CLASSES[::5]), X[:60], CLASSES[:60]),
            "lacks the class 2",
        ),
        (DataError, lambda: (LogisticRegression().fit(X, TWO), X, CLASSES), "holds 2"),
        (DataError, lambda: (LinearRegression().fit(X, Y), X, Y[:20]), "20"),
    ],
)
def test_what_cannot_be_measured_is_said(kind, make, part):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = make()
    with pytest.raises(kind, match=part):
        eigenstep.diagnose(*arguments)
