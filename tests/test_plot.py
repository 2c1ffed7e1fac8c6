"""The picture shows what the path holds, asks for few names, and makes nothing of nominal width."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import plot_path, regularization_path

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


def path_of(width):
    rng = np.random.default_rng(0)
    X = sp.random_array((200, 30), density=0.2, rng=0, format="csr")
    X.data[:] = 1.0
    spread = np.sort(rng.choice(width, 30, replace=False))
    wide = sp.csr_array((X.data, spread[X.indices], X.indptr.astype(np.int64)), shape=(200, width))
    return regularization_path(wide, X @ rng.normal(size=30) + rng.normal(size=200), alphas=20)


def test_lines_are_the_coefficients():
    path = path_of(10**9)
    asked = []

    def names(columns):
        asked.extend(columns)
        return [f"column {j}" for j in columns]

    upper, lower = plot_path(path, names=names, top=4)
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), path.deviance_explained)
    assert len(lower.lines) == len(asked) == 4
    for line, column in zip(lower.lines, asked, strict=True):
        assert line.get_label() == f"column {column}"
        points = [dict(zip(*path.point(k), strict=True)) for k in range(20)]  # indexing rows takes memory of the width
        np.testing.assert_array_equal(line.get_ydata(), [point.get(column, 0.0) for point in points])
    matplotlib.pyplot.close("all")


def test_a_path_of_zeros_and_given_axes():
    _, axes = matplotlib.pyplot.subplots(2)
    path = regularization_path(np.eye(3), np.ones(3), alphas=2)
    assert plot_path(path, axes=axes)[1] is axes[1]
    assert not axes[1].lines
    matplotlib.pyplot.close("all")


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install .sparsereg\[plot\]"):
        plot_path(path_of(100))
