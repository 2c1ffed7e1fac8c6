"""The one-standard-error rule: against differences row by row, in blocks, and never weaker than the best."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.model_selection import KFold
from test_dropin import data
from test_part_folds import in_parts

from sparsereg import LassoCV, cross_validate_path
from sparsereg.selection.paired import PairedLosses, one_se_index


@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_those_of_the_differences(weighted):
    rng = np.random.default_rng(0)
    losses = rng.normal(size=(500, 1)) * 100 + rng.normal(size=(500, 6)) * 0.1 + np.linspace(1, 0, 6) * 0.01
    s = rng.random(500) * 3 if weighted else np.ones(500)
    paired = PairedLosses(6)
    for rows in np.array_split(np.arange(500), 7):
        paired.add(losses[rows], s[rows] if weighted else None)
    np.testing.assert_allclose(paired.mean, np.average(losses, axis=0, weights=s), rtol=1e-12)
    for reference in range(6):
        d = losses - losses[:, [reference]]
        expected = np.sqrt(((s[:, None] * (d - np.average(d, axis=0, weights=s))) ** 2).sum(axis=0)) / s.sum()
        np.testing.assert_allclose(paired.errors(reference), expected, rtol=1e-7, atol=1e-10)


@given(arrays(np.float64, (6, 5), elements=st.floats(-1e3, 1e3)))
def test_never_weaker_than_the_best(losses):
    mean = losses.mean(axis=0)
    chosen = one_se_index(losses)
    assert mean[: chosen + 1].min() >= mean.min() - 1e-9
    assert chosen <= int(np.argmin(mean)) or np.isclose(mean[chosen], mean.min())


def test_differences_count_not_the_spread_of_the_rows():
    """All rows agree that the second is worse by 0.5 than the third; their own spread of 100 is beside the point."""
    level = np.random.default_rng(1).normal(size=200) * 100
    losses = level[:, None] + np.array([5.0, 0.5, 0.0])
    losses[:, 1] += np.random.default_rng(2).normal(size=200) * 0.1
    assert one_se_index(losses) == 2
    losses[:, 1] = losses[:, 2] + np.random.default_rng(2).normal(size=200) * 0.1 + 1e-4
    assert one_se_index(losses) == 1


def test_wrong_arguments():
    with pytest.raises(ValueError, match="losses of shape"):
        one_se_index([1.0, 2.0])
    with pytest.raises(ValueError, match="losses of shape"):
        one_se_index([[1.0, np.nan]])
    with pytest.raises(ValueError, match="sample_weight of shape"):
        one_se_index([[1.0, 2.0]], [1.0, 1.0])


def row_losses(validation, X, y, folds, s=None):
    """The squared errors of the rows that each fold holds out at every point, and their weights."""
    losses, weights = [], []
    for path, (_, test) in zip(validation.chosen.fold_paths, folds, strict=True):
        losses.append(np.column_stack([(y[test] - path.predict(X[test], k)) ** 2 for k in range(len(path.alphas))]))
        weights.append(np.ones(len(test)) if s is None else s[test])
    return np.concatenate(losses), np.concatenate(weights)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_folds", [1, 3])
def test_differences_over_the_rows_of_the_folds(n_folds, weighted, container):
    """The same choice as from a table of every row's losses; and of a single fold, "1se" is over its rows."""
    X, y = data(n=150)
    y = y + 3.0 * np.random.default_rng(4).normal(size=150)
    s = np.random.default_rng(0).uniform(0.5, 2.0, 150) if weighted else None
    folds = list(KFold(3).split(X))[:n_folds]
    options = {"cv": folds, "alphas": 20, "eps": 0.02, "sample_weight": s, "keep_fold_paths": True, "tol": 1e-7}
    found = cross_validate_path(container(X), y, rule="1se-rows", **options)
    losses, weights = row_losses(found, X, y, folds, s)
    best = found.chosen.best
    paired = PairedLosses(20)
    paired.add(losses, weights)
    means, errors = found.chosen.by_rows
    np.testing.assert_allclose(means[: best + 1], (paired.mean - paired.mean[best])[: best + 1], atol=1e-9)
    np.testing.assert_allclose(errors[: best + 1], paired.errors(best)[: best + 1], atol=1e-9)
    assert np.isnan(means[best + 1 :]).all()
    within = (paired.mean - paired.mean[best] <= paired.errors(best) + 1e-12)[: best + 1]
    assert found.k == int(np.argmax(within)) < best
    if n_folds == 1:
        alone = cross_validate_path(container(X), y, rule="1se", **options)
        assert alone.k == found.k
        np.testing.assert_array_equal(alone.results["se_difference"], errors)


