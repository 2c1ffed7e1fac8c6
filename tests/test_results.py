"""One class for the paths of every model: its accessors, what is printed, and who accepts it."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import sparsereg as S
from sparsereg import PathResult, SparsityReport, load_model, plot_path, regularization_path, ridge_path, save_model


def data():
    rng = np.random.default_rng(0)
    X = sp.csr_array(rng.normal(size=(50, 6)) * (rng.random((50, 6)) < 0.7))
    return X, X @ [1.0, -2.0, 0.0, 0.5, 0.0, 0.0] + 1.0 + 0.1 * rng.normal(size=50)


def lasso():
    return regularization_path(*data(), alphas=30)


def ridge():
    return ridge_path(*data(), alphas=30)


def two_outputs():
    """A path of two classes that nobody solved."""
    one = lasso()
    return replace(
        one,
        coefs=(one.coefs, sp.csc_array(-2.0 * one.coefs[:, ::-1])),
        intercepts=np.stack([one.intercepts, 1.0 - one.intercepts], axis=1),
        loss="logistic",
        link="logit",
        classes=np.array(["no", "yes"]),
    )


PATHS = pytest.mark.parametrize("make", [lasso, ridge, two_outputs])


@PATHS
def test_accessors_agree(make):
    path = make()
    assert isinstance(path, PathResult)
    coefs = path.coefs if isinstance(path.coefs, tuple) else (path.coefs,)
    dense = np.stack([part.toarray() for part in coefs])
    assert dense.shape == (len(path.outputs), path.n_features, path.alphas.size)
    np.testing.assert_array_equal(path.n_nonzero, np.count_nonzero(dense, axis=(0, 1)))
    assert path.certified.all()
    for k in (0, 11, -1):
        np.testing.assert_array_equal(path.coef(k).toarray(), dense[..., k])
        assert path.n_columns(k) == np.count_nonzero(dense[..., k].any(axis=0))
        for output, expected in enumerate(dense[..., k]):
            columns, values = path.point(k, output)
            np.testing.assert_array_equal(columns, np.flatnonzero(expected))
            np.testing.assert_array_equal(values, expected[columns])
        expected = np.squeeze(data()[0] @ dense[..., k].T) + path.intercepts[k]
        np.testing.assert_allclose(path.predict(data()[0], k), expected, rtol=1e-12)
    for output in range(len(path.outputs)):
        columns, lines = path.largest(3, output)
        order = np.argsort(-np.abs(dense[output]).max(axis=1))
        np.testing.assert_array_equal(columns, order[:3])
        np.testing.assert_array_equal(lines, dense[output, order[:3]])


@PATHS
def test_a_point_that_is_not_there(make):
    path = make()
    for k in (30, -31):
        for ask in (path.point, path.coef, lambda k: path.predict(data()[0], k)):
            with pytest.raises(IndexError, match=rf"k={k}: the path has 30 points, numbered from 0 to 29"):
                ask(k)


@PATHS
def test_copies_hold_the_same(make):
    path = make()
    for other in (copy.deepcopy(path), pickle.loads(pickle.dumps(path))):
        assert type(other) is type(path)
        np.testing.assert_array_equal(other.coef(7).toarray(), path.coef(7).toarray())
        np.testing.assert_array_equal(other.intercepts, path.intercepts)


@PATHS
def test_printed_it_is_short(make):
    path = make()
    lines = str(path).splitlines()
    assert lines[0] == repr(path)
    assert len(lines) == 12
    assert ("%Dev" in lines[1]) == (path.deviance_explained is not None)
    assert lines[2].split()[:2] == ["0", str(path.n_nonzero[0])]
    assert lines[2].split()[-1] == f"{path.alphas[0]:.4g}"
    assert (lines[-1].split()[0], lines[-1].split()[-1]) == ("29", f"{path.alphas[-1]:.4g}")
    assert "30 points" in repr(path) and "6 columns" in repr(path)  # noqa: PT018
    assert ("2 outputs" in repr(path)) == (len(path.outputs) == 2)


@PATHS
def test_saved_reported_and_drawn(make, tmp_path):
    path = make()
    save_model(tmp_path / "model.npz", None, path, point=path.alphas.size - 1)
    loaded = load_model(tmp_path / "model.npz").path
    for name in ("alphas", "intercepts", "dual_gaps", "n_iters", "seconds", "deviance_explained", "gradient_norms"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(path, name))
    for name in ("l1_ratio", "gap_scale", "tol", "loss", "link"):
        assert getattr(loaded, name) == getattr(path, name)
    np.testing.assert_array_equal(loaded.classes, path.classes)
    np.testing.assert_array_equal(loaded.certified, path.certified)
    np.testing.assert_array_equal(loaded.predict(data()[0], 9), path.predict(data()[0], 9))

    last = len(path.outputs) - 1
    report = SparsityReport.from_path(path, k=9, output=last)
    columns, values = path.point(9, last)
    assert report.path[9]["n_nonzero"] == columns.size
    assert {row["column"]: row["coefficient"] for row in report.columns} == dict(
        zip(columns.tolist(), values.tolist(), strict=True)
    )
    assert report.path[0]["seconds"] is None or path.seconds is not None
    assert report.to_text()
    assert report.to_json()

    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    _, lower = plot_path(path, top=2, output=last)
    for line, expected in zip(lower.lines, path.largest(2, last)[1], strict=True):
        np.testing.assert_array_equal(line.get_ydata(), expected)
    matplotlib.pyplot.close("all")


def test_each_point_says_what_found_it():
    """Smooth columns take Newton steps and a projected dual point; with the solver named, nothing else is used."""
    rng = np.random.default_rng(0)
    t = np.sort(rng.uniform(-1, 1, 200))
    X = np.maximum(t[:, None] - np.quantile(t, np.linspace(0, 0.99, 60)), 0)
    y = np.sin(6 * t) + 0.1 * rng.normal(size=200)
    path = regularization_path(X, y, alphas=20, eps=1e-3, tol=1e-3, solver="cd")
    assert path.n_products.shape == (20,)
    assert path.n_products.sum() > 0
    assert (path.n_products <= path.n_iters).all()
    assert set(path.methods) == {"gram_cd", "gram_cd, projected dual"}
    assert set(regularization_path(X, y, alphas=20, eps=1e-3, tol=1e-3).methods) == {"small_path"}
    one = regularization_path(X, y, alphas=3, eps=0.5, solver="prox_gradient")
    assert {method.split(",")[0] for method in one.methods} == {"prox_gradient"}


@PATHS
def test_notebooks_get_a_short_table(make, tmp_path):
    path = make()
    page = path._repr_html_()
    assert page.count("<tr>") == 11
    assert len(page) < 3000
    assert "&lt;" in page and "<td>29</td>" in page  # noqa: PT018
    save_model(tmp_path / "model.npz", None, path, point=3, target="<b>")
    model = load_model(tmp_path / "model.npz")
    assert repr(model).startswith("<Model of <b>: point 3 of 30, ")
    assert len(repr(model)) < 120
    assert "<b>" not in model._repr_html_()


def test_results_have_short_reprs_and_print_as_tables():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 6))
    y = X[:, 0] + 0.1 * rng.normal(size=80)
    validation = S.cross_validate_path(X, y, cv=3, alphas=6)
    table = np.stack([np.arange(80) % 5, np.arange(80) % 3], axis=1)
    results = [
        validation,
        validation.chosen,
        S.degrees_of_freedom(S.Ridge().fit(X, y), X, stops=[2, 6]),
        S.information_criterion(validation.path, X),
        S.stability_selection(X, y, n_pairs=2, n_columns=3),
        S.FeatureCross(crosses=[(0, 1)]).plan(table),
        S.compare_designs(table, y, standardize=[False], ridge=False, alphas=4),
        S.choose_crosses(table, y),
    ]
    for result in results:
        name = type(result).__name__
        assert repr(result).startswith(f"<{name}")
        assert len(repr(result)) < 160
        html = result._repr_html_()
        assert html.startswith("<pre>")
        assert "<" not in html.removeprefix("<pre>").removesuffix("</pre>")
    assert "block           df" in str(results[2])
    assert "<- least" in str(results[3])
    compact = S.CompactModel.from_model(S.Lasso(0.01).fit(X, y))
    assert "<td>x0</td>" in compact._repr_html_()
