"""Rows in parts that are not in memory as a whole: the contract's answers, and whole paths, are those of one matrix."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsereg import regularization_path
from sparsereg._core.kernels import Codes, KernelError
from sparsereg.data.design import as_design
from sparsereg.objective.problem import make_problem
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.disk import ThreadEngine, load_partition, save_partition
from sparsereg.rows.partition import Partition
from sparsereg.rows.partitioned import PartitionedRows
from sparsereg.solvers import working_set

N_CODES = 5 + 80 + 400


def data(weighted: bool, n: int = 900):
    """One-hot columns of two fields and their cross, and two columns of numbers; some entries are missing."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, n), np.minimum(rng.zipf(1.4, n) - 1, 79)
    codes = np.column_stack([a, 5 + b, 85 + a * 80 + b])
    present = rng.uniform(size=codes.shape) < 0.9
    X = np.zeros((n, N_CODES + 2))
    X[np.repeat(np.arange(n), 3)[present.ravel()], codes[present]] = 1.0
    X[:, N_CODES:] = rng.normal(size=(n, 2))
    y = X @ (rng.normal(size=N_CODES + 2) * (np.arange(N_CODES + 2) < 200)) + rng.normal(size=n) + 10.0
    return sp.csr_array(X), y, rng.uniform(0.0, 2.0, n) * (rng.uniform(size=n) < 0.9) if weighted else None


def part_of(X, y, s, rows, kind=np.uint16, offset=None) -> Partition:
    dense = X[rows]
    ones, numbers = dense[:, :N_CODES].tocsr(), dense[:, N_CODES:].toarray().T
    lengths = np.concatenate([[0], np.cumsum(np.diff(ones.indptr))]).astype(np.uint32)
    codes = ones.indices.astype(kind)
    s, offset = (None if v is None else v[rows] for v in (s, offset))
    return Partition(codes, lengths, N_CODES, np.ascontiguousarray(numbers), y[rows], s, offset)


def in_parts(X, y, s, pieces, kind=np.uint16, n_threads=1) -> PartitionedRows:
    parts = [part_of(X, y, s, rows, kind) for rows in pieces]
    return PartitionedRows(parts, ThreadEngine(n_threads), X.shape[1], center=9.5)


def pieces_of(y, n_parts: int, order: str) -> list[np.ndarray]:
    rows = np.argsort(y) if order == "sorted" else np.arange(y.size)
    if order == "uneven":  # one part of one row, and an empty one
        return [rows[:1], rows[1:1], *np.array_split(rows[1:], n_parts)]
    return np.array_split(rows, n_parts)


@pytest.mark.parametrize(("n_parts", "order"), [(1, "as is"), (2, "sorted"), (7, "uneven")])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"l1_ratio": 0.5, "positive": True}])
def test_a_path_is_that_of_one_matrix(n_parts, order, weighted, options):
    X, y, s = data(weighted)
    rows = in_parts(X, y, s, pieces_of(y, n_parts, order))
    alphas = {"alphas": 20} if options.get("l1_ratio", 1.0) == 1.0 else {"alphas": np.geomspace(0.5, 0.01, 8)}
    got = regularization_path(rows, tol=1e-10, **options, **alphas)
    wanted = regularization_path(X, y, sample_weight=s, tol=1e-10, **options, **alphas)
    assert got.certified.all()
    np.testing.assert_allclose(got.alphas, wanted.alphas, rtol=1e-12)
    flags = {name: value for name, value in options.items() if name != "l1_ratio"}
    problem = make_problem(as_design(X), y, sample_weight=s, **flags)
    place = np.full(X.shape[1], -1)
    place[problem.design.columns] = np.arange(problem.design.n_cols)
    for k in range(got.alphas.size):
        one, other = (
            problem.objective(Coefficients(place[cols], w).nonzero(), wanted.alphas[k], options.get("l1_ratio", 1.0))
            for cols, w in (got.point(k), wanted.point(k))
        )
        assert abs(one - other) <= 1e-12 * problem.gap_scale + 1e-15


def test_penalty_factors_and_standardising():
    X, y, _ = data(weighted=False)
    rows = in_parts(X, y, None, pieces_of(y, 3, "as is"))
    factor = np.random.default_rng(0).uniform(0.5, 2.0, X.shape[1])
    for options in ({"penalty_factor": factor}, {"standardize": True}):
        got = regularization_path(rows, alphas=10, tol=1e-10, **options)
        wanted = regularization_path(X, y, alphas=10, tol=1e-10, **options)
        np.testing.assert_allclose(got.intercepts + X @ got.coefs, wanted.intercepts + X @ wanted.coefs, atol=1e-3)
        np.testing.assert_allclose(got.deviance_explained, wanted.deviance_explained, atol=1e-9)


