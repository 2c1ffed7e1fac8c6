"""Any loss over rows in parts: paths are those of one matrix, certified, in about a round a point."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_partitioned import data, part_of, pieces_of

from sparsereg import regularization_path
from sparsereg.data.design import as_design
from sparsereg.losses import as_loss
from sparsereg.objective.problem import make_problem
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.disk import ThreadEngine, load_partition, save_partition
from sparsereg.rows.partition_loss import LossAt, LossSums
from sparsereg.rows.partitioned import PartitionedRows

LOSSES = ["logistic", "poisson", "gamma", "tweedie", "huber", "squared_hinge"]


def targets(loss: str, y: np.ndarray, soft: bool = False) -> np.ndarray:
    rng, z = np.random.default_rng(3), (y - y.mean()) / y.std()
    p = 1.0 / (1.0 + np.exp(-z))
    classes = (rng.uniform(size=y.size) < p).astype(float)
    return {
        "logistic": p if soft else classes,
        "poisson": rng.poisson(np.exp(0.5 * z)).astype(float),
        "gamma": np.exp(z),
        "tweedie": rng.poisson(np.exp(0.5 * z)) * 1.5,
        "huber": z,
        "squared_hinge": 2.0 * classes - 1.0,
    }[loss]


def in_parts(X, y, s, pieces, offset=None, n_threads=1) -> PartitionedRows:
    parts = [part_of(X, y, s, rows, offset=offset) for rows in pieces]
    return PartitionedRows(parts, ThreadEngine(n_threads), X.shape[1])


def compare(X, y, s, offset, pieces, **options):
    """Objectives and certificates of each point, by full passes in memory."""
    rows = in_parts(X, y, s, pieces, offset)
    found = regularization_path(rows, tol=1e-10, **options)
    assert found.certified.all()
    alphas = {"alphas": found.alphas}
    wanted = regularization_path(X, y, sample_weight=s, offset=offset, tol=1e-12, **options | alphas)
    ratio = options.get("l1_ratio", 1.0)
    flags = {name: value for name, value in options.items() if name not in ("l1_ratio", "alphas")}
    problem = make_problem(as_design(X), y, sample_weight=s, offset=offset, **flags)
    place = np.full(X.shape[1], -1)
    place[problem.design.columns] = np.arange(problem.design.n_cols)
    for k, alpha in enumerate(found.alphas.tolist()):
        mine, theirs = (Coefficients(place[cols], w).nonzero() for cols, w in (found.point(k), wanted.point(k)))
        more = problem.objective(mine, alpha, ratio) - problem.objective(theirs, alpha, ratio)
        assert more <= 1e-12 * problem.gap_scale + 1e-15
        assert problem.duality_gap(mine, alpha, ratio) <= 1.001e-10 * problem.gap_scale
        assert found.intercepts[k] == pytest.approx(
            problem.intercept(mine) if flags.get("fit_intercept", True) else 0.0, abs=1e-5
        )
    np.testing.assert_allclose(found.deviance_explained, wanted.deviance_explained, atol=1e-5)
    return found


CASES = [
    (1, "as is", {}, False, False),
    (2, "sorted", {"fit_intercept": False}, True, False),
    (7, "uneven", {"l1_ratio": 0.5, "positive": True}, True, True),
]


@pytest.mark.parametrize(
    ("loss", "case"),
    [(loss, case) for loss in ("logistic", "poisson") for case in CASES]
    + [(loss, case) for loss in ("huber", "squared_hinge") for case in CASES[::2]],
)
def test_a_path_is_that_of_one_matrix(loss, case):
    n_parts, order, options, weighted, with_offset = case
    X, y, s = data(weighted)
    offset = np.random.default_rng(1).normal(size=y.size) * 0.3 if with_offset else None
    y = targets(loss, y, soft=weighted)
    alphas = 12 if options.get("l1_ratio", 1.0) == 1.0 else np.geomspace(0.1, 0.005, 6)
    compare(X, y, s, offset, pieces_of(y, n_parts, order), loss=loss, alphas=alphas, **options)


@pytest.mark.parametrize("loss", ["gamma", "tweedie", "huber", "squared_hinge"])
def test_other_losses(loss):
    X, y, s = data(weighted=loss == "tweedie")
    y = targets(loss, y)
    rows = in_parts(X, y, s, pieces_of(y, 3, "uneven"))
    found = regularization_path(rows, loss=loss, alphas=10, tol=1e-6)
    wanted = regularization_path(X, y, sample_weight=s, loss=loss, alphas=10, tol=1e-7)
    assert found.certified.all()
    assert found.loss == wanted.loss
    np.testing.assert_allclose(found.alphas, wanted.alphas, rtol=1e-10)
    problem = make_problem(as_design(X), y, sample_weight=s, loss=loss)
    place = np.full(X.shape[1], -1)
    place[problem.design.columns] = np.arange(problem.design.n_cols)
    for k in range(10):
        mine, theirs = (Coefficients(place[cols], w).nonzero() for cols, w in (found.point(k), wanted.point(k)))
        more = problem.objective(mine, found.alphas[k], 1.0) - problem.objective(theirs, found.alphas[k], 1.0)
        assert more <= 1.1e-6 * problem.gap_scale


@pytest.mark.parametrize("loss", LOSSES)
def test_rounds_are_about_one_a_point(loss):
    X, y, _ = data(weighted=False)
    y = targets(loss, y)
    rows = in_parts(X, y, None, pieces_of(y, 1, "as is"))
    path = regularization_path(rows, loss=loss)
    assert path.certified.all()
    assert path.n_nonzero[-1] > 30
    assert rows.n_rounds <= 140


def test_a_strength_far_below_the_largest_is_approached():
    X, y, _ = data(weighted=False)
    y = targets("poisson", y)
    path = regularization_path(in_parts(X, y, None, pieces_of(y, 2, "as is")), loss="poisson", alphas=[1e-3])
    wanted = regularization_path(X, y, loss="poisson", alphas=[1e-3])
    assert path.certified.all()
    assert path.deviance_explained[0] == pytest.approx(wanted.deviance_explained[0], abs=1e-2)


def test_penalty_factors_and_standardising():
    X, y, _ = data(weighted=False)
    y = targets("logistic", y)
    rows = in_parts(X, y, None, pieces_of(y, 3, "as is"))
    factor = np.random.default_rng(0).uniform(0.5, 2.0, X.shape[1])
    for options in ({"penalty_factor": factor}, {"standardize": True}):
        got = regularization_path(rows, loss="logistic", alphas=8, tol=1e-9, **options)
        wanted = regularization_path(X, y, loss="logistic", alphas=8, tol=1e-9, **options)
        np.testing.assert_allclose(got.alphas, wanted.alphas, rtol=1e-9)
        np.testing.assert_allclose(got.deviance_explained, wanted.deviance_explained, atol=1e-6)


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, 900), max_size=6), seed=st.integers(0, 5))
def test_answers_add_up_however_rows_are_divided(cuts, seed):
    """Against sums over a dense matrix."""
    X, y, s = data(weighted=bool(seed % 2))
    y, loss = targets("logistic", y, soft=seed > 2), as_loss("logistic")
    bounds = [0, *sorted(cuts), 900]
    pieces = [np.arange(a, b) for a, b in pairwise(bounds)]
    rng = np.random.default_rng(seed)
    coef, cols = Coefficients(np.array([2, 7, 90]), rng.normal(size=3)), np.array([0, 2, 30, 90, X.shape[1] - 1])
    found: LossSums = in_parts(X, y, s, pieces).ask(LossAt(coef, 0.2, loss, cols, 1.0))
    weight = np.ones(900) if s is None else s
    z = 0.2 + X[:, coef.cols].toarray() @ coef.w
    rho, h = weight * loss.residual(y, z), weight * loss.curvature(y, z)
    np.testing.assert_allclose(found.c, X.T @ rho, atol=1e-10)
    np.testing.assert_allclose(found.u, X.T @ h, atol=1e-10)
    dense = X[:, cols].toarray()
    np.testing.assert_allclose(found.gram.toarray(), np.tril(dense.T @ (h[:, None] * dense)), atol=1e-10)
    np.testing.assert_allclose(found.model_sums, dense.T @ h, atol=1e-10)
    np.testing.assert_allclose([found.slope, found.curvature], [rho.sum(), h.sum()], rtol=1e-10)
    assert found.total == pytest.approx(loss.total(y, z, s), rel=1e-12)
    assert found.largest == pytest.approx(np.abs(rho).max(), rel=1e-12)


def test_nothing_in_an_answer_is_as_long_as_the_rows():
    X, y, _ = data(weighted=False)
    rows = in_parts(X, targets("logistic", y), None, [np.arange(900)])
    none = np.empty(0, dtype=np.int64)
    found = rows.ask(LossAt(Coefficients.zero(), 0.0, as_loss("logistic"), none, 1.0))
    assert max(np.size(value) for value in vars(found).values()) <= X.shape[1] < 900


def test_digits_do_not_depend_on_threads():
    X, y, s = data(weighted=True)
    y = targets("logistic", y)
    one, other = (
        regularization_path(in_parts(X, y, s, pieces_of(y, 7, "as is"), n_threads=n), loss="logistic", alphas=10)
        for n in (1, 4)
    )
    assert one.coefs.data.tolist() == other.coefs.data.tolist()
    assert one.intercepts.tolist() == other.intercepts.tolist()


def test_squares_take_an_offset_too(tmp_path):
    X, y, s = data(weighted=True)
    offset = np.random.default_rng(1).normal(size=y.size)
    parts = [part_of(X, y, s, rows, offset=offset) for rows in pieces_of(y, 3, "uneven")]
    for number, part in enumerate(parts):
        save_partition(tmp_path, number, part)
    stored = [load_partition(tmp_path, number, part.n_codes) for number, part in enumerate(parts)]
    got = regularization_path(PartitionedRows(stored, ThreadEngine(), X.shape[1], 9.5), alphas=10, tol=1e-10)
    wanted = regularization_path(X, y, sample_weight=s, offset=offset, alphas=10, tol=1e-10)
    np.testing.assert_allclose(got.alphas, wanted.alphas, rtol=1e-10)
    np.testing.assert_allclose(got.deviance_explained, wanted.deviance_explained, atol=1e-9)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("logistic", np.full(900, 2.0), "takes classes 0 and 1"),
        ("logistic", np.ones(900), "no finite intercept"),
        ("poisson", np.zeros(900), "no finite intercept"),
        ("multinomial", np.arange(900.0), "needs rows in memory"),
    ],
)
def test_targets_that_a_loss_does_not_take_are_refused(loss, y, message):
    X, _, _ = data(weighted=False)
    with pytest.raises(ValueError, match=message):
        regularization_path(in_parts(X, y, None, [np.arange(400), np.arange(400, 900)]), loss=loss)
