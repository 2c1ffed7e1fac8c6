"""Columns far from 0 in a sparse X: shifted on the way in, with the same answers as near 0."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import regularization_path


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("wide", [False, True])
def test_far_columns_among_ones(index, wide):
    """They are shifted, whether or not a column is numbered as in X, and bounds eliminate columns as before."""
    rng = np.random.default_rng(1)
    fields = rng.integers(0, 40, size=(2, 3000))
    ones = np.vstack([field[None] == np.arange(40)[:, None] for field in fields]).T.astype(float)
    far, y = 1.7e9 + rng.uniform(0, 100, size=(3000, 2)), rng.normal(size=3000)
    y += far[:, 0] - 1.7e9 + ones[:, 7]
    empty = sp.csr_array((3000, 10**6 if wide else 1))
    X = sp.csr_array(sp.hstack([far[:, :1], ones, empty, far[:, 1:]]))
    near = sp.csr_array(sp.hstack([far[:, :1] - 1.7e9, ones, empty, far[:, 1:] - 1.7e9]))
    for matrix in (X, near):
        matrix.indices, matrix.indptr = matrix.indices.astype(index), matrix.indptr.astype(index)
    path, right = (regularization_path(matrix, y, alphas=20, tol=1e-9) for matrix in (X, near))
    assert path.certified.all()
    assert abs(path.coefs - right.coefs).max() < 1e-5
    np.testing.assert_allclose(path.predict(X), right.predict(near), atol=1e-4)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csc_array])
def test_one_heavy_row_makes_all_columns_far(kind):
    """A row of nearly all the weight: what other rows say still counts, columns with zeros and columns of ones too."""
    rng = np.random.default_rng(2)
    X = np.column_stack([rng.normal(size=40) * (rng.random(40) < 0.5), rng.random(40) < 0.5, np.ones(40)])
    X[3], y, s = [2.0, 1.0, 1.0], rng.normal(size=40), np.ones(40)
    s[3] = 1e13
    path = regularization_path(kind(X), y, alphas=[1e-16], tol=1e-8, sample_weight=s)
    Z, z = np.delete(X - X[3], 3, axis=0)[:, :2], np.delete(y - y[3], 3)
    np.testing.assert_allclose(path.coefs.toarray()[:2, 0], np.linalg.lstsq(Z, z, rcond=None)[0], rtol=1e-3)
    assert path.certified.all()
