"""Where an automatic path ends: its held-out loss has turned for good, as every fold measures it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold
from test_cross_validation import one_hot

from sparsereg import cross_validate_path
from sparsereg.selection import ending


def test_automatic_end_is_where_the_loss_has_turned():
    X, y = one_hot(n=300)
    ours = cross_validate_path(X, y, eps="auto", alphas=30)
    validated = ours.chosen
    assert validated.stopped == "turned"
    assert [ending.turned_after(n) for n in (100, 30, 5)] == [10, 3, 3]
    assert ending.has_turned(validated.fold_losses, 3)
    assert not ending.has_turned(validated.fold_losses[:-1], 3)
    longer = cross_validate_path(
        X, y, alphas=np.append(validated.alphas, validated.alphas[-1] * 0.5 ** np.arange(1, 7))
    )
    assert longer.alpha == ours.alpha
    np.testing.assert_allclose(np.diff(np.log(validated.alphas)), np.log(1e-2) / 29)


def test_a_loss_that_falls_again():
    worse = np.array([[2.0, 2.0], [1.0, 1.1], [1.5, 1.5]])
    assert ending.is_falling(worse)
    assert not ending.is_falling(worse[:2])
    assert not ending.is_falling(worse - [[0.0, 0.0], [0.0, 0.0], [1.5, 0.0]])  # better in one fold
    assert not ending.is_falling(worse[:, :1])  # one fold has no standard error


def test_a_fold_that_has_turned_stops_by_itself():
    """In the mean its loss goes on rising as it did: standing still it would make weaker penalties look better."""
    X, y = load_diabetes(return_X_y=True)
    ours = cross_validate_path(X, y, cv=7, eps="auto").chosen
    f = int(ours.fold_ends.argmin())
    end = ours.fold_ends[f]
    assert ours.best < end < len(ours.alphas)
    measured, best = ours.fold_losses[:end, f], ours.fold_losses[:end, f].argmin()
    rise = np.diff(ours.fold_losses[end - 1 :, f])
    np.testing.assert_allclose(rise, (measured[-1] - measured[best]) / (end - 1 - best), rtol=1e-6)


def test_a_fold_that_has_turned_is_solved_on_to_the_best_point():
    X, y = one_hot(n=1500)
    noise = 2.0 * np.random.default_rng(0).normal(size=y.size)
    folds = list(KFold(5).split(X))
    y = np.where(np.isin(np.arange(y.size), folds[0][1]), noise + 2.0, y)  # nothing to be learnt for fold 0
    ours = cross_validate_path(X, y, cv=folds, eps="auto", alphas=60, keep_fold_paths=True).chosen
    assert ending.has_turned(ours.fold_losses[: ours.best, :1], 6)
    assert (ours.fold_ends == len(ours.alphas)).all()
    every = cross_validate_path(X, y, cv=folds, alphas=ours.alphas).chosen
    np.testing.assert_allclose(ours.fold_losses, every.fold_losses, rtol=1e-3)
    assert all(path.alphas.size == len(ours.alphas) for path in ours.fold_paths)


def test_a_path_does_not_end_by_a_rise_that_no_fold_measured():
    """Fold 0 stops early and is taken to rise; asked again it falls, so that the mean has not turned yet."""
    X, y = one_hot(n=400)
    rng = np.random.default_rng(2)
    folds = list(KFold(5).split(X))
    strange = np.isin(np.arange(y.size), folds[0][1])
    y = np.where(strange, 2.0 * rng.normal(size=y.size) + 2.0, y + rng.normal(size=y.size))
    ours = cross_validate_path(X, y, cv=folds, eps="auto", alphas=60).chosen
    assert ours.stopped == "turned"
    assert len(ours.alphas) - 1 - ours.best >= ending.turned_after(60)


def test_a_level_loss_without_new_columns_has_not_turned():
    """A number in large units is the only column over a long stretch; the categories come after it."""
    rng = np.random.default_rng(0)
    size, level = rng.normal(2000.0, 900.0, 1000), rng.integers(0, 20, 1000)
    y = 5e-4 * size + rng.normal(size=20)[level] + 0.3 * rng.normal(size=1000)
    ours = cross_validate_path(sp.csr_array(np.column_stack([size, np.eye(20)[level]])), y, eps="auto", alphas=20)
    assert ours.chosen.stopped == "grid"
    assert ours.results["mean_loss"].min() < 0.15


def test_a_level_loss_ends_in_time():
    """Of two equal columns one never enters, and none is left that would."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = x + 3.0 * rng.normal(size=200)
    ours = cross_validate_path(np.column_stack([x, x]), y, eps="auto", alphas=20).chosen
    assert ours.stopped == "turned"
    assert len(ours.alphas) - 1 - ours.best == ending.LEVEL * ending.turned_after(20)


def test_scores_that_stay_equal_have_not_turned():
    """A column's rows change sides long after it has entered: so long the accuracy is that of the larger class."""
    row = np.arange(4000)
    tenth, half = row % 10 == 0, row % 2
    y = np.where(tenth, row // 10 * 7 % 25 < 13, row % 5 == 1).astype(float)  # shares of 0.52 and 2/9
    X = np.column_stack([tenth, half])
    ours = cross_validate_path(X, y, loss="logistic", eps="auto", scoring="accuracy").chosen
    assert (ours.mean_losses == ours.mean_losses[0]).sum() > 4 * ending.TURNED
    assert ours.n_nonzero[4 * ending.TURNED] > 0
    assert ours.mean_losses.min() < ours.mean_losses[0]
    assert ours.stopped == "turned"


def test_losses_that_stay_equal_end_in_time():
    """From the last of equal ones on a loss is worse; where nothing is, it ends as one without new columns does."""
    falls = np.r_[1.0, np.full(30, 0.5), 0.6 * np.ones(9)][:, None]
    assert not ending.has_turned(falls, 10)
    assert ending.has_turned(np.r_[falls, np.full((11, 1), 0.6)], 10)
    assert not ending.has_turned(np.ones((100, 2)), 10)
    assert ending.has_turned(np.ones((101, 2)), 10)
