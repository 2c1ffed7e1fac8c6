"""Input that is refused, in words that name the argument, what stands where, and the remedy. `tests/fuzz` has more of
it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import sparsereg as S

y = np.arange(5.0)
FITS = {
    name: (lambda X, y=y, name=name, **given: getattr(S, name)().fit(X, y, **given))
    for name in ("Lasso", "ElasticNet", "Ridge", "RidgeCV")
}
PATHS = {name: getattr(S, name) for name in ("regularization_path", "ridge_path", "lasso_path")}
CLASSIFIERS = {
    name: (lambda X, y=None, name=name: getattr(S, name)().fit(X, np.arange(5) % 2))  # noqa: ARG005
    for name in ("RidgeClassifier", "RidgeClassifierCV")
}


def broken(form: str, part: str, value: int, place: int = 2) -> sp.sparray:
    X = sp.coo_array(np.eye(5)).asformat(form)
    getattr(X, part)[place] = value
    return X


def broken_coordinate(value: int, axis: int = 0) -> sp.sparray:
    X = sp.coo_array(np.eye(5))
    X.coords[axis][2] = value
    return X


def of_lists(form: str, value: int) -> sp.sparray:
    """An index out of range in a format that scipy converts."""
    if form == "lil":
        X = sp.lil_array(np.eye(5))
        X.rows[2] = [value]
        return X
    X = sp.bsr_array(np.eye(5), blocksize=(1, 1))
    X.indices[2] = value
    return X


OUTSIDE = {
    **{f"{form} {value}": (lambda form=form, value=value: broken(form, "indices", value)) for form in ("csr", "csc")
       for value in (-(2**30), -1, 5, 2**30)},
    **{f"coo {value} {axis}": (lambda axis=axis, value=value: broken_coordinate(value, axis)) for axis in (0, 1)
       for value in (-7, 5, 2**20)},
    **{f"{form} {value}": (lambda form=form, value=value: of_lists(form, value)) for form in ("lil", "bsr")
       for value in (-3, 2**20)},
}  # fmt: skip


@pytest.mark.parametrize("make", OUTSIDE.values(), ids=OUTSIDE)
@pytest.mark.parametrize("fit", (FITS | PATHS | CLASSIFIERS).values(), ids=FITS | PATHS | CLASSIFIERS)
def test_indices_out_of_range_in_fit(fit, make):
    with pytest.raises(ValueError, match=r"X has an index outside its shape \(5, 5\): entry 2 stands at"):
        fit(make(), y)


@pytest.mark.parametrize("make", OUTSIDE.values(), ids=OUTSIDE)
@pytest.mark.parametrize("name", [*FITS, *CLASSIFIERS])
def test_indices_out_of_range_in_predict(name, make):
    model = (FITS | CLASSIFIERS)[name](np.eye(5))
    calls = [model.predict, getattr(model, "decision_function", model.predict)]
    if name in ("Ridge", "Lasso"):
        calls.append(lambda X: S.degrees_of_freedom(model, X))
    for call in calls:
        with pytest.raises(ValueError, match="X has an index outside its shape"):
            call(make())


def test_indices_out_of_range_in_predict_of_a_path():
    path = S.regularization_path(np.eye(5), y, alphas=2)
    for make in OUTSIDE.values():
        with pytest.raises(ValueError, match="X has an index outside its shape"):
            path.predict(make())


def reshaped(part: str, change: object) -> sp.csr_array:
    X = sp.csr_array(np.eye(5))
    setattr(X, part, change(getattr(X, part)))
    return X


PARTS = {
    "short": (lambda: reshaped("indptr", lambda a: a[:-1]), "indptr has 5 entries; expected 6"),
    "long": (lambda: reshaped("indptr", lambda a: np.append(a, a[-1])), "indptr has 7 entries; expected 6"),
    "empty": (lambda: reshaped("indptr", lambda a: a[:0]), "indptr has 0 entries"),
    "real": (lambda: reshaped("indptr", lambda a: a + 0.5), "indptr has shape .* and dtype float64"),
    "square": (lambda: reshaped("indptr", lambda a: a[:, None]), "indptr has shape"),
    "starts late": (lambda: broken("csr", "indptr", 1, 0), "indptr is 1 at position 0"),
    "falls": (lambda: broken("csr", "indptr", -1), "indptr is -1 at position 2"),
    "ends far": (lambda: broken("csr", "indptr", 2**20, 5), "1048576 entries that indptr counts"),
    "real indices": (lambda: reshaped("indices", lambda a: a + 0.5), "indices has shape .* and dtype float64"),
    "few indices": (lambda: reshaped("indices", lambda a: a[:-1]), r"indices \(4,\); expected one of each for the 5"),
    "few data": (lambda: reshaped("data", lambda a: a[:-1]), r"data has shape \(4,\)"),
    "deep data": (lambda: reshaped("data", lambda a: a[:, None]), r"data has shape \(5, 1\)"),
}


@pytest.mark.parametrize(("make", "message"), PARTS.values(), ids=PARTS)
def test_arrays_that_make_no_matrix(make, message):
    fitted = [fit(np.eye(5)) for fit in (FITS | CLASSIFIERS).values()]
    calls = [*(partial(fit, y=y) for fit in (FITS | PATHS | CLASSIFIERS).values()), *(m.predict for m in fitted)]
    for call in calls:
        with pytest.raises(ValueError, match=rf"X is not a sound sparse matrix: .*{message}.*Build it anew"):
            call(make())


def test_spare_entries_are_not_read():
    """scipy lets arrays be longer than the last end, and so do we, whatever stands there."""
    X = sp.csr_array(np.eye(5))
    X.indices, X.data = np.append(X.indices, 2**30), np.append(X.data, 7.0)
    for fit in FITS.values():
        sound = sp.csr_array(np.eye(5))
        assert np.allclose(fit(X).predict(X), fit(sound).predict(sound))


UNREAL = {
    "complex": (np.full(5, 1j), "dtype complex128; .*the real part.*1j"),
    "dates": (np.full(5, np.datetime64("2024-05-01")), "dtype datetime64.*days since"),
    "spans": (np.full(5, np.timedelta64(5, "D")), "dtype timedelta64.*divide by np.timedelta64"),
    "records": (np.zeros(5, dtype=[("a", float)]), "one field"),
    "texts": (np.array(["1", "2", "3", "4", "5"]), "dtype <U1;.*astype.*'1'"),
    "masked": (np.ma.masked_array(np.ones(5), mask=[0, 0, 0, 1, 0]), "is masked at position 3; drop or impute"),
    "a text": ([1.0, 2.0, "x", 4.0, 5.0], "text"),
    "objects": (np.array([1.0, 2.0, "x", 4.0, 5.0], dtype=object), "holds 'x' at position 2, text"),
    "huge": (np.array([1, 2, 10**400, 4, 5], dtype=object), r"holds 1000.*\(401 characters\) at position 2.*too large"),
    "a date": (np.array([1, np.datetime64("2024-05-01"), 3, 4, 5], dtype=object), "at position 1.*dates"),
    "missing": (pd.array([1.0, None, 3.0, 4.0, 5.0], dtype="Float64").astype(object), "<NA> at position 1, a missing"),
    "sparse": (sp.csr_array(np.ones((5, 1))), r"is a sparse matrix of shape \(5, 1\); .*toarray"),
}
VECTORS = {
    "y": [*FITS.values(), *PATHS.values()],
    "sample_weight": [*FITS.values(), *PATHS.values()],
    "penalty_factor": [
        PATHS["regularization_path"],
        PATHS["ridge_path"],
        lambda X, y, penalty_factor: S.Lasso(penalty_factor=penalty_factor).fit(X, y),
        lambda X, y, penalty_factor: S.Ridge(penalty_factor=penalty_factor).fit(X, y),
    ],
    "offset": [PATHS["regularization_path"]],
    "coef_init": [PATHS["lasso_path"], S.enet_path],
    "alphas": list(PATHS.values()),
    "alpha": [lambda X, y, alpha: S.Ridge(alpha).fit(X, np.stack([y] * 5, axis=1))],
}


@pytest.mark.parametrize("argument", VECTORS)
@pytest.mark.parametrize(("value", "message"), UNREAL.values(), ids=UNREAL)
def test_vectors_that_hold_no_real_numbers(argument, value, message):
    for call in VECTORS[argument]:
        with pytest.raises(ValueError, match=rf"{argument} .*{message}"):
            call(**{"X": np.eye(5), "y": y, argument: value})


def test_a_mask_of_nothing_is_no_mask():
    kept = np.ma.masked_array(y, mask=np.zeros(5, dtype=bool))
    assert np.allclose(S.Ridge().fit(np.eye(5), kept).coef_, S.Ridge().fit(np.eye(5), y).coef_)


@pytest.mark.parametrize("labels", [["no", "yes"] * 2 + ["no"], pd.Series(["a", "b"] * 2 + ["a"], dtype="category")])
def test_a_text_target_points_to_a_classifier(labels):
    for call in VECTORS["y"]:
        with pytest.raises(ValueError, match=r"y .*if these are classes, fit LogisticRegression or RidgeClassifier"):
            call(np.eye(5), labels)
    assert set(S.RidgeClassifier().fit(np.eye(5), labels).predict(np.eye(5))) <= set(labels)


def test_sparse_and_masked_labels():
    for value, message in ((sp.csr_array(np.ones((5, 1))), "sparse"), (UNREAL["masked"][0], "masked")):
        with pytest.raises(ValueError, match=f"y is .*{message}"):
            S.RidgeClassifier().fit(np.eye(5), value)


@pytest.mark.parametrize("fit", (FITS | PATHS).values(), ids=FITS | PATHS)
def test_dense_matrices_that_hold_no_real_numbers(fit):
    masked = np.ma.masked_array(np.eye(5), mask=np.eye(5, k=1))
    frame = pd.DataFrame({"a": y, "b": pd.date_range("2024", periods=5)})
    for X, message in (
        (masked, "X is masked at position 0, 1"),
        (frame, "X has column 'b' of dtype datetime64"),
        (np.full((5, 2), np.timedelta64(1, "D")), "X has dtype timedelta64"),
        (np.array([[1, 10**400]] * 5, dtype=object), "X holds 1000.* at position 0, 1"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(X, y)


def test_numbers_out_of_range():
    X = np.eye(5)
    huge = 10**400
    calls = {
        "alpha=1000": [lambda: S.Ridge(huge).fit(X, y), lambda: S.Lasso(huge).fit(X, y)],
        "alpha=1j": [lambda: S.Lasso(1j).fit(X, y)],
        "alphas=1000": [lambda: S.ridge_path(X, y, alphas=huge), lambda: S.regularization_path(X, y, alphas=10**7)],
        "sample_weight=1000": [partial(fit, X, sample_weight=huge) for fit in FITS.values()],
        "sample_weight=inf": [partial(fit, X, sample_weight=np.inf) for fit in FITS.values()],
        "sample_weight reaches 1.7e.308, and its sum": [
            partial(fit, X, y, sample_weight=np.full(5, 1.7e308)) for fit in (FITS | PATHS).values()
        ],
        "l1_ratio=1e-310 is too small": [lambda: S.regularization_path(X, y, l1_ratio=1e-310)],
        "callback=5: expected a function": [lambda: S.regularization_path(X, y, callback=5)],
        "precompute has shape": [lambda: S.Lasso(precompute=np.ones((2, 3))).fit(sp.csr_array(X), y)],
        "random_state|seed": [lambda: S.RidgeCV(random_state="a").fit(X, y)],
        "held-out rows": [lambda: S.RidgeCV(cv=[([0, 1], [10**6])]).fit(X, y)],
        "k='a': expected the number of a point": [lambda: S.regularization_path(X, y, alphas=2).predict(X, "a")],
    }
    for message, refused in calls.items():
        for call in refused:
            with pytest.raises(ValueError, match=message):
                call()
    with pytest.raises(IndexError, match="k=9: the path has 2 points, numbered from 0 to 1"):
        S.regularization_path(X, y, alphas=2).predict(X, 9)
    assert S.Ridge(10**20).fit(X, y).coef_.shape == (5,)


def test_a_source_tree_without_a_build_says_so(tmp_path):
    package = Path(S.__file__).parent
    shutil.copytree(package, tmp_path / "sparsereg", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from sparsereg import Lasso"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ImportError: The compiled part of sparsereg is missing" in done.stderr
    assert "pip install -e ." in done.stderr


@pytest.mark.parametrize(
    "fit",
    [
        lambda X, y: S.Lasso(1e-310).fit(X, y),
        lambda X, y: S.ElasticNet(1e-310, l1_ratio=0.5).fit(X, y),
        lambda X, y: S.MultiTaskLasso(1e-310).fit(X, np.column_stack([y, y])),
        lambda X, y: S.PoissonRegressor(alpha=1e-310).fit(X, abs(y)),
        lambda X, y: S.Ridge(1e-310, positive=True).fit(X, y),
        lambda X, y: S.Ridge([1.0, 1e-310], early_stopping=True).fit(X, np.column_stack([y, y])),
        lambda X, y: S.RidgeCV([1.0, 1e-310]).fit(X, y),
        lambda X, y: S.LassoCV(alphas=[1.0, 1e-310]).fit(X, y),
        lambda X, y: S.LogisticRegression(C=1e-310).fit(X, y > 0),
        lambda X, y: S.lasso_path(X, y, alphas=[1.0, 1e-310]),
        lambda X, y: S.regularization_path(X, y, alphas=[1e-310]),
        lambda X, y: S.ridge_path(X, y, alphas=[1e-310]),
    ],
)
def test_strengths_whose_inverses_overflow_are_refused(fit):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="1e-310 is refused, as its inverse overflows"):
        fit(rng.normal(size=(30, 3)), rng.normal(size=30))
