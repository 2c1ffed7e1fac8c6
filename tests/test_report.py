"""SparsityReport: every number against a slow count, only needed names made, text within its width, valid JSON."""

from __future__ import annotations

import builtins
import dataclasses
import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sparsereg import Lasso, Ridge, RidgeCV, SparsityReport, regularization_path
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.report.words import bytes_in_words
from sparsereg.results import PathResult


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"shop": rng.choice(["north", "south", "east"], 600), "item": rng.integers(0, 40, 600), "size": rng.random(600)}
    )
    y = (table["shop"] == "north") * 2.0 + (table["item"] == 3) * 3.0 + table["size"] + rng.normal(size=600)
    cross = FeatureCross(crosses=[("shop", "item")])
    X = cross.fit_transform(table)
    return table, y.to_numpy(), cross, X, regularization_path(X, y.to_numpy(), alphas=30)


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    """Reports are as wide as the terminal; some runners of tests set one of 80 columns."""
    monkeypatch.setenv("COLUMNS", "110")


def made_path(coefs: sp.csc_array, **changes) -> PathResult:
    """A path that nobody solved, with the coefficients given."""
    k = coefs.shape[1]
    zeros = np.zeros(k)
    path = PathResult(
        np.geomspace(1, 0.1, k), 1.0, coefs, zeros, zeros, 1.0, 1e-4, np.ones(k, dtype=np.int64), zeros, zeros
    )
    return dataclasses.replace(path, **changes)


def test_path_rows_say_what_the_path_says(fitted):
    *_, path = fitted
    rows = SparsityReport.from_path(path).path
    dense = path.coefs.toarray()
    assert [row["point"] for row in rows] == list(range(30))
    for name, expected in {
        "alpha": path.alphas,
        "n_nonzero": np.count_nonzero(dense, axis=0),
        "density": np.count_nonzero(dense, axis=0) / dense.shape[0],
        "deviance_explained": path.deviance_explained,
        "l1_norm": np.abs(dense).sum(axis=0),
        "l2_norm": np.sqrt((dense**2).sum(axis=0)),
        "dual_gap": path.dual_gaps,
        "relative_gap": path.dual_gaps / path.gap_scale,
        "n_iter": path.n_iters,
        "seconds": path.seconds,
    }.items():
        np.testing.assert_allclose([row[name] for row in rows], expected, rtol=1e-12, err_msg=name)
    assert [row["certified"] for row in rows] == path.certified.tolist()


@pytest.mark.parametrize("k", [0, 7, -1, None])
def test_blocks_count_their_survivors(fitted, k):
    _, _, cross, _, path = fitted
    report = SparsityReport.from_path(path, cross, k)
    w = path.coefs.toarray()[:, -1 if k is None else k]
    total = np.abs(w).sum() or 1.0
    assert [block["name"] for block in report.blocks] == ["shop", "item", "shop x item", "size"]
    for row, block in zip(report.blocks, cross.blocks_, strict=True):
        part = w[block.start : block.stop]
        assert row["n_observed"] == part.size
        assert row["n_cells"] == block.n_cells
        assert row["n_nonzero"] == np.count_nonzero(part)
        assert row["weight"] == pytest.approx(np.abs(part).sum())
        assert row["weight_share"] == pytest.approx(np.abs(part).sum() / total)
    assert sum(row["n_nonzero"] for row in report.blocks) == report.path[report.point]["n_nonzero"]


def test_heaviest_columns_by_name(fitted):
    _, _, cross, _, path = fitted
    report = SparsityReport.from_path(path, cross, top=5, rank="weight")
    w, names = path.coefs.toarray()[:, -1], cross.get_feature_names_out()
    order = np.argsort(-np.abs(w))[:5]
    assert [row["name"] for row in report.columns] == names[order].tolist()
    assert [row["coefficient"] for row in report.columns] == w[order].tolist()
    assert {"item=3", "shop=north"} <= {row["name"] for row in report.columns}


def test_only_the_heaviest_are_named(fitted, monkeypatch):
    _, _, cross, _, path = fitted
    asked = []
    name = cross.feature_names
    monkeypatch.setattr(cross, "feature_names", lambda columns: asked.append(len(columns)) or name(columns))
    SparsityReport.from_path(path, cross, top=3)
    assert asked == [12, 3]  # the lines, and the first ones


def test_nothing_is_as_long_as_x_is_wide():
    width = 10**12
    coefs = sp.csc_array((np.array([1.0, -2.0]), np.array([5, width - 1]), np.array([0, 0, 2])), shape=(width, 2))
    tracemalloc.start()
    report = SparsityReport.from_path(made_path(coefs))
    text = report.to_text()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    row = {"name": f"column {width - 1}", "column": width - 1, "coefficient": -2.0, "rows": None, "influence": None}
    assert row.items() <= report.columns[0].items()
    assert report.rank == "weight"
    assert report.bytes_dense == 2 * 8 * width
    assert "dense they would take 16 TB" in text


