"""What a reader of a report finds first: answers, effects in per cent, bins in words, insets of the map, remedies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from test_cli import succeed

from sparsereg import FeatureCross, SparsityReport, Width, load_model, regularization_path
from sparsereg.report.answers import answers


@pytest.fixture(scope="module")
def places():
    """Most rows in two dense places of a wide map of fine cells."""
    rng = np.random.default_rng(0)
    n = 12_000
    centre = np.where(rng.random((n, 1)) < 0.5, [[33.9, -118.2]], [[37.7, -122.3]])
    spread = np.where(rng.random((n, 1)) < 0.8, 0.15, 2.0)
    table = pd.DataFrame(centre + spread * rng.normal(size=(n, 2)), columns=["lat", "lon"])
    y = np.exp(0.3 * (table["lat"] > 35) + 0.2 * (table["lon"] > -118.2) + 0.1 * rng.normal(size=n)).to_numpy()
    bins = dict.fromkeys(["lat", "lon"], Width("1/60"))
    cross = FeatureCross(bins=bins, crosses=[("lat", "lon")])
    X = cross.fit_transform(table[:10_000])
    path = regularization_path(X, np.log(y[:10_000]), alphas=25, eps=1e-2)
    rows = {"X": X, "y": np.log(y[:10_000]), "X_val": cross.transform(table[10_000:]), "y_val": np.log(y[10_000:])}
    return path, cross, rows


def test_answers_follow_the_checks(places):
    path, cross, rows = places
    report = SparsityReport.from_path(path, cross, **rows, target="price")
    found = dict(answers(report))
    assert list(found) == ["What matters?", "Can I trust it?", "What to ship?"]
    largest = max(report.blocks, key=lambda block: abs(block["variance_share"]))
    assert found["What matters?"].startswith(largest["label"])
    assert found["What to ship?"][:20] in report.to_html()
    assert f"oint {report.point} of the path" in found["What to ship?"]
    failed = [check["id"] for check in report.checks if not check["passed"]]
    assert found["Can I trust it?"].startswith(
        "Its predictions, with care: " if failed else "Its predictions, yes, for rows like these: "
    )
    assert ("a few rows" in found["Can I trust it?"]) == ("support" in failed)
    assert ("with care" in found["Can I trust it?"]) == bool(failed)

    def with_failed(name):
        checks = [check | {"passed": check["id"] != name} for check in report.checks]
        return dict(answers(replace(report, checks=checks)))

    assert with_failed("predicts")["Can I trust it?"].startswith("No: ")
    assert (
        with_failed("outliers")["Can I trust it?"]
        == "Not yet: Outliers failed; what to do is written beside each check."
    )
    assert with_failed("outliers")["What to ship?"] == "Nothing before Outliers is put right."
    both = [check | {"passed": check["id"] not in ("outliers", "coverage")} for check in report.checks]
    both = dict(answers(replace(report, checks=both)))["What to ship?"]
    assert both == "Nothing before Outliers is put right, then look at Coverage."
    assert with_failed("strength")["What to ship?"].startswith("Not yet: fit again with a weaker penalty")
    unseen = dict(answers(SparsityReport.from_path(path, cross)))
    assert "No rows were held out" in unseen["Can I trust it?"]
    assert unseen["What to ship?"].startswith("Nothing before")
    assert dict(answers(SparsityReport.from_path(path, cross, 0)))["What matters?"].startswith("No column")


def test_a_model_that_explains_next_to_nothing_is_not_called_good(places):
    path, cross, rows = places
    report = SparsityReport.from_path(path, cross, **rows)
    points = [dict(row) for row in report.path]
    points[report.point]["held"] = 0.0003
    for name, words in (("", "There is little to trust: it explains 0.03%"), ("outliers", "which is next to nothing")):
        checks = [check | {"passed": check["id"] != name} for check in report.checks]
        assert words in dict(answers(replace(report, path=points, checks=checks)))["Can I trust it?"]


def test_answers_name_all_that_matters(places):
    """Crosses are named also where others carry more, with what a share below zero means; and a better reference is."""
    path, cross, rows = places
    report = SparsityReport.from_path(path, cross, **rows)
    shares = zip(report.blocks, (0.7, 0.35, -0.05), strict=True)
    report = replace(report, blocks=[block | {"variance_share": share, "n_nonzero": 1} for block, share in shares])
    matters = dict(answers(report))["What matters?"]
    assert matters.startswith("lat 70.0%, lon 35.0%, lat \u00d7 lon -5.0% of the variance of the predictions.")
    assert "A share below zero takes back a part of what the others say" in matters
    extra = [report.blocks[0] | {"label": "kind", "variance_share": 0.2}]
    matters = dict(answers(replace(report, blocks=extra + report.blocks)))["What matters?"]
    assert "Of the crosses: lat \u00d7 lon -5.0%." in matters
    held = report.path[report.point]["held"]
    for gain, named in ((0.05, True), (0.0, False)):
        ridge = {"name": "ridge", "point": None, "held": held + gain, "n_nonzero": 7}
        assert (
            "Ridge, which keeps 7 columns, explains more"
            in dict(answers(replace(report, histograms=[ridge])))["What to ship?"]
        ) == named


def test_bins_are_named_in_words(places):
    path, cross, rows = places
    report = SparsityReport.from_path(path, cross, **rows)
    for row in report.columns:
        words = [part.split("=")[1].removeprefix("[").removesuffix(")").split(",") for part in row["name"].split(" x ")]
        assert row["label"].endswith(" \u00d7 ".join(f"{name} {low} to {high}" for name, (low, high) in
                                                     zip(row["block"].split(" x "), words, strict=True)))  # fmt: skip
    text = FeatureCross().fit(pd.DataFrame({"a": ["[1,2)", "b"] * 5}))
    odd = regularization_path(text.transform(pd.DataFrame({"a": ["[1,2)", "b"] * 5})), [1.0, 2.0] * 5, alphas=3)
    assert "[1,2)" in {row["label"].removeprefix("a ") for row in SparsityReport.from_path(odd, text).columns}


def test_the_map_has_insets_of_the_dense_places(places):
    path, cross, rows = places
    report = SparsityReport.from_path(path, cross, **rows)
    assert report.map["joined"] > 1
    centres = []
    for inset in report.map["insets"]:
        cells = np.array(inset["cells"])
        assert inset["joined"] < report.map["joined"]
        assert len(cells) <= 700
        centres.append((cells[:, 2:4].mean(), cells[:, :2].mean()))
    assert len(centres) == 2
    for lat, lon in ((33.9, -118.2), (37.7, -122.3)):
        assert min(abs(a - lat) + abs(b - lon) for a, b in centres) < 0.5
    page = report.to_html()
    assert page.count('class="inset"') == 2
    assert "A: lat 3" in page


def test_effects_of_log_links_are_shares():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.choice(list("abc"), 2000)})
    cross = FeatureCross().fit(table)
    X = cross.transform(table)
    y = rng.poisson(np.where(table["a"] == "a", 4.0, 2.0))
    for loss, target, on in (("poisson", y, "prediction"), ("logistic", (y > 2) * 1.0, "odds"), ("squared", y, None)):
        report = SparsityReport.from_path(regularization_path(X, target, loss=loss, alphas=5), cross)
        row = report.columns[0]
        assert row.get("effect_on") == on
        if on is not None:
            assert row["effect"] == pytest.approx(np.expm1(row["coefficient"]))
            assert f"effect on the {on}" in report.to_html()


def test_remedies_are_options_and_ridge_stands_beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 40, 1500), rng.integers(0, 30, 1500)
    y = rng.normal(size=40)[a] + rng.normal(size=30)[b] + 0.1 * rng.normal(size=1500)
    pl.DataFrame({"a": a, "b": b, "y": y}).write_csv("t.csv")
    fit = "fit t.csv --target y --cross a,b --alphas 12 --eps 0.3"
    for how in ("--validate 0.2", "--folds 3"):
        text = " ".join(succeed(f"{fit} {how} --model m.npz --html r.html").stdout.split())
        assert "Fit again with --eps 0.03, so that the path goes on." in text
        histograms = load_model("m.npz").meta["histograms"]
        assert [row["name"].split(",")[0] for row in histograms] == ["ridge", "chosen"]
        assert (histograms[0]["held"] is None) == ("folds" in how)
        assert histograms[0]["n_zero"] == 0
        assert "ridge, alpha" in succeed("report m.npz --json").stdout
    succeed(f"{fit} --validate 0.2 --model m.npz")
    assert "histograms" not in load_model("m.npz").meta
