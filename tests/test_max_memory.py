"""`max_memory`: paths end where what they hold beside X is too much, and say so."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from sparsereg import (
    ElasticNetCV,
    FeatureCross,
    LassoCV,
    LogisticRegressionCV,
    MultiTaskLassoCV,
    PoissonRegressorCV,
    cross_validate_path,
    regularization_path,
)
from sparsereg.data.memory_limit import MemoryLimit


def ones(n=600, fields=(40, 60), seed=0):
    rng = np.random.default_rng(seed)
    X = FeatureCross().fit_transform(np.column_stack([rng.integers(0, k, n) for k in fields]))
    return X, X @ rng.normal(size=X.shape[1]) + rng.normal(size=n)


def held_after_each(monkeypatch, run):
    """What `run` holds after each strength, without a limit that ends it."""
    held = []

    def note(self, n_points, *objects):  # noqa: ARG001
        held.append(self.held(*objects))
        return False

    with monkeypatch.context() as patch:
        patch.setattr(MemoryLimit, "is_reached", note)
        run(10**15)
    return held


PROBLEMS = {
    "shared folds": lambda X, y: (X, y, {}),
    "weights": lambda X, y: (X, y, {"sample_weight": 1.0 + (np.arange(len(y)) % 3)}),
    "by columns": lambda X, y: (sp.csc_array(X), y, {}),
    "dense": lambda X, y: (X.toarray(), y, {"positive": True, "solver": "cd"}),
    "logistic": lambda X, y: (X, 1.0 * (y > 0.0), {"loss": "logistic"}),
    "huber": lambda X, y: (X, y, {"loss": ("huber", 1.0)}),
    "several targets": lambda X, y: (X, np.column_stack([y, -2.0 * y + X[:, [0]].toarray()[:, 0]]), {}),
    "several classes": lambda X, y: (X, np.digitize(y, [-1.0, 1.0]), {"loss": "multinomial"}),
}


@pytest.mark.parametrize("kind", PROBLEMS)
@pytest.mark.parametrize("path", [regularization_path, cross_validate_path])
def test_a_path_ends_at_the_first_strength_that_holds_as_much(monkeypatch, kind, path):
    X, y, more = PROBLEMS[kind](*ones())
    held = held_after_each(monkeypatch, lambda limit: path(X, y, alphas=12, max_memory=limit, **more))
    assert max(held) > held[0] > 0
    limit = (held[0] + max(held)) // 2
    end = next(i for i, one in enumerate(held) if one >= limit)
    found = path(X, y, alphas=12, max_memory=limit, **more)
    found = found if path is regularization_path else found.chosen
    assert (found.stopped, len(found.alphas)) == ("max_memory", end + 1)
    every = path(X, y, alphas=12, **more)
    every = every if path is regularization_path else every.chosen
    assert np.array_equal(found.alphas, every.alphas[: end + 1])
    if path is cross_validate_path:
        assert np.array_equal(found.fold_losses, every.fold_losses[: end + 1])


def test_the_choice_is_among_the_strengths_that_were_reached(monkeypatch):
    X, y = ones()
    held = held_after_each(monkeypatch, lambda limit: LassoCV(alphas=20, max_memory=limit).fit(X, y))
    model = LassoCV(alphas=20, max_memory=held[6]).fit(X, y)
    chosen, every = model.validation_.chosen, LassoCV(alphas=20).fit(X, y)
    assert chosen.stopped == "max_memory"
    assert model.mse_path_.shape[0] <= 7
    assert model.alpha_ == chosen.alphas[chosen.mean_losses.argmin()] > every.alpha_
    assert "ended by: max_memory" in str(model.validation_)


@pytest.mark.parametrize(
    "model",
    [LassoCV, ElasticNetCV, MultiTaskLassoCV, LogisticRegressionCV, PoissonRegressorCV],
    ids=lambda m: m.__name__,
)
def test_too_little_leaves_the_first_strength_and_says_how_much_it_takes(model):
    X, y = ones()
    y = {MultiTaskLassoCV: np.column_stack([y, -y]), LogisticRegressionCV: y > 0.0}.get(model, np.abs(y))
    with pytest.warns(UserWarning, match="max_memory=1000: the first strength alone holds [0-9]+ bytes beside X"):
        found = model(max_memory=1000).fit(X, y)
    assert (found.validation_.chosen.stopped, len(found.validation_.path.alphas)) == ("max_memory", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert model(max_memory=2e9).fit(X, y).validation_.chosen.stopped == "turned"


def test_columns_of_an_earlier_l1_ratio_count_for_the_next(monkeypatch):
    X, y = ones()
    held = held_after_each(
        monkeypatch, lambda limit: cross_validate_path(X, y, l1_ratio=[1.0, 1.0], alphas=8, max_memory=limit)
    )
    assert len(held) == 14
    assert held[7:] == held[:7]


def test_kept_paths_of_folds_count(monkeypatch):
    X, y = ones()
    without, kept = (
        held_after_each(
            monkeypatch, lambda limit, keep=keep: cross_validate_path(X, y, keep_fold_paths=keep, max_memory=limit)
        )
        for keep in (False, True)
    )
    paths = cross_validate_path(X, y, keep_fold_paths=True).chosen.fold_paths
    least = sum(path.coefs.data.nbytes for path in paths)
    assert kept[-1] - without[-1] >= 0.9 * least


@pytest.mark.parametrize("wrong", [0, -1, 0.5, np.nan, np.inf, "2GB", True, [1]])
@pytest.mark.parametrize("path", [regularization_path, cross_validate_path, lambda X, y, **k: LassoCV(**k).fit(X, y)])
def test_what_is_no_number_of_bytes_is_refused(path, wrong):
    X, y = ones(60)
    with pytest.raises(ValueError, match=r"max_memory=.*expected a number at least 1.*in bytes: 2e9 is 2 GB"):
        path(X, y, max_memory=wrong)


def test_an_array_counts_once_however_it_is_reached():
    x = np.zeros(1000)
    limit = MemoryLimit(10)
    limit.begin({"given": [x[:10]]})
    assert limit.held([x, x[5:]], (x.reshape(10, 100),)) == 0
    more = np.zeros((3, 100))
    assert limit.held({"a": more[0], "b": [more.T]}, lambda: more, np.asarray(memoryview(more))[1:]) == 2400


def test_what_is_counted_is_what_is_allocated(monkeypatch):
    import tracemalloc

    X, y = ones(20_000, (300, 2000))
    found = []

    def note(self, n_points, *objects):  # noqa: ARG001
        found.append((self.held(*objects), tracemalloc.get_traced_memory()[0]))
        return False

    monkeypatch.setattr(MemoryLimit, "is_reached", note)
    for loss, target in (("squared", y), ("logistic", 1.0 * (y > 0.0))):
        found.clear()
        tracemalloc.start()
        try:
            cross_validate_path(X, target, loss=loss, alphas=30, max_memory=1e12)
        finally:
            tracemalloc.stop()
        held, traced = np.diff(np.array(found[::14]).T)[:, 0]
        assert held > 100_000
        assert held == pytest.approx(traced, rel=0.1)
