"""RidgeCV as a scikit-learn estimator: conventions, routing of metadata, errors, edges."""

from __future__ import annotations

from inspect import signature

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.linear_model as skl
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import GroupKFold, KFold
from test_ridge_cv import data

from sparsereg import RidgeCV
from sparsereg.ridge import cross_validation


def test_signature_begins_with_scikit_learns() -> None:
    mine, other = signature(RidgeCV).parameters, signature(skl.RidgeCV).parameters
    assert list(mine)[: len(other)] == list(other)
    assert all(mine[name].default == parameter.default for name, parameter in other.items())


def test_metadata_are_routed() -> None:
    X, Y, s = data(11, 40, 5)
    groups = np.arange(40) % 4
    with pytest.raises(ValueError, match=r"\[groups\] are passed but cannot be routed"):
        RidgeCV(cv=GroupKFold(4)).fit(X, Y[:, 0], groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(r2_score).set_score_request(sample_weight=True)
        ours, theirs = (
            kind(cv=GroupKFold(4), scoring=scorer).fit(X, Y[:, 0], sample_weight=s, groups=groups)
            for kind in (RidgeCV, skl.RidgeCV)
        )
    assert ours.best_score_ == pytest.approx(theirs.best_score_)


@pytest.mark.parametrize("cv", [None, 3])
def test_scores_weigh_rows_as_the_fit_does_whatever_holds_the_weights(cv: int | None) -> None:
    X, Y, s = data(15, 30, 4)
    expected = RidgeCV(scoring="r2", cv=cv).fit(X, Y[:, 0], s)
    order = np.random.default_rng(0).permutation(30)
    for weights in (list(s), pd.Series(s, index=order), pd.Series(s, index=range(100, 130))):
        model = RidgeCV(scoring="r2", cv=cv).fit(X, Y[:, 0], weights)
        assert model.best_score_ == expected.best_score_
        np.testing.assert_array_equal(model.coef_, expected.coef_)
    same = RidgeCV(scoring="r2", cv=cv).fit(X, Y[:, 0], 2.0)
    assert same.best_score_ == RidgeCV(scoring="r2", cv=cv).fit(X, Y[:, 0], np.full(30, 2.0)).best_score_


def test_metadata_of_the_scorer_are_taken_by_place() -> None:
    X, Y, s = data(15, 30, 4)
    labelled = pd.Series(s, index=np.random.default_rng(0).permutation(30))

    def score(y: np.ndarray, z: np.ndarray, costs: object) -> float:
        return -float(np.asarray(costs) @ (y - z) ** 2)

    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(score).set_score_request(costs=True)
        found = [RidgeCV(cv=3, scoring=scorer).fit(X, Y[:, 0], costs=c).best_score_ for c in (s, labelled, list(s))]
    assert found[1] == found[2] == found[0]


def test_a_scorer_that_takes_no_weights_says_so() -> None:
    X, Y, s = data(12, 40, 5)
    with pytest.warns(UserWarning, match="does not support sample_weight"):
        model = RidgeCV(scoring=lambda model, X, y: -float(np.abs(model.predict(X) - y).max()), cv=3).fit(X, Y[:, 0], s)
    assert model.best_score_ < 0


@pytest.mark.parametrize(
    "bad",
    [
        {"alphas": []},
        {"alphas": [1.0, -1.0]},
        {"alphas": [0.0, 1.0]},
        {"alphas": np.inf},
        {"gcv_mode": "fast"},
        {"fit_intercept": "no"},
        {"alphas": None},
        {"scoring": ["r2"]},
        {"tol": -1.0},
        {"max_iter": 0},
        {"store_cv_results": True, "cv": 3},
        {"alpha_per_target": True, "cv": 3},
    ],
)
def test_bad_parameters_are_named(bad: dict[str, object]) -> None:
    X, Y, _ = data(13, 30, 4)
    with pytest.raises(ValueError, match=next(iter(bad))):
        RidgeCV(**bad).fit(X, Y[:, 0])


def test_training_rows_without_weight() -> None:
    X, Y, _ = data(14, 30, 4)
    with pytest.raises(ValueError, match="sample_weight is 0 on all training rows of a fold"):
        RidgeCV(cv=KFold(2)).fit(X, Y[:, 0], (np.arange(30) < 15) * 1.0)


def test_nothing_can_be_left_out_of_one_row() -> None:
    with pytest.raises(ValueError, match=r"X has 1 sample\(s\) with positive weight"):
        RidgeCV().fit([[1.0, 2.0], [3.0, 1.0]], [1.0, 2.0], [0.0, 1.0])


@pytest.mark.parametrize("parameters", [{}, {"cv": 3}, {"scoring": "r2"}, {"fit_intercept": False}])
@pytest.mark.parametrize("weighted", [True, False])
def test_nothing_stored(parameters: dict[str, object], weighted: bool) -> None:
    _, Y, s = data(16, 30, 4)
    X, w = sp.csr_array((30, 4)), s if weighted else None
    ours, theirs = (
        kind(**parameters).fit(Z, Y[:, 0], w) for kind, Z in ((RidgeCV, X), (skl.RidgeCV, np.zeros((30, 4))))
    )
    assert ours.best_score_ == pytest.approx(theirs.best_score_)
    np.testing.assert_array_equal(ours.coef_, np.zeros(4))
    np.testing.assert_allclose(ours.predict(X), theirs.predict(np.zeros((30, 4))))
    assert X.nnz == 0


def test_a_refit_another_way_leaves_nothing_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y, _ = data(17, 60, 8)
    with monkeypatch.context() as patched:
        patched.setattr(cross_validation, "LEVERAGE_OPERATIONS", 0)
        model = RidgeCV(store_cv_results=True).fit(X, Y[:, 0])
    assert model.cv_method_.startswith("gcv")
    model.set_params(cv=3, store_cv_results=False).fit(X, Y[:, 0])
    assert vars(model).keys() == vars(RidgeCV(cv=3).fit(X, Y[:, 0])).keys()
