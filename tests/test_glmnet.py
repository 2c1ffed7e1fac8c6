"""Agreement with glmnet in R, whose figures are in glmnet/reference.csv: coefficients and choices through the mapping
of docs/switching.md. No R is needed; glmnet/reference.R made the figures on the same data."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import CrossValidation, cross_validate_path, regularization_path

N, P, STRENGTHS = 120, 8, np.array([0.2, 0.05, 0.01])
VALIDATED = 0.4 * 0.75 ** np.arange(16)
LOSSES = {"gaussian": "squared", "binomial": "logistic", "poisson": "poisson", "multinomial": "multinomial"}


@cache
def problem() -> dict[str, np.ndarray]:
    """The data of reference.R, by the same generator in the same order."""
    state = 20240501

    def draw(*shape: int) -> np.ndarray:
        nonlocal state
        numbers = []
        for _ in range(int(np.prod(shape))):
            state = state * 16807 % 2147483647
            numbers.append(state / 2147483647)
        return np.reshape(numbers, shape, order="F")

    X = 2.0 * draw(N, P) - 1.0
    X[draw(N, P) < 0.4] = 0.0
    X[:, :3] = X[:, :3] > 0
    X *= [1, 1, 1, 1, 2, 3, 0.5, 1]
    weights = 0.5 + 1.5 * draw(N)
    weights[[2, 49]] = 0.0
    offset = draw(N) - 0.5
    noise = draw(N) - 0.5
    signal = X[:, 0] - X[:, 1] + 0.5 * X[:, 3] + 0.3 * X[:, 5]
    folds = (1 + np.argsort(draw(N))) % 5
    rest = np.where(X[:, 2] + X[:, 4] + 4.0 * (draw(N) - 0.5) > 0, 1, 2)
    return {
        "X": X,
        "weights": weights,
        "offset": offset,
        "factors": np.array([1, 0.5, 2, 1, 0, 1.5, 1, 0.7]),
        "folds": folds,
        "gaussian": 3.0 * signal + 4.0 * noise + 2.0,
        "binomial": (signal + 3.0 * noise > 0).astype(float),
        "poisson": np.floor(np.exp(0.8 * signal + offset) * (noise + 0.5) * 3.0),
        "multinomial": np.where(signal + 2.0 * noise > 0.4, 0, rest),
    }


@cache
def reference() -> dict[str, dict[tuple[int, str], np.ndarray]]:
    """By problem: (number of the strength, what) to values."""
    lines = Path(__file__).with_name("glmnet").joinpath("reference.csv").read_text().splitlines()
    found: dict[str, dict[tuple[int, str], np.ndarray]] = {}
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        values = np.array(row["values"].split(), dtype=float)
        found.setdefault(row["problem"], {})[int(row["k"]), row["what"]] = values
    return found


PATHS = [name for name in reference() if "validation" not in name]
VALIDATIONS = [name for name in reference() if "validation" in name]


def deviation(y: np.ndarray, weights: np.ndarray) -> float:
    return float(np.sqrt(np.average((y - np.average(y, weights=weights)) ** 2, weights=weights)))


def asked(name: str) -> dict[str, object]:
    """What regularization_path is asked for glmnet's problem: the mapping of docs/switching.md."""
    family, words, data = name.split()[0], name.split(), problem()
    options: dict[str, object] = {"loss": LOSSES[family], "standardize": "standardize" in words}
    options["fit_intercept"] = "origin" not in words
    weights, residual = np.ones(N), data[family]
    if "extras" in words:
        weights, known = data["weights"], data["offset"]
        residual = residual - known
        if family == "multinomial":
            known = np.column_stack([known, 0.0 * known, -0.5 * known])
        options |= {"sample_weight": weights, "offset": known}
        if "validation" not in words:
            factors = np.where(data["factors"] == 0.0, 0.3 * (family == "multinomial"), data["factors"])
            options["penalty_factor"] = factors * P / factors.sum()
    alpha = 0.5 if "net" in words else 1.0
    c = 1.0
    if family == "gaussian":
        c = alpha + (1.0 - alpha) / deviation(residual, weights)
    strengths = VALIDATED if "validation" in words else STRENGTHS
    return options | {"alphas": strengths * c, "l1_ratio": alpha / c}


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", PATHS)
def test_coefficients_agree(name, sparse):
    data, family = problem(), name.split()[0]
    X = sp.csr_array(data["X"]) if sparse else data["X"]
    path = regularization_path(X, data[family], tol=1e-13, max_iter=100_000, **asked(name))
    assert path.certified.all()
    for (k, what), values in reference()[name].items():
        if family == "multinomial":
            coefs, intercept = path.coefs[int(what)].toarray()[:, k], path.intercepts[k][int(what)]
        else:
            coefs, intercept = path.coefs[:, [k]].toarray().ravel(), path.intercepts[k]
        tolerance = 1e-4 if family == "multinomial" else 1e-6
        np.testing.assert_allclose(np.append(intercept, coefs), values, rtol=0, atol=tolerance)


def validated(name: str, rule: Any) -> CrossValidation:
    """Five folds of equal weight; with weights, four folds of unequal ones."""
    data = problem()
    of = np.minimum(data["folds"], 3) if "extras" in name else data["folds"]
    folds = [(np.flatnonzero(of != fold), np.flatnonzero(of == fold)) for fold in range(of.max() + 1)]
    options = {"cv": folds, "rule": rule, "tol": 1e-11, "max_iter": 100_000}
    return cross_validate_path(data["X"], data[name.split()[0]], **options, **asked(name))


def chosen(name: str, rule: str) -> tuple[int, float]:
    ((k, alpha),) = [(k, values[0]) for (k, what), values in reference()[name].items() if what == rule]
    return k, alpha


@pytest.mark.parametrize("rule", ["min", "1se"])
@pytest.mark.parametrize("name", [name for name in VALIDATIONS if "extras" not in name])
def test_validations_and_choices_agree(name, rule):
    validation = validated(name, {"min": "min", "1se": "1se-unpaired"}[rule])
    k, alpha = chosen(name, rule)
    assert validation.k == k
    assert validation.alpha == pytest.approx(alpha, rel=1e-8)
    frame = validation.to_frame()
    np.testing.assert_allclose(frame["mean_loss"], reference()[name][0, "mean"], rtol=1e-6)
    np.testing.assert_allclose(frame["se_loss"], reference()[name][0, "error"], rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in VALIDATIONS if "extras" in name])
def test_choices_agree_where_folds_have_unequal_weights(name):
    """glmnet weighs the folds; a rule of one's own does so too."""
    data = problem()
    sizes = np.bincount(np.minimum(data["folds"], 3), data["weights"])

    def one_se(path):
        means = np.average(path.fold_losses, axis=1, weights=sizes)
        squares = np.average((path.fold_losses - means[:, None]) ** 2, axis=1, weights=sizes)
        errors, best = np.sqrt(squares / (len(sizes) - 1)), np.argmin(means)
        np.testing.assert_allclose(means, reference()[name][0, "mean"], rtol=1e-6)
        np.testing.assert_allclose(errors, reference()[name][0, "error"], rtol=1e-5)
        assert best == chosen(name, "min")[0]
        return int(np.flatnonzero(means <= means[best] + errors[best])[0])

    assert validated(name, one_se).k == chosen(name, "1se")[0]