@pytest.mark.parametrize("costly_epoch", [working_set.COSTLY_EPOCH, 1])
def test_rounds_are_few(monkeypatch, costly_epoch):
    """A path asks for its columns a few times, not once a column or a strength; also where looks come early."""
    monkeypatch.setattr(working_set, "COSTLY_EPOCH", costly_epoch)
    X, y, _ = data(weighted=False)
    rows = in_parts(X, y, None, pieces_of(y, 2, "as is"))
    path = regularization_path(rows, tol=1e-6)
    assert path.certified.all()
    assert path.n_nonzero[-1] > 30
    assert rows.n_rounds <= 20


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, 900), max_size=6), seed=st.integers(0, 5))
def test_parts_do_not_matter(cuts, seed):
    X, y, s = data(weighted=bool(seed % 2))
    bounds = [0, *sorted(cuts), 900]
    pieces = [np.arange(a, b) for a, b in pairwise(bounds)]
    one, many = in_parts(X, y, s, [np.arange(900)]), in_parts(X, y, s, pieces)
    w = Coefficients(np.array([2, 7, 90]), np.random.default_rng(seed).normal(size=3))
    np.testing.assert_allclose(many.gradients(w, 0.1), one.gradients(w, 0.1), rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(many.products(w.cols, w.cols), one.products(w.cols, w.cols), rtol=1e-12)


def test_digits_do_not_depend_on_threads():
    X, y, s = data(weighted=True)
    paths = [
        regularization_path(in_parts(X, y, s, pieces_of(y, 7, "as is"), n_threads=n), alphas=10) for n in (1, 2, 5)
    ]
    for path in paths[1:]:
        assert path.coefs.data.tolist() == paths[0].coefs.data.tolist()
        assert path.intercepts.tolist() == paths[0].intercepts.tolist()


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_a_path_goes_on_from_its_checkpoint(tmp_path, loss):
    X, y, s = data(weighted=True)
    pieces, file, solved = pieces_of(y, 3, "as is"), tmp_path / "points.npz", []
    options = {"loss": loss, "alphas": 20, "tol": 1e-8, "penalty_factor": np.linspace(0.5, 1.0, X.shape[1])}
    wanted = regularization_path(in_parts(X, y, s, pieces), **options)

    def stop(i, *_):
        solved.append(i)
        if i == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        regularization_path(in_parts(X, y, s, pieces), checkpoint=file, callback=stop, **options)
    ends = {"stop_when": lambda *_: True}
    ended = regularization_path(in_parts(X, y, s, pieces), checkpoint=file, callback=stop, **ends, **options)
    assert (ended.alphas.size, ended.stopped) == (8, "stop_when")
    found = regularization_path(in_parts(X, y, s, pieces), checkpoint=str(file), callback=stop, **options)
    assert solved == list(range(20))
    assert found.certified.all()
    np.testing.assert_allclose(found.deviance_explained, wanted.deviance_explained, atol=1e-8)
    assert found.coefs[:, :8].data.tolist() == wanted.coefs[:, :8].data.tolist()
    again = regularization_path(in_parts(X, y, s, pieces), checkpoint=file, callback=stop, **options)
    assert again.coefs.data.tolist() == found.coefs.data.tolist()
    for change in ({"tol": 1e-7}, {"alphas": 10}, {"positive": True}, {"penalty_factor": None}):
        with pytest.raises(ValueError, match="with other options or data"):
            regularization_path(in_parts(X, y, s, pieces), checkpoint=file, **options | change)
    y[5] += 1e-6
    with pytest.raises(ValueError, match="with other options or data"):
        regularization_path(in_parts(X, y, s, pieces), checkpoint=file, **options)
    with pytest.raises(ValueError, match="beside rows in memory"):
        regularization_path(X, y, checkpoint=file)


def test_parts_in_files_are_the_same(tmp_path):
    X, y, s = data(weighted=True)
    part = part_of(X, y, s, np.arange(100))
    even = Partition(part.codes[:100], 1, N_CODES, part.numbers, part.y, None)
    for number, one in enumerate([part, even]):
        save_partition(tmp_path, number, one)
        found = load_partition(tmp_path, number, N_CODES)
        assert type(found.starts) is type(one.starts)
        for name in ("codes", "numbers", "y"):
            np.testing.assert_array_equal(getattr(found, name), getattr(one, name))
        assert (found.s is None) == (one.s is None)


def test_what_rows_in_parts_cannot_do_is_said():
    X, y, _ = data(weighted=False)
    rows = in_parts(X, y, None, [np.arange(900)])
    for options, message in (
        ({"y": y}, "y was passed"),
        ({"sample_weight": y}, "sample_weight was passed"),
        ({"loss": "huber", "solver": "prox_gradient"}, "needs rows in memory"),
        ({"penalty_factor": np.zeros(X.shape[1])}, "penalty_factor holds 0"),
    ):
        with pytest.raises(ValueError, match=message):
            regularization_path(rows, **options)
    rows.eliminated_length = 500  # as if combinations of many rows had been left out
    with pytest.raises(ValueError, match="static screen"):
        regularization_path(rows)


@pytest.mark.parametrize(
    ("codes", "starts", "n"),
    [
        (np.array([0, 7], np.uint16), 1, 2),  # a code beyond n_codes
        (np.array([0, 1], np.uint16), 2, 2),  # too few codes
        (np.array([0, 1], np.uint16), np.array([0, 2, 1], np.uint32), 2),  # starts that decrease
        (np.array([0, 1], np.int64), 1, 2),  # a type that is no code
    ],
)
def test_codes_that_do_not_fit_are_refused(codes, starts, n):
    with pytest.raises(KernelError):
        Codes(codes, starts, n, 3)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 16, 17, 64, 65, 80, 513])
def test_answers_are_combined_eight_at_a_time_in_order(n):
    """As an engine that has all of them at once does: level by level."""

    def combine(_, *texts):
        return "(" + " ".join(texts) + ")"

    level = [str(k) for k in range(n)]
    while len(level) > 1:
        groups = [level[a : a + 8] for a in range(0, len(level), 8)]
        level = [group[0] if len(group) == 1 else combine(None, *group) for group in groups]
    found = ThreadEngine().reduce(lambda part, _: str(part), combine, range(n), None)
    assert found == level[0]
