"""Paths validated by folds: against scikit-learn, against fits of each fold alone, and what no fold may see."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNetCV as TheirElasticNetCV
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, TimeSeriesSplit

from sparsereg import cross_validate_path, regularization_path
from sparsereg.losses import as_loss
from sparsereg.selection import engine
from sparsereg.selection.fold_fits import Task


def one_hot(n=400, seed=0, levels=(6, 15, 40)):
    rng = np.random.default_rng(seed)
    blocks = [np.eye(k)[rng.integers(0, k, n)] for k in levels]
    X = np.hstack(blocks)
    y = X @ (rng.normal(size=X.shape[1]) * (rng.random(X.shape[1]) < 0.3)) + 0.7 * rng.normal(size=n) + 2.0
    return sp.csr_array(X), y


def values(n=150, p=30, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.4)
    return X, X[:, 0] - 2.0 * X[:, 1] + 0.5 * rng.normal(size=n) + 1.0


FORMS = {"csr": sp.csr_array, "csc": sp.csc_array, "dense": lambda X: X.toarray() if sp.issparse(X) else X}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", [one_hot, values], ids=lambda f: f.__name__)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
@pytest.mark.parametrize("weighted", [False, True])
def test_same_losses_and_choice_as_scikit_learn(form, make, l1_ratio, weighted):
    X, y = make()
    s = np.random.default_rng(3).uniform(0.5, 2.0, y.size) if weighted else None
    cv = KFold(5, shuffle=True, random_state=0)
    theirs = TheirElasticNetCV(l1_ratio=l1_ratio, alphas=20, eps=1e-2, cv=cv, tol=1e-12, max_iter=100_000)
    theirs.fit(sp.csc_matrix(X), y, sample_weight=s)
    ours = cross_validate_path(FORMS[form](X), y, cv=cv, l1_ratio=l1_ratio, alphas=20, sample_weight=s, tol=1e-12)
    np.testing.assert_allclose(ours.path.alphas, theirs.alphas_, rtol=1e-9)
    np.testing.assert_allclose(ours.chosen.fold_losses, theirs.mse_path_, rtol=1e-6)
    assert ours.alpha == pytest.approx(theirs.alpha_)


@pytest.mark.parametrize("cv", [KFold(3), ShuffleSplit(3, random_state=0), TimeSeriesSplit(3), GroupKFold(3)])
def test_each_fold_is_the_path_of_its_training_rows(cv):
    X, y = one_hot()
    groups = np.arange(y.size) % 7 if isinstance(cv, GroupKFold) else None
    options = {"l1_ratio": 0.9, "tol": 1e-10}  # the lasso has many solutions here
    ours = cross_validate_path(X, y, cv=cv, groups=groups, alphas=8, keep_fold_paths=True, **options)
    for f, (train, test) in enumerate(cv.split(X, y, groups)):
        alone = regularization_path(X[train], y[train], alphas=ours.path.alphas, **options)
        np.testing.assert_allclose(ours.chosen.fold_paths[f].coefs.toarray(), alone.coefs.toarray(), atol=1e-4)
        for k in range(8):
            loss = np.mean((y[test] - alone.predict(X[test], k)) ** 2)
            assert ours.chosen.fold_losses[k, f] == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", [one_hot, values], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"standardize": True},
        {"sample_weight": True},
        {"sample_weight": True, "standardize": True},
        {"fit_intercept": False},
    ],
    ids=str,
)
def test_no_fold_sees_its_held_out_targets(form, make, options):
    X, y = make()
    if options.get("sample_weight"):
        options = options | {"sample_weight": np.random.default_rng(0).uniform(0.5, 2.0, y.size)}
    cv = KFold(4, shuffle=True, random_state=1)
    alphas = regularization_path(X, y, alphas=6).alphas
    before = cross_validate_path(FORMS[form](X), y, cv=cv, alphas=alphas, keep_fold_paths=True, **options)
    test = next(iter(cv.split(X)))[1]
    changed = y.copy()
    changed[test] = 100.0 - 3.0 * y[test]
    after = cross_validate_path(FORMS[form](X), changed, cv=cv, alphas=alphas, keep_fold_paths=True, **options)
    old, new = before.chosen.fold_paths[0], after.chosen.fold_paths[0]
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(old.coefs, name), getattr(new.coefs, name))
    np.testing.assert_array_equal(old.intercepts, new.intercepts)
    assert not np.array_equal(before.chosen.fold_paths[1].coefs.data, after.chosen.fold_paths[1].coefs.data)
    assert not np.allclose(before.chosen.fold_losses[:, 0], after.chosen.fold_losses[:, 0])


def test_rows_of_weight_zero_are_rows_left_out():
    X, y = one_hot()
    s = np.ones(y.size)
    s[::9] = 0.0
    folds = list(KFold(4).split(X))
    kept = [(train[s[train] > 0], test[s[test] > 0]) for train, test in folds]
    with_weights = cross_validate_path(X, y, cv=folds, sample_weight=s, alphas=10, tol=1e-10)
    without = cross_validate_path(X, y, cv=kept, alphas=with_weights.path.alphas, tol=1e-10)
    np.testing.assert_allclose(with_weights.chosen.fold_losses, without.chosen.fold_losses, rtol=1e-6)


def test_few_rows_and_folds_of_one_row():
    X, y = values(n=12, p=40)
    ours = cross_validate_path(X, y, cv=12, alphas=5, tol=1e-8)
    assert ours.chosen.fold_losses.shape == (5, 12)
    assert np.isfinite(ours.chosen.fold_losses).all()


def test_constant_target():
    X, _ = one_hot()
    ours = cross_validate_path(X, np.full(X.shape[0], 3.25), alphas=4)
    np.testing.assert_array_equal(ours.chosen.fold_losses, 0.0)
    assert ours.k == 0
    assert ours.path.intercepts[0] == 3.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cv": 1}, "cv=1"),
        ({"cv": "5"}, "cv='5'"),
        ({"cv": []}, "no folds"),
        ({"cv": 401}, r"cv=401: .*Choose fewer folds, or pass more rows"),
        ({"cv": [([0, 1], [])]}, "held-out rows"),
        (
            {"cv": [([0, 400], [1])]},
            r"^cv=\[\(\[0, 400\], \[1\]\)\]: a fold's training rows are array\(\[ *0, 400\]\); expected",
        ),
        ({"cv": [(np.arange(399), np.arange(401))]}, r"^cv=.{,80}: a fold's held-out rows are .{,80}; expected"),
        ({"cv": [([1], [0])], "scoring": lambda *_: np.nan}, "such as StratifiedKFold .*, or another scorer"),
        ({"cv": [([0, 1], [2])], "sample_weight": np.r_[0.0, 0.0, np.ones(398)]}, "training rows of weight 0"),
        ({"cv": [([1, 2], [0])], "sample_weight": np.r_[0.0, np.ones(399)]}, "held-out rows of weight 0"),
        ({"eps": "automatic"}, "eps='automatic': expected 'auto' or a number in"),
        ({"l1_ratio": []}, "l1_ratio is empty"),
        ({"rule": "2se"}, "rule='2se'"),
        ({"rule": lambda _: 100}, "returned 100"),
        ({"scoring": "nonsense"}, "scoring='nonsense'"),
        ({"max_columns": 0}, "max_columns=0"),
        ({"callback": 3}, "callback=3"),
    ],
)
def test_errors_name_the_argument(arguments, message):
    X, y = one_hot()
    with pytest.raises(ValueError, match=message):
        cross_validate_path(X, y, **({"alphas": 3} | arguments))


def test_scorers_and_lists_of_l1_ratio():
    X, y = one_hot()
    # Two ways to the folds' losses. The blocks' columns sum to 1: on such directions rounding may decide on a step, so
    # that losses agree as far as tol demands.
    mse, scored = (
        cross_validate_path(X, y, alphas=6, l1_ratio=[0.2, 1.0], tol=1e-10, scoring=scoring)
        for scoring in (None, "neg_mean_squared_error")
    )
    np.testing.assert_allclose(mse.results["mean_loss"], scored.results["mean_loss"], rtol=1e-6)
    assert (mse.l1_ratio, mse.alpha) == (scored.l1_ratio, scored.alpha)
    assert mse.l1_ratio == mse.results["l1_ratio"][np.argmin(mse.results["mean_loss"])]
    assert len(mse.to_frame()) == 12


@pytest.mark.parametrize(
    ("tol", "eps", "small", "of_folds"),
    [
        (1e-4, "auto", False, 1e-3),
        (1e-4, "auto", True, 1e-4),
        (1e-4, 1e-2, False, 1e-4),
        (1e-2, "auto", False, 1e-2),
        (1e-6, "auto", False, 1e-6),
    ],
)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_gap_that_folds_are_solved_to(tol, eps, small, of_folds, loss, monkeypatch):
    X, y = one_hot()
    monkeypatch.setattr(engine, "SMALL_ENTRIES", X.nnz if small else X.nnz - 1)
    y = y if loss == "squared" else 1.0 * (y > np.median(y))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        found = cross_validate_path(X, y, loss=loss, tol=tol, eps=eps, alphas=12, cv=3, keep_fold_paths=True)
    scales = [path.dual_gaps.max() / path.gap_scale for path in found.chosen.fold_paths]
    assert max(scales) <= of_folds
    assert max(scales) > 1e-2 * of_folds


@pytest.mark.parametrize(
    ("budget", "name"), [({"max_columns": 5}, "max_columns"), ({"max_seconds": 1e-9}, "max_seconds")]
)
def test_budgets_end_the_path_and_say_so(budget, name):
    X, y = one_hot()
    ours = cross_validate_path(X, y, alphas=40, **budget).chosen
    assert ours.stopped == name
    assert len(ours.alphas) < 40
    assert name != "max_columns" or ours.n_nonzero[-2] < 5 <= ours.n_nonzero[-1]


def test_an_interrupt_keeps_finished_strengths():
    X, y = one_hot()

    def interrupt(i, *_):
        if i == 3:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="Interrupted after 4 of 10"):
        ours = cross_validate_path(X, y, alphas=10, callback=interrupt)
    whole = cross_validate_path(X, y, alphas=10)
    assert ours.chosen.stopped == "interrupted"
    np.testing.assert_array_equal(ours.chosen.fold_losses, whole.chosen.fold_losses[:4])


def test_threads_change_no_more_than_the_last_digit():
    """Which fold meets a column first decides whether another takes its gradient from the shared Gram matrix."""
    X, y = one_hot()
    one, two = (cross_validate_path(X, y, alphas=10, n_jobs=n) for n in (1, 2))
    np.testing.assert_allclose(one.chosen.fold_losses, two.chosen.fold_losses, rtol=1e-13)


def test_progress_has_the_time_left():
    X, y = one_hot()
    seen = []
    cross_validate_path(X, y, alphas=5, callback=lambda *values: seen.append(values))
    assert [values[:2] for values in seen] == [(i, 5) for i in range(5)]
    assert seen[-1][-1] == 0.0


@pytest.mark.parametrize("loss", ["logistic", "poisson", ("tweedie", 1.5), "gamma"])
@pytest.mark.parametrize("weighted", [False, True])
def test_other_losses_by_folds(loss, weighted):
    """Held-out losses are mean deviances of paths fitted on the training rows alone."""
    X, z = one_hot(n=240)
    rng, mu = np.random.default_rng(0), np.exp(0.3 * (z - z.mean()))
    y = {"logistic": (z > z.mean()) * 1.0, "poisson": rng.poisson(mu) * 1.0}.get(loss, mu * rng.gamma(3.0, size=240))
    s = rng.uniform(0.5, 2.0, y.size) if weighted else None
    offset = 0.1 * rng.normal(size=y.size)
    cv = KFold(3, shuffle=True, random_state=2)
    options = {"loss": loss, "tol": 1e-9, "l1_ratio": 0.9}
    ours = cross_validate_path(X, y, cv=cv, alphas=5, sample_weight=s, offset=offset, **options)
    kind = as_loss(loss)
    for f, (train, test) in enumerate(cv.split(X)):
        own = {"sample_weight": None if s is None else s[train], "offset": offset[train]}
        alone = regularization_path(X[train], y[train], alphas=ours.path.alphas, **own, **options)
        for k in range(5):
            predictor = alone.predict(X[test], k) + offset[test]
            deviance = 2.0 * (kind.value(y[test], predictor) - kind.value(y[test], saturated(kind, y[test])))
            expected = np.average(deviance, weights=None if s is None else s[test])
            assert ours.chosen.fold_losses[k, f] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def saturated(kind, y):
    """Predictors at which no loss is lower, but for rounding."""
    clipped = np.clip(y, 1e-12, 1 - 1e-12) if kind.link == "logit" else np.maximum(y, 1e-300)
    return np.log(clipped / (1 - clipped)) if kind.link == "logit" else np.log(clipped)


@pytest.mark.parametrize("loss", ["poisson", ("tweedie", 1.5)])
def test_a_fold_without_events_is_named(loss):
    X, y = one_hot()
    events = np.where(np.arange(y.size) < 80, 1.0, 0.0)  # those of the first fold alone
    with pytest.raises(ValueError, match=r"training rows of a fold, y holds only 0.* Or choose other folds"):
        cross_validate_path(X, events, loss=loss, cv=KFold(5), alphas=3)
    shuffled = KFold(5, shuffle=True, random_state=0)
    assert np.isfinite(cross_validate_path(X, events, loss=loss, cv=shuffled, alphas=3).chosen.fold_losses).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_a_fold_whose_training_target_is_constant(weighted):
    """It predicts that constant, exactly; other folds are as they are."""
    X, y = one_hot()
    y[:200] = 1.5
    s = np.random.default_rng(0).uniform(0.5, 2.0, y.size) if weighted else None
    found = cross_validate_path(X, y, cv=KFold(2), alphas=4, sample_weight=s, keep_fold_paths=True).chosen
    np.testing.assert_array_equal(found.fold_paths[1].intercepts, 1.5)
    assert not found.fold_paths[1].n_nonzero.any()
    expected = np.average((y[200:] - 1.5) ** 2, weights=None if s is None else s[200:])
    np.testing.assert_allclose(found.fold_losses[:, 1], expected)
    assert found.fold_paths[0].n_nonzero[-1] > 0


def test_one_row():
    with pytest.raises(ValueError, match=r"cv=5: .*n_samples=1.* pass more rows"):
        cross_validate_path(np.ones((1, 3)), [1.0])


def test_the_path_says_what_its_objective_was():
    X, y = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30.0)
    given = {"standardize": True, "penalty_factor": np.array([1.0, 2.0, 1.0, 0.5]), "offset": np.ones(30)}
    ours = cross_validate_path(X, y, cv=3, alphas=3, **given).path.settings
    expected = regularization_path(X, y, alphas=3, **given).settings
    np.testing.assert_array_equal(ours.pop("penalty_factor"), expected.pop("penalty_factor"))
    assert ours == expected


def test_folds_of_rows_and_folds_by_weights_give_the_same_losses(monkeypatch):
    X, y = one_hot()
    X.data[-1] = 2.0  # a column of few rows, which some held-out rows lack
    target = (y > np.median(y)).astype(float)
    offset = np.linspace(-0.5, 0.5, target.size)
    train = np.r_[np.arange(200), np.arange(50)]  # rows may repeat
    folds = [(np.arange(100, 400), np.arange(100)), (train, np.arange(200, 400))]
    asked = {"loss": "logistic", "cv": folds, "alphas": 8, "tol": 1e-9, "offset": offset}
    by_rows = cross_validate_path(X, target, **asked)
    monkeypatch.setattr(Task, "by_rows", False)
    by_weights = cross_validate_path(X, target, **asked)
    np.testing.assert_allclose(by_rows.chosen.fold_losses, by_weights.chosen.fold_losses, rtol=1e-4)


def test_rows_held_out_without_entries_are_predicted_by_the_intercept():
    X, y = one_hot()
    X = sp.vstack([X, sp.csr_array((5, X.shape[1]))]).tocsr()
    target = np.r_[(y > np.median(y)).astype(float), 0.0, 1.0, 0.0, 1.0, 1.0]
    every = np.arange(405)
    folds = [(every[:400], every[400:]), (every[100:], every[:100])]
    found = cross_validate_path(X, target, loss="logistic", cv=folds, alphas=5, keep_fold_paths=True).chosen
    b0 = found.fold_paths[0].intercepts
    expected = 2.0 * np.mean(np.logaddexp(0.0, b0)[:, None] - np.outer(b0, target[400:]), axis=1)
    np.testing.assert_allclose(found.fold_losses[:, 0], expected, rtol=1e-12)
