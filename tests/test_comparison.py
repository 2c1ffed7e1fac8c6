"""Comparisons of two models: figures against plain NumPy, text that keeps its width, names that stay text."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

import sparsereg as S
from sparsereg import ComparisonDisplay, FeatureCross, ModelComparison
from sparsereg.cli.commands import cli

mpl.use("Agg")
HOSTILE = "<script>alert('x')</script>$\n" + "w" * 90


@pytest.fixture(scope="module")
def two():
    rng = np.random.default_rng(0)
    n = 600
    table = pd.DataFrame({"a": rng.integers(0, 4, n), "b": rng.choice(["u", HOSTILE, "v"], n)})
    y = table["a"] + 1.5 * ((table["a"] == 1) & (table["b"] == HOSTILE)) + rng.normal(size=n)
    train = slice(0, 400)
    plain = make_pipeline(FeatureCross(), S.Lasso(0.02)).fit(table[train], y[train])
    crossed = make_pipeline(FeatureCross(crosses=[("a", "b")]), S.Lasso(0.02)).fit(table[train], y[train])
    return plain, crossed, table[400:], y[400:].to_numpy()


@pytest.mark.parametrize("weighted", [False, True])
def test_figures(two, weighted):
    plain, crossed, table, y = two
    s = np.random.default_rng(1).integers(1, 4, y.size).astype(float) if weighted else np.ones(y.size)
    found = ModelComparison.from_models({"plain": plain, "crossed": crossed}, table, y, s if weighted else None)
    p, q = plain.predict(table), crossed.predict(table)
    null = np.average((y - np.average(y, weights=s)) ** 2, weights=s)
    r2 = [1 - np.average((y - part) ** 2, weights=s) / null for part in (p, q)]
    assert np.allclose(found.scores, r2)
    d = ((y - p) ** 2 - (y - q) ** 2) / null
    assert np.isclose(found.difference, r2[1] - r2[0])
    assert np.isclose(found.difference, np.average(d, weights=s))
    if not weighted:
        assert np.isclose(found.error, d.std() / np.sqrt(d.size))
    assert np.isclose(found.correlation, np.corrcoef(p, q)[0, 1])
    assert np.isclose(found.quantiles[0.5], np.median(q - p))
    weights = [dict(zip(model[0].get_feature_names_out(), model[-1].coef_, strict=True)) for model in (plain, crossed)]
    kept = [{name: w for name, w in part.items() if w} for part in weights]
    assert found.columns == (len(kept[0]), len(kept[1]))
    assert found.survivors["both"] == len(kept[0].keys() & kept[1].keys())
    assert found.survivors["crossed"] == len(kept[1].keys() - kept[0].keys())
    for row in found.changes:
        assert row["change"] == kept[1].get(row["column"], 0) - kept[0].get(row["column"], 0)
    sizes = [abs(row["change"]) for row in found.changes]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == max(abs(kept[1].get(c, 0) - kept[0].get(c, 0)) for c in {*kept[0], *kept[1]})


def test_verdict_takes_two_errors_and_turns_with_the_order(two):
    plain, crossed, table, y = two
    models = {"plain": plain, "crossed": crossed}
    forth = ModelComparison.from_models(models, table, y)
    back = ModelComparison.from_models(dict(reversed(models.items())), table, y)
    assert forth.difference > 2 * forth.error
    assert forth.verdict == back.verdict == "crossed predicts better"
    assert np.isclose(forth.difference, -back.difference)
    same = ModelComparison.from_models({"plain": plain, "again": plain}, table, y)
    assert (same.verdict, same.difference, same.changes) == ("no difference to be seen", 0.0, [])
    rows = np.arange(y.size) % 50 == 0
    assert ModelComparison.from_models(models, table[rows], y[rows]).verdict == "no difference to be seen"


def test_text_html_and_frame(two):
    plain, crossed, table, y = two
    found = ModelComparison.from_models({"plain": plain, "<b>": crossed}, table, y)
    assert max(map(len, found.to_text().splitlines())) <= 80
    html = found._repr_html_()
    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html
    frame = found.to_frame()
    assert frame.columns.tolist() == ["what", "plain", "<b>"]
    assert frame["plain"].iloc[0] == found.columns[0]


def test_repr_is_short(two):
    plain, crossed, table, y = two
    found = ModelComparison.from_models({"plain": plain, "crossed": crossed}, table, y)
    assert repr(found).startswith(f"<ModelComparison: {found.verdict}; plain {found.scores[0]:.4g} and crossed ")
    assert len(repr(found)) < 120


def test_display(two):
    plain, crossed, table, y = two
    found = ModelComparison.from_models({"plain": plain, "crossed": crossed}, table, y)
    display = ComparisonDisplay.from_comparison(found)
    assert display.plot() is display
    display.plot(display.ax_)  # twice on one axes
    for points, key in zip(display.points_, ("first", "second"), strict=True):
        assert points.get_offsets()[:, 0].tolist() == [row[key] for row in found.changes]
    assert display.ax_.get_title(loc="left") == found.verdict
    display.figure_.savefig(io.BytesIO())  # names with a dollar sign are no formulas
    assert display.frame()["column"].tolist() == [row["column"] for row in found.changes]
    mpl.pyplot.close("all")


def test_probabilities(two):
    _, _, table, y = two
    labels = np.where(y > 2, "yes", "no")
    models = {
        name: make_pipeline(FeatureCross(crosses=crosses), LogisticRegression()).fit(table, labels)
        for name, crosses in (("plain", []), ("crossed", [("a", "b")]))
    }
    found = ModelComparison.from_models(models, table, labels)
    z, rate = labels == "yes", np.mean(labels == "yes")
    null = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    for score, model in zip(found.scores, models.values(), strict=True):
        p = model.predict_proba(table)[:, 1]
        assert np.isclose(score, 1 + np.mean(np.where(z, np.log(p), np.log1p(-p))) / null)
    assert "deviance explained" in found.to_text()


@pytest.mark.parametrize("weighted", [False, True])
def test_several_classes(two, weighted):
    """The log-loss of scikit-learn, against that of the shares of the classes; weights are named by class."""
    *_, table, y = two
    label = np.array(["low", "mid", "top"])[np.digitize(y, [1.0, 2.5])]
    s = np.random.default_rng(1).integers(1, 4, y.size).astype(float) if weighted else None
    models = {
        name: make_pipeline(FeatureCross(crosses=crosses), S.LogisticRegression(C=C, l1_ratio=1.0)).fit(table, label)
        for name, crosses, C in (("plain", [], 0.05), ("crossed", [("a", "b")], 1.0))
    }
    found = ModelComparison.from_models(models, table, label, s)
    losses = [log_loss(label, model.predict_proba(table), sample_weight=s) for model in models.values()]
    shares = np.average(label[:, None] == ["low", "mid", "top"], axis=0, weights=s)
    null = log_loss(label, np.tile(shares, (y.size, 1)), sample_weight=s)
    np.testing.assert_allclose(found.scores, 1 - np.array(losses) / null, rtol=1e-9)
    assert (found.loss, found.verdict) == ("multinomial", "crossed predicts better")
    assert found.columns == tuple(model[-1].sparse_coef_.nnz for model in models.values())
    assert {row["column"].split(": ")[0] for row in found.changes} <= {"low", "mid", "top"}
    p, q = (model.predict_proba(table) for model in models.values())
    assert found.quantiles[0.5] == pytest.approx(np.median(q - p), abs=1e-12)
    assert "deviance explained on 200 rows" in found.to_text()
    assert ComparisonDisplay.from_comparison(found).plot().figure_ is not None


def test_refusals(two):
    plain, crossed, table, y = two
    models = {"plain": plain, "crossed": crossed}
    logistic = make_pipeline(FeatureCross(), LogisticRegression()).fit(table, y > 2)
    hashed = make_pipeline(FeatureCross(hashed=8), S.Lasso(0.1)).fit(table, y)
    classes = make_pipeline(FeatureCross(), S.LogisticRegression(C=0.1)).fit(table, np.digitize(y, [1, 2]))
    classes_2 = make_pipeline(FeatureCross(), S.LogisticRegression(C=0.1)).fit(table, 1 + np.digitize(y, [1, 2]))
    targets = make_pipeline(FeatureCross(), S.MultiTaskLasso(0.1)).fit(table, np.c_[y, -y])
    for arguments, words in (
        (({"a": classes, "b": plain}, table, y), "compare models of one kind"),
        (({"a": classes, "b": classes_2}, table, y), "the classes \\[0, 1, 2\\] and \\[1, 2, 3\\]"),
        (({"a": classes, "b": classes}, table, np.full(y.size, 7)), "y holds 7, which is not one"),
        (({"a": plain, "b": targets}, table, y), "models\\['b'\\] has 2 outputs; compare models of one target"),
        (({"a": plain}, table, y), "a comparison is of two"),
        ((models, table, y[:5]), "shape"),
        ((models, table, np.full(y.size, 3.0)), "the same in all rows"),
        ((models, table, np.full(y.size, np.nan)), "missing or infinite"),
        ((models, table, np.full(y.size, "x")), "neither numbers"),
        ((models, table, y, -np.ones(y.size)), "sample_weight"),
        (({"a": plain, "b": logistic}, table, y), "one kind"),
        (({"a": plain, "b": hashed}, table, y), "models\\['b'\\] cannot be compared.*hashed=8"),
    ):
        with pytest.raises(ValueError, match=words):
            ModelComparison.from_models(*arguments)


def test_command_line(tmp_path):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"a": rng.choice(["01", "1", "x"], 500), "b": rng.integers(0, 3, 500)})
    table["y"] = 2.0 * ((table["a"] == "01") & (table["b"] == 1)) + 0.5 * rng.normal(size=500)
    file, one, two, compact = (str(tmp_path / name) for name in ("d.csv", "one.npz", "two.npz", "two.json"))
    table.to_csv(file, index=False)
    run = CliRunner().invoke
    assert run(cli, ["fit", file, "--target", "y", "--design", "main", "--model", one]).exit_code == 0
    assert run(cli, ["fit", file, "--target", "y", "--cross", "a,b", "--model", two]).exit_code == 0
    assert run(cli, ["export", two, "--out", compact]).exit_code == 0
    found = run(cli, ["compare", one, two, file])
    assert found.exit_code == 0, found.output
    assert found.output.startswith("two.npz predicts better")
    same = run(cli, ["compare", one, compact, file]).output
    assert same.splitlines()[0] == found.output.splitlines()[0].replace("two.npz", "two.json")
    table.to_parquet(tmp_path / "d.parquet")
    parquet = run(cli, ["compare", one, two, str(tmp_path / "d.parquet"), "--target", "y"])
    assert parquet.output.splitlines()[0] == found.output.splitlines()[0]
    assert "<table>" in run(cli, ["compare", one, two, file, "--html"]).output
    kinds = table.assign(y=np.array(["u", "v", "w"])[np.digitize(table["y"], [0.0, 1.0])])
    for name, how in (("one", "--design main"), ("two", "--cross a,b")):
        kinds.to_csv(tmp_path / "k.csv", index=False)
        fit = ["fit", str(tmp_path / "k.csv"), "--target", "y", *how.split(), "--validate", "0.3"]
        assert run(cli, [*fit, "--model", str(tmp_path / f"k{name}.npz")]).exit_code == 0
    of_classes = run(cli, ["compare", str(tmp_path / "kone.npz"), str(tmp_path / "ktwo.npz"), str(tmp_path / "k.csv")])
    assert of_classes.exit_code == 0, of_classes.output
    assert "deviance explained on 500 rows" in of_classes.output
    for arguments, words in (
        (["compare", one, one, file], "twice"),
        (["compare", one, two, file, "--target", "z"], "'z'"),
    ):
        refused = run(cli, arguments)
        assert refused.exit_code == 1
        assert words in refused.output
