"""Threads: the same answers to the last digit, by joblib's convention."""

from __future__ import annotations

import threading

import joblib
import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import ElasticNet, Lasso, regularization_path
from sparsereg.data import threads
from sparsereg.data.design import as_design


@pytest.fixture
def many_parts(monkeypatch):
    """Small matrices are worth a thread too."""
    monkeypatch.setattr(threads, "WORTH", 50)


def design(form, n=400):
    rng = np.random.default_rng(0)
    ones = sp.random_array((n, 60), density=0.05, rng=rng, data_sampler=lambda size: np.ones(size))
    X = sp.hstack([ones, sp.random_array((n, 20), density=0.1, rng=rng), rng.normal(size=(n, 2))])
    return X.toarray() if form == "dense" else X.asformat(form), rng.normal(size=n)


@pytest.mark.usefixtures("many_parts")
@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_a_design_is_the_same_however_it_was_shared(form, n_threads):
    X, y = design(form)
    alone, shared = as_design(X), as_design(X, n_threads=n_threads)
    assert (shared.columns == alone.columns).all()
    assert (shared.rmatvec(y) == alone.rmatvec(y)).all()
    assert n_threads < len(shared._pieces) <= shared.n_cols
    w = np.random.default_rng(1).normal(size=alone.n_cols)
    products = [np.zeros(y.size), np.zeros(y.size)]
    for z, one in zip(products, (alone, shared), strict=True):
        one.matrix.add_matvec(w, z)
    assert (products[0] == products[1]).all()


@pytest.mark.usefixtures("many_parts")
def test_paths_and_estimators_are_the_same_to_the_last_digit():
    X, y = design("csr")
    one, three = (regularization_path(X, y, alphas=10, n_jobs=n) for n in (None, 3))
    assert (one.coefs != three.coefs).nnz == 0
    assert (one.dual_gaps == three.dual_gaps).all()
    for Model in (Lasso, ElasticNet):
        assert (Model(alpha=0.01).fit(X, y).coef_ == Model(alpha=0.01, n_jobs=2).fit(X, y).coef_).all()


@pytest.mark.usefixtures("many_parts")
def test_faults_are_found_in_every_part():
    X, _ = design("csr")
    X.data[-2] = np.nan
    row, column = X.shape[0] - 1, X.indices[-2]
    with pytest.raises(ValueError, match=f"NaN at row {row}, column {column}"):
        as_design(X, n_threads=4)


def test_convention():
    assert threads.thread_count(None) == 1
    assert threads.thread_count(3) == 3
    assert threads.thread_count(-1) == joblib.cpu_count()
    with joblib.parallel_config("threading", n_jobs=2):
        assert threads.thread_count(None) == 2
    for wrong in (0, 1.5, "2", True):
        with pytest.raises(ValueError, match="n_jobs"):
            threads.thread_count(wrong)


def test_parts_are_even_and_small_work_is_not_shared():
    starts = np.arange(0, 2_000_001, 10)
    assert threads.split(starts, 1) == [(0, 200_000)]
    assert threads.split(starts, 2) == [(0, 100_000), (100_000, 200_000)]
    assert threads.split(np.array([0, 5, 5, 5]), 5)[-1][1] == 3
    assert [threads.worthwhile(2_000_000, n) for n in (1, 2, 64)] == [1, 2, 4]
    assert threads.worthwhile(10, 64) == 1


def test_parts_are_taken_by_whoever_is_free():
    """The first part ends only when all others are done: one thread cannot have got stuck behind it."""
    rest = threading.Semaphore(0)

    def work(a):
        if a:
            rest.release()
        else:
            assert all(rest.acquire(timeout=10) for _ in range(5))
        return a

    assert threads.run(work, [(a,) for a in range(6)], 2) == list(range(6))


def test_errors_come_through():
    def work(a):
        if a == 2:
            raise KeyError("two")
        return a

    assert threads.run(work, [(0,), (1,)], 2) == [0, 1]
    with pytest.raises(KeyError, match="two"):
        threads.run(work, [(1,), (2,), (3,)], 2)