def test_bytes(fitted):
    _, _, cross, _, path = fitted
    report = SparsityReport.from_path(path, cross)
    assert report.bytes_dense == path.coefs.toarray().nbytes
    assert report.bytes_kept == path.coefs.data.nbytes + path.coefs.indices.nbytes + path.coefs.indptr.nbytes
    assert report.bytes_nominal == 30 * 8 * (3 + 40 + 120 + 1)
    assert [bytes_in_words(n) for n in (0, 999, 1_000, 999_700, 1_230_000)] == [
        "0 bytes", "999 bytes", "1 kB", "1 MB", "1.23 MB",
    ]  # fmt: skip


def test_text_fits_and_shows_the_described_point(fitted):
    _, _, cross, _, path = fitted
    held = {"held R2": np.linspace(0, 1, 30).tolist()}
    text = SparsityReport.from_path(path, cross, 11, scores=held).to_text()
    lines = text.splitlines()
    assert max(map(len, lines)) <= 110
    assert "All 30 points are certified" in text
    table = text.split("\n\n")[1].splitlines()
    assert len(table) == 1 + 15
    assert table[0].split()[-2:] == ["held", "R2"]
    marked = [line for line in table if "*" in line]
    assert len(marked) == 1
    assert marked[0].split()[0] == "*11"
    assert table[1].split()[0] == "0"
    assert table[-1].split()[0] == "29"
    assert len(set(map(len, table))) == 1, "aligned"


@pytest.mark.parametrize("k", [0, 1, 14, 28, 29])
@pytest.mark.parametrize("most", [2, 3, 7, 30, 100])
def test_condensed_rows_hold_the_ends_and_the_point(fitted, k, most):
    *_, path = fitted
    table = SparsityReport.from_path(path, k=k).to_text(max_rows=most).split("\n\n")[1].splitlines()[1:]
    points = [int(line.split()[0].lstrip("*")) for line in table]
    assert points == sorted(set(points))
    assert {0, k, 29} <= set(points)
    assert len(points) <= max(most, 3)


def test_text_of_names_from_hostile_files():
    cross = FeatureCross(fields=["a"])
    cross.fit(pd.DataFrame({"a": ["x\x1b[31m\ny", "z" * 500]}))
    coefs = sp.csc_array(np.array([[1.0], [2.0]]))
    text = SparsityReport.from_path(made_path(coefs), cross).to_text()
    assert "\x1b" not in text
    assert "x\\x1b[31m\\ny" in text
    assert "zzz...zzz" in text
    assert max(map(len, text.splitlines())) <= 110


def test_text_names_scores_that_do_not_fit(fitted):
    *_, path = fitted
    scores = {f"score number {i}": [0.0] * 30 for i in range(5)}
    text = SparsityReport.from_path(path, scores=scores).to_text()
    assert "Too wide to show" in text
    assert "score number 4" in text
    assert max(map(len, text.splitlines())) <= 110


def test_uncertified_points_are_marked():
    path = made_path(sp.csc_array(np.eye(2)), dual_gaps=np.array([0.0, 0.5]))
    text = SparsityReport.from_path(path).to_text()
    assert "NOT certified: 1 of 2 points" in text
    assert "5.0e-01!" in text


def test_json_is_valid_and_complete(fitted):
    _, _, cross, _, path = fitted
    report = SparsityReport.from_path(path, cross, scores={"odd": [float("nan")] * 30})

    def refuse(word):
        raise AssertionError(word)

    content = json.loads(report.to_json(), parse_constant=refuse)
    assert content["path"][0]["odd"] is None
    assert content["blocks"] == report.blocks
    assert content["columns"] == report.columns
    assert content["bytes_kept"] == report.bytes_kept
    assert content["point"] == 29
    assert json.loads(report.to_json(indent=2)) == content


def test_frames(fitted):
    _, _, cross, _, path = fitted
    report = SparsityReport.from_path(path, cross)
    assert report.to_frame().shape[0] == 30
    assert report.to_frame("blocks")["n_nonzero"].sum() == path.n_nonzero[-1]
    assert report.to_frame("columns")["name"].tolist() == [row["name"] for row in report.columns]
    with pytest.raises(ValueError, match="table='point': expected one of 'path', 'blocks', 'columns'"):
        report.to_frame("point")


