"""Warm starts across a vocabulary that has grown: coefficients are carried over by meaning, and certified anew."""

import copy

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from sparsereg import ElasticNet, FeatureCross, Lasso, Width


def table(n, seed, first):
    """Later tables bring users, and cells, that sort before and among the earlier ones."""
    rng = np.random.default_rng(seed)
    users = rng.integers(first, 300, n)
    place = rng.normal(0 if first else -1, 1, n)
    y = np.sin(users) + 2 * (place > 0.5) + rng.normal(scale=0.3, size=n)
    return pd.DataFrame({"user": users, "place": place, "hour": rng.integers(0, 24, n)}), y


def carry_over(model, columns, n_columns):
    """The coefficients where `columns` says that theirs are now."""
    old = sp.csr_array(model.sparse_coef_)
    at = columns[old.indices]
    known = at >= 0
    return sp.csr_array((old.data[known], (np.zeros(known.sum(), dtype=int), at[known])), shape=(1, n_columns))


@pytest.mark.parametrize("make", [Lasso, ElasticNet])
@pytest.mark.parametrize("chunked", [True, False])
def test_coefficients_are_carried_over_and_certified_anew(make, chunked):
    (first, y_first), (second, y_second) = table(4000, 0, 100), table(500, 1, 0)
    everything, y = pd.concat([first, second]), np.concatenate([y_first, y_second])
    cross = FeatureCross(bins={"place": Width(0.25)}, crosses=[("user", "place"), ("hour", "place")])
    model = make(alpha=0.003, warm_start=True).fit(cross.fit_transform(first), y_first)
    old = copy.deepcopy(cross)
    if chunked:
        cross.partial_fit(second)
    else:
        cross = FeatureCross(**cross.get_params()).fit(everything)
    X = cross.transform(everything)
    assert X.shape[1] > old.n_features_out_
    carried = carry_over(model, old.columns_in(cross), cross.n_features_out_)
    # They mean what they meant: the names of the survivors are the same, and so are the predictions.
    names = dict(zip(old.feature_names(model.sparse_coef_.indices), model.sparse_coef_.data, strict=True))
    assert dict(zip(cross.feature_names(carried.indices), carried.data, strict=True)) == names
    before = model.predict(old.transform(first))
    np.testing.assert_allclose(cross.transform(first) @ carried.toarray()[0] + model.intercept_, before, rtol=1e-10)
    model.coef_ = carried
    model.fit(X, y)
    cold = make(alpha=0.003).fit(X, y)
    scale = np.var(y)
    assert model.dual_gap_ <= model.tol * scale
    assert model.n_iter_ <= cold.n_iter_
    np.testing.assert_allclose(model.predict(X), cold.predict(X), atol=0.02)
    # Started where it ended, it has nothing left to do.
    assert make(alpha=0.003, warm_start=True).fit(X, y).n_iter_ > 0
    assert model.fit(X, y).n_iter_ == 0


def test_coefficients_that_were_not_carried_over_are_refused():
    first, y = table(200, 0, 100)
    cross = FeatureCross(bins={"place": Width(0.25)})
    model = Lasso(alpha=0.01, warm_start=True).fit(cross.fit_transform(first), y)
    second, _ = table(200, 1, 0)
    with pytest.raises(ValueError, match=r"cannot start a fit \(warm_start\)"):
        model.fit(cross.partial_fit(second).transform(first), y)