def test_rows_that_several_folds_hold_out_count_once():
    X, y = data(n=120)
    once = list(KFold(3).split(X))
    options = {"rule": "1se-rows", "alphas": 15, "eps": 0.02, "tol": 1e-7}
    for folds in (once, once + once):
        found = cross_validate_path(X, y, cv=folds, **options)
        if folds is once:
            first = found
    np.testing.assert_allclose(found.chosen.by_rows[1], first.chosen.by_rows[1], rtol=1e-6)
    assert found.k == first.k


@pytest.mark.parametrize("loss", ["poisson", "multinomial"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_rows_of_other_losses_have_their_deviance(loss, container):
    X, z = data(n=150)
    rng = np.random.default_rng(0)
    z = z + 2.0 * rng.normal(size=150)
    y = rng.poisson(np.exp(0.3 * (z - z.mean()))) if loss == "poisson" else np.digitize(z, np.quantile(z, [0.3, 0.7]))
    offset = 0.2 * rng.normal(size=(150, 3) if loss == "multinomial" else 150)
    folds = list(KFold(2).split(X))
    options = {"cv": folds, "alphas": 12, "keep_fold_paths": True, "offset": offset, "relax": True, "eps": 0.1}
    found = cross_validate_path(container(X), y, loss=loss, rule="1se-rows", **options)
    table = []
    for path, (_, test) in zip(found.chosen.fold_paths, folds, strict=True):
        mean = [path.means(path.predict(X[test], k) + offset[test]) for k in range(12)]
        if loss == "poisson":
            table += [np.column_stack([2.0 * (m - y[test] * np.log(m)) for m in mean])]
        else:
            table += [np.column_stack([-2.0 * np.log(m[np.arange(len(test)), y[test]]) for m in mean])]
    paired = PairedLosses(12)
    paired.add(np.concatenate(table))
    best = found.chosen.best
    np.testing.assert_allclose(found.chosen.by_rows[1][: best + 1], paired.errors(best)[: best + 1], atol=1e-9)
    assert found.k == int(np.argmax(found.chosen.by_rows[0] <= found.chosen.by_rows[1]))


def test_estimators_take_the_rule_and_say_what_it_cannot():
    X, y = data(n=120)
    model = LassoCV(rule="1se-rows", cv=2).fit(X, y)
    validated = model.validation_.chosen
    assert model.alpha_ >= validated.alphas[validated.best]
    assert model.alpha_ == validated.alphas[validated.choose("1se-rows")]
    with pytest.raises(ValueError, match="rule='1se-rows' compares the losses of rows"):
        LassoCV(rule="1se-rows", scoring="r2").fit(X, y)
    one = [(np.arange(80), np.arange(80, 120))]
    for refused in ({"rule": "1se-unpaired"}, {"rule": "1se", "scoring": "neg_mean_absolute_error"}):
        with pytest.raises(ValueError, match="needs the error over two folds or more"):
            LassoCV(cv=one, **refused).fit(X, y)
    rows, _ = in_parts(sp.csr_array(X), y, None, 3)
    with pytest.raises(ValueError, match="nor rows in parts"):
        cross_validate_path(rows, cv=3, rule="1se-rows")


def test_a_rule_chosen_afterwards_says_what_was_not_measured():
    X, y = data(n=120)
    one = [(np.arange(80), np.arange(80, 120))]
    with pytest.raises(ValueError, match="rule='1se-rows' compares the losses of rows, which were not kept"):
        cross_validate_path(X, y, cv=2, alphas=5).chosen.choose("1se-rows")
    with pytest.raises(ValueError, match="needs the error over two folds or more"):
        cross_validate_path(X, y, cv=one, alphas=5).chosen.choose("1se-unpaired")
    with pytest.raises(ValueError, match="needs the error over two folds or more"):
        cross_validate_path(X, y, cv=one, alphas=5, scoring="r2").chosen.choose("1se")