def test_frame_without_pandas_says_how_to_get_it(fitted, monkeypatch):
    *_, path = fitted
    real = builtins.__import__

    def without_pandas(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(ImportError, match="pip install pandas"):
        SparsityReport.from_path(path).to_frame()


def test_float32_and_all_zero_paths():
    coefs = sp.csc_array(np.zeros((4, 2), dtype=np.float32))
    report = SparsityReport.from_path(made_path(coefs))
    assert report.bytes_dense == 4 * 2 * 4
    assert report.columns == []
    assert "0 active at" in report.to_text()


def test_estimator(fitted):
    table, y, cross, X, _ = fitted
    lasso = Lasso(alpha=0.05).fit(X, y)
    report = SparsityReport.from_estimator(lasso, cross)
    w = lasso.coef_
    assert report.path[0]["alpha"] == 0.05
    assert report.path[0]["n_nonzero"] == np.count_nonzero(w)
    assert report.path[0]["dual_gap"] == lasso.dual_gap_
    assert sum(block["weight"] for block in report.blocks) == pytest.approx(np.abs(w).sum())
    assert "gap" in report.to_text()

    pipeline = make_pipeline(FeatureCross(crosses=[("shop", "item")]), Lasso(alpha=0.05)).fit(table, y)
    assert SparsityReport.from_estimator(pipeline).columns == report.columns


def test_estimator_with_names_and_several_targets(fitted):
    table, y, *_ = fitted
    X = table[["size", "item"]].astype(float)
    lasso = Lasso(alpha=0.001).fit(X, np.column_stack([y, -y]))
    report = SparsityReport.from_estimator(lasso)
    assert len(report.path) == 2
    assert {row["name"] for row in report.columns} <= {"size", "item"}
    assert report.path[0]["l1_norm"] == pytest.approx(report.path[1]["l1_norm"])


def test_wrong_arguments(fitted):
    _, _, cross, _, path = fitted
    with pytest.raises(ValueError, match="k=30"):
        SparsityReport.from_path(path, k=30)
    with pytest.raises(ValueError, match="top=-1"):
        SparsityReport.from_path(path, top=-1)
    with pytest.raises(ValueError, match=r"scores.*holds 1 values; expected 30"):
        SparsityReport.from_path(path, scores={"R2": [1.0]})
    with pytest.raises(ValueError, match="pass the FeatureCross that made X"):
        SparsityReport.from_path(made_path(sp.csc_array(np.eye(2))), cross)
    with pytest.raises(ValueError, match="has no sparse_coef_"):
        SparsityReport.from_estimator(object())


@pytest.mark.parametrize("width", [40, 60, 80, 110, 200])
def test_text_of_any_width_cuts_no_number(fitted, width):
    table, y, cross, _, path = fitted
    scores = {"held R2": np.linspace(0, 1, 30).tolist()}
    ridge = make_pipeline(FeatureCross(crosses=[("shop", "item")]), Ridge(3.0)).fit(table, y)
    for report in (
        SparsityReport.from_path(path, cross, 11, scores=scores),
        SparsityReport.from_estimator(ridge, X=table),
    ):
        text = report.to_text(width=width)
        assert max(map(len, text.splitlines())) <= width
        row = report.path[report.point]
        words = {word.rstrip(";,.)!") for word in text.split()}
        assert {f"{row['alpha']:.4g}", f"{row['n_nonzero']:,}"} <= words
        for column in report.columns:
            assert f"{column['coefficient']:.4g}" in words
    with pytest.raises(ValueError, match="width=39"):
        report.to_text(width=39)


def test_text_has_the_width_of_the_terminal(fitted, monkeypatch):
    _, _, cross, _, path = fitted
    report = SparsityReport.from_path(path, cross)
    for columns, expected in (("70", 70), ("300", 110), ("10", 40)):
        monkeypatch.setenv("COLUMNS", columns)
        assert report.to_text() == report.to_text(width=expected)


def test_names_through_a_column_transformer(fitted):
    table, y, *_ = fitted
    encode = make_column_transformer((OneHotEncoder(), ["shop", "item"]), ("passthrough", ["size"]))
    report = SparsityReport.from_estimator(make_pipeline(encode, Lasso(0.01)).fit(table, y))
    assert {"onehotencoder__item_3", "onehotencoder__shop_north"} <= {row["name"] for row in report.columns}


def test_alpha_that_was_chosen(fitted):
    _, y, cross, X, _ = fitted
    model = RidgeCV(alphas=[0.5, 2.0, 8.0]).fit(X, y)
    assert SparsityReport.from_estimator(model, cross).path[0]["alpha"] == model.alpha_


def test_degrees_of_freedom_are_the_active_columns_of_a_lasso_or_it_is_said_why_not():
    """Of every loss; with an l2 term, or rows that are penalised together, no number stands in for them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 6))
    z = X[:, 0] - X[:, 1] + rng.normal(size=200)
    for loss, y in (
        ("squared", z),
        ("huber:1", z),
        ("poisson", np.exp(z).round()),
        ("multinomial", np.digitize(z, [0, 1])),
    ):
        of = "squared" if loss == "squared" else "other"
        for ratio in (1.0, 0.5):
            path = regularization_path(X, y, loss=loss, l1_ratio=ratio, alphas=4)
            report = SparsityReport.from_path(path)
            known = [row["n_nonzero"] if ratio == 1.0 else None for row in report.path]
            assert [row["df"] for row in report.path] == known
            text = " ".join(report.to_text(width=60).split())
            assert ("Degrees of freedom are not given" in text) == (ratio < 1.0)
            assert ("no settled definition" in text) == (ratio < 1.0 and of == "other")
    together = SparsityReport.from_path(regularization_path(X, np.c_[z, z**2], alphas=4))
    assert {row["df"] for row in together.path} == {None}
    assert "penalised together" in " ".join(together.to_text().split())
