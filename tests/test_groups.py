"""Rows in groups against the same sums by rows, and the losses' kernels against their formulas."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg._core.kernels import (
    MEANS,
    GramStore,
    KernelError,
    RowGroups,
    mean_apart,
    mean_correct,
    mean_curvature,
    mean_moved,
    mean_of,
    mean_toward,
    mean_value,
    near_entropies,
    rows_gap,
    rows_residuals,
)
from sparsereg.data.design import as_design
from sparsereg.losses import LOSSES
from sparsereg.objective.problem import make_problem
from sparsereg.rows.group_units import GroupUnits


def crossed(rng, n, index):
    a, b = rng.integers(0, 4, n), rng.integers(0, 3, n)
    X = np.hstack([column[:, None] == np.unique(column) for column in (a, b, a * 10 + b)]).astype(float)
    held = sp.csc_array(X)
    held.indices, held.indptr = held.indices.astype(index), held.indptr.astype(index)
    design = as_design(held)
    return design, X[:, design.columns]


@pytest.mark.parametrize("weighted", [False, True])
def test_long_patterns_are_read_by_member_and_by_slot(weighted):
    rng = np.random.default_rng(1)
    X = (rng.random((300, 40)) < 0.7).astype(float)
    design = as_design(sp.csr_array(X))
    X = X[:, design.columns]
    y, s = rng.random(300), rng.uniform(0.5, 2.0, 300) if weighted else None
    weights = np.ones(300) if s is None else s
    longest = int(X.sum(axis=1).max())
    groups = RowGroups(design.matrix, y, s, np.zeros(300, dtype=np.int32), np.zeros(1), longest)
    gram, m = GramStore(design.matrix, None), 0
    groups.values()[4][:] = 0.25
    for cols in np.split(np.arange(40), [4, 22, 25, 38]):
        groups.join(cols, gram)
        m += cols.size
        W, of = X[:, :m], groups.of_rows()
        for _ in range(15):  # after some passes lists by member are made, and then are kept up to date
            step, mean = rng.normal(size=m), rng.random(groups.n_groups)
            eta, largest = groups.predictor_step(step, 0.5)
            np.testing.assert_allclose(eta[of], 0.5 + W @ step, atol=1e-12)
            assert largest == np.abs(eta).max()
            c = groups.residual_products(mean)
            np.testing.assert_allclose(c, W.T @ (weights * (y - mean[of])), atol=1e-10)
        if m != 25:
            groups.weigh(gram)
        np.testing.assert_allclose(gram.toarray(), 0.25 * W.T @ (weights[:, None] * W), rtol=1e-12)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_first", [1, 3])
def test_groups_have_the_sums_of_their_rows(index, weighted, n_first):
    rng = np.random.default_rng(0)
    design, X = crossed(rng, 60, index)
    y, s = rng.normal(size=60), rng.uniform(0.5, 2.0, 60) if weighted else None
    weights = np.ones(60) if s is None else s
    first, eta = rng.permutation(np.arange(60) % n_first).astype(np.int32), rng.normal(size=n_first)
    groups = RowGroups(design.matrix, y, s, first, eta, 3)
    h = rng.uniform(0.1, 1.0, n_first)
    groups.values()[4][:], groups.values()[5][:] = h, 2.0 * h
    gram, members = GramStore(design.matrix, None), np.empty(0, dtype=np.int64)
    for cols in np.split(rng.permutation(X.shape[1]), [1, 4, 5]):
        groups.join(cols.astype(np.int64), gram)
        members = np.concatenate([members, cols])
        of = groups.of_rows()
        W = X[:, members]
        pattern = np.hstack([first[:, None], W])
        assert groups.n_groups == len(np.unique(pattern, axis=0)) == len(np.unique(of))
        assert all(len(np.unique(pattern[of == g], axis=0)) == 1 for g in range(groups.n_groups))
        sums, sy, syy, etas, curvature, reference = groups.values()
        for mine, own in ((sums, weights), (sy, weights * y), (syy, weights * y * y)):
            np.testing.assert_allclose(mine, np.bincount(of, own), atol=1e-12)
        np.testing.assert_array_equal(etas[of], eta[first])
        np.testing.assert_array_equal(curvature[of], h[first])
        np.testing.assert_array_equal(reference[of], 2.0 * h[first])
        np.testing.assert_allclose(gram.toarray(), W.T @ ((weights * h[first])[:, None] * W), atol=1e-12)
        np.testing.assert_allclose(gram.diagonal(), np.diag(gram.toarray()))
        v = rng.normal(size=groups.n_groups)
        by_rows = np.zeros((groups.n_groups, members.size))
        by_rows[of] = W
        np.testing.assert_allclose(groups.products(v), by_rows.T @ v, atol=1e-12)
        step, largest = groups.predictor_step(members * 0.1, -0.3)
        np.testing.assert_allclose(step[of], W @ (members * 0.1) - 0.3, atol=1e-12)
        assert largest == np.abs(step).max()
        rho = weights * (y - v[of])
        np.testing.assert_allclose(groups.residuals(v), rho, atol=1e-12)
        np.testing.assert_allclose(groups.residual_products(v), W.T @ rho, atol=1e-11)
        every = np.arange(X.shape[1])
        np.testing.assert_allclose(groups.column_sums(every, v), X.T @ (weights * v[of]), atol=1e-11)
    new = rng.uniform(0.1, 1.0, groups.n_groups)
    groups.values()[4][:] = new
    groups.sum_up()
    groups.weigh(gram)
    np.testing.assert_allclose(gram.toarray(), W.T @ ((weights * new[of])[:, None] * W), atol=1e-12)


def test_groups_refuse_what_does_not_fit():
    design, _ = crossed(np.random.default_rng(0), 20, np.int32)
    with pytest.raises(KernelError, match="first"):
        RowGroups(design.matrix, np.zeros(20), None, np.zeros(3, dtype=np.int32), np.zeros(1), 3)
    with pytest.raises(KernelError, match="no such group"):
        RowGroups(design.matrix, np.zeros(20), None, np.full(20, 2, dtype=np.int32), np.zeros(1), 3)
    groups = RowGroups(design.matrix, np.zeros(20), None, np.zeros(20, dtype=np.int32), np.zeros(1), 3)
    with pytest.raises(KernelError, match="outside"):
        groups.join(np.array([99]), GramStore(design.matrix, None))
    with pytest.raises(KernelError, match="wrong length"):
        groups.products(np.zeros(5))


@pytest.mark.parametrize("name", sorted(MEANS))
@pytest.mark.parametrize("n", [1, 5, 1030])
def test_means_are_those_of_the_loss(name, n):
    rng, loss, kind = np.random.default_rng(1), LOSSES[name], MEANS[name]
    assert loss.kernel == kind
    y = rng.random(n) if name == "logistic" else rng.poisson(3.0, n).astype(float)
    s, eta, step = rng.uniform(0.5, 2.0, n), 8.0 * rng.normal(size=n), rng.normal(size=n)
    sums, mean, z = (s, s * y, s * y * y), np.empty(n), eta + 0.5 * step - 0.2
    slope, total, squared = mean_of(kind, sums, eta, step, 0.5, -0.2, mean)
    np.testing.assert_allclose(mean, loss.inverse_link(z), rtol=1e-14)
    assert slope == pytest.approx(float(s @ loss.residual(y, z)), abs=1e-9 * np.abs(s * mean).sum())
    h = loss.curvature(y, z)
    assert total == pytest.approx(float(s @ h), rel=1e-12)
    exact = float(s @ (loss.residual(y, z) ** 2 / h))
    assert squared >= exact * (1 - 1e-9)
    assert squared == pytest.approx(loss.scaled_square(sums, mean, h), rel=1e-7)
    known = mean_value(kind, s, s * y, z) - mean_value(kind, s, s * y, eta)
    assert known == pytest.approx(loss.total(y, z, s) - loss.total(y, eta, s), abs=1e-9 * abs(loss.total(y, z, s)))
    np.testing.assert_allclose(mean_curvature(kind, eta), loss.curvature(y, eta), rtol=1e-12)
    other, q = eta + 0.1 * step, (np.clip(mean + 1e-3 * h, 0.0, None), mean - 1e-3 * h)
    mixed, at = 0.7 * q[0] + 0.3 * q[1], 0.7 * eta + 0.3 * other
    h_at, apart = loss.curvature(y, at), (mixed - loss.inverse_link(at)) / loss.curvature(y, at)
    squares, largest, squared = mean_apart(kind, sums, (eta, other), q, 0.3)
    assert squares == pytest.approx(float(s @ (h_at * apart**2)), rel=1e-9)
    assert largest == pytest.approx(np.abs(apart).max(), rel=1e-9)
    assert squared == pytest.approx(loss.scaled_square(sums, loss.inverse_link(at), h_at), rel=1e-7)
    h, d = loss.curvature(y, eta), step.copy()
    centred = step - float(s * h @ step) / float(s @ h)
    toward, squares, largest = mean_toward(kind, s, eta, mean, 0.1, True, d)
    np.testing.assert_allclose(toward, mean + h * centred, rtol=1e-9)
    np.testing.assert_allclose(d, s * h * centred, rtol=1e-9)
    assert squares == pytest.approx(float(s * h @ (centred + 0.1) ** 2))
    assert largest == pytest.approx(np.abs(centred + 0.1).max())
    h, d = loss.curvature(y, z), step.copy()
    mean_toward(kind, s, z, mean, 0.0, False, d)
    np.testing.assert_allclose(d, s * h * step, rtol=1e-9)
    corrected, reference = mean.copy(), eta.copy()
    mean_correct(kind, 1e-3, corrected)
    np.testing.assert_allclose(corrected, mean + 1e-3 * h, rtol=1e-9, atol=1e-12)
    moved = mean_moved(s, mean, reference)
    assert moved == pytest.approx((float(s @ (mean - eta) ** 2), np.abs(mean - eta).max()))
    np.testing.assert_array_equal(reference, mean)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", sorted(MEANS))
@pytest.mark.parametrize("n", [1, 6, 1030])
def test_sums_over_rows_are_those_of_the_loss(name, n, weighted):
    rng, loss, kind = np.random.default_rng(3), LOSSES[name], MEANS[name]
    y = rng.random(n) if name == "logistic" else rng.poisson(3.0, n).astype(float)
    s, z, out = rng.uniform(0.5, 2.0, n) if weighted else None, 0.5 * rng.normal(size=n), np.empty(n)
    weights = np.ones(n) if s is None else s
    slope, total, size, squared = rows_residuals(kind, y, s, z, 0.3, out)
    mean, h = loss.inverse_link(z + 0.3), loss.curvature(y, z + 0.3)
    assert slope == pytest.approx(float(weights @ (y - mean)), abs=1e-12 * n)
    assert (total, size) == pytest.approx((float(weights @ h), float(weights @ mean)))
    assert squared == pytest.approx(float(weights @ ((y - mean) ** 2 / h)))
    np.testing.assert_allclose(out, weights * loss.residual(y, z + 0.3), rtol=1e-12, atol=1e-14)
    assert rows_residuals(kind, y, s, z, 0.3) == (slope, total, size, squared)
    found, rho = rows_gap(kind, y, s, z, 0.99), loss.residual(y, z)
    exact = loss.value(y, z) + loss.conjugate(y, -0.99 * rho) + 0.99 * rho * z
    assert found is not None
    assert found == pytest.approx(float(weights @ exact), abs=1e-11 * n)
    assert rows_gap(kind, y, s, z - 200.0, 0.5) is None  # too far apart for the series
    with pytest.raises(KernelError, match="lengths differ"):
        rows_gap(kind, y, s, np.zeros(n + 1), 0.5)
    with pytest.raises(KernelError, match="no such mean"):
        rows_residuals(len(MEANS), y, s, z, 0.0)
    with pytest.raises(KernelError, match="wrong length"):
        rows_residuals(kind, y, s, z, 0.0, np.empty(n + 1))


def test_residuals_keep_their_digits_where_a_class_is_all_but_certain():
    y, out = np.array([1.0, 0.0, 1.0, 0.0]), np.empty(4)
    rows_residuals(MEANS["logistic"], y, None, np.array([60.0, -60.0, -60.0, 60.0]), 0.0, out)
    np.testing.assert_allclose(out, [np.exp(-60.0), -np.exp(-60.0), 1.0, -1.0], rtol=1e-14)


def test_relative_entropies_keep_their_digits():
    """Against 60 digits, from differences of 1e-13 of mu on; and what is far apart, is told."""
    rng = np.random.default_rng(2)
    size = 10.0 ** rng.uniform(-13, -0.31, 200)
    x = np.concatenate([size, -size, [-0.5, 0.5, 0.0]])
    mu = 10.0 ** rng.uniform(-300, 300, x.size)
    difference, out = x * mu, np.empty(x.size)
    assert near_entropies(mu, difference, out) == 0
    with localcontext() as context:
        context.prec = 60
        shares = [Decimal(d) / Decimal(m) for d, m in zip(difference.tolist(), mu.tolist(), strict=True)]
        exact = [float(Decimal(m) * ((1 + r) * (1 + r).ln() - r)) for m, r in zip(mu.tolist(), shares, strict=True)]
    np.testing.assert_allclose(out, exact, rtol=2e-15, atol=0.0)
    apart = np.array([0.1, 0.51, -0.51, -1.0, 1e300, np.inf, np.nan, 0.0])
    assert near_entropies(np.ones(8), apart, np.empty(8)) == 6
    assert near_entropies(np.array([0.0, np.inf]), np.array([0.0, -np.inf]), np.empty(2)) == 2
    assert near_entropies(np.empty(0), np.empty(0), np.empty(0)) == 0


@pytest.mark.parametrize("name", sorted(MEANS))
def test_means_of_extreme_predictors_are_finite(name):
    eta, mean = np.array([-1e5, -709.0, -40.0, -0.0, 0.0, 40.0, 709.0, 1e5]), np.empty(8)
    one = np.ones(8)
    found = mean_of(MEANS[name], (one, one, one), eta, None, 0.0, 0.0, mean)
    assert np.isfinite(mean).all()
    assert (mean > 0.0).all()
    assert not np.isnan(found).any()
    with np.errstate(under="ignore"):
        np.testing.assert_allclose(mean[1:6], LOSSES[name].inverse_link(np.clip(eta[1:6], -708, 708)), rtol=1e-13)


@pytest.mark.parametrize("whole", [True, False])
def test_sums_of_targets_follow_from_gradients_at_the_first_point(whole):
    rng = np.random.default_rng(5)
    X = sp.csr_array((rng.random((300, 12)) < 0.3).astype(float))
    y = (rng.random(300) < 0.3).astype(float) if whole else rng.random(300)
    rows = make_problem(as_design(X), y, loss="logistic").loss_rows
    units = GroupUnits(rows, rows.null_model()[0])
    expected = rows.rows.design.rmatvec(y)
    units.know_gradients(units.gradients(None))
    np.testing.assert_allclose(units._target_sums(), expected, rtol=0.0 if whole else 1e-12)


def test_displacements_are_measured_from_the_last_point_asked_about():
    rng = np.random.default_rng(6)
    X = sp.csr_array((rng.random((300, 6)) < 0.3).astype(float))
    rows = make_problem(as_design(X), (rng.random(300) < 0.4).astype(float), loss="logistic").loss_rows
    units = GroupUnits(rows, rows.null_model()[0])
    assert units.displacement() == (0.0, 0.0)
    units.join(np.arange(3))
    before = units.at.mean[units._groups.of_rows()]
    step, _ = units.predictor_step(np.array([0.5, -0.2, 0.1]), 0.0)
    units.settle(units.try_step(step, 1.0), step, 1.0)
    moved = units.at.mean[units._groups.of_rows()] - before
    units.join(np.arange(3, 6))  # which keeps the displacement for the next question
    assert units.displacement() == pytest.approx((np.linalg.norm(moved), np.abs(moved).max()))
    assert units.displacement() == (0.0, 0.0)
    dual = units.at.mean + 0.01
    assert units.displacement(dual)[1] == pytest.approx(0.01)
    assert units.displacement()[1] == pytest.approx(0.01)
