"""The HTML report says what the report holds: its elements are parsed and measured against the numbers."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from sparsereg import FeatureCross, Lasso, Ridge, SparsityReport, Width, regularization_path
from sparsereg.report.html.drawing import apart
from sparsereg.report.html.elements import prose, shortened
from sparsereg.report.html.panels import map_classes
from sparsereg.report.html.scales import Scale, linear_ticks, log_ticks, tick_text

html5lib = pytest.importorskip("html5lib", reason="html5lib parses the pages: pip install sparsereg[test]")
SVG = "{http://www.w3.org/2000/svg}"
HTML = "{http://www.w3.org/1999/xhtml}"


def places(n, seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"lat": 34 + rng.random(n), "lon": -118 + rng.random(n)})
    table["kind"], table["size"] = rng.choice(["a", "b", "c"], n), rng.random(n)
    y = 2 * (table["lat"] > 34.5) * (table["lon"] > -117.5) + (table["kind"] == "a") + rng.normal(size=n) * 0.5
    return table, y.to_numpy()


@pytest.fixture(scope="module")
def report():
    table, y = places(1500, 0)
    others, y_val = places(500, 1)
    cross = FeatureCross(
        fields=["lat", "lon", "kind", "size"],
        bins={"lat": Width(0.1), "lon": Width(0.1)},
        crosses=[("lat", "lon"), ("lat", "kind")],
        numeric=["size"],
    )
    X = cross.fit_transform(table)
    path = regularization_path(X, y, alphas=30, eps=1e-3, tol=1e-7)
    return SparsityReport.from_path(
        path, cross, X=X, y=y, X_val=cross.transform(others), y_val=y_val, title="Places", target="price",
        labels={"lat": "latitude"}, references={"ridge": Ridge().fit(X, y)},
    )  # fmt: skip


def parsed(page):
    return html5lib.HTMLParser(strict=True).parse(page)


def charts(document, section, kind):
    (node,) = [part for part in document.iter(f"{HTML}section") if part.get("id") == section]
    (chart,) = [svg for svg in node.iter(f"{SVG}svg") if kind in svg.get("class").split()]
    return chart


def paths(chart, cls):
    return [path for path in chart.iter(f"{SVG}path") if cls in (path.get("class") or "").split()]


def points(path):
    return np.array([[float(x) for x in pair.split()] for pair in re.split("[ML]", path.get("d").rstrip("Z"))[1:]])


def text_of(node):
    return "".join(node.itertext())


def test_the_page_is_valid_small_and_asks_for_nothing(report):
    page = report.to_html()
    document = parsed(page)
    assert len(page.encode()) <= 500_000
    assert sum(1 for _ in document.iter()) <= 3000
    tags = {node.tag.split("}")[-1] for node in document.iter() if isinstance(node.tag, str)}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert not re.search(r"https?://|url\(|@import|javascript:", page)
    assert not [name for node in document.iter() for name in node.attrib if name.startswith("on")]
    headings = [text_of(node) for node in document.iter(f"{HTML}h2")]
    assert headings == [
        "How strong should the penalty be?", "Which columns enter, and when?", "Too strong, chosen, too weak",
        "Where is the information?", "What can be quoted?", "Does the geography make sense?",
        "What does the penalty do?", "Could a dropped column belong?", "The path in numbers", "What this does not say",
    ]  # fmt: skip
    assert text_of(next(document.iter(f"{HTML}h1"))) == "Places"
    assert all(svg.get("aria-label") for svg in document.iter(f"{SVG}svg"))


@pytest.mark.parametrize("kind", ["wide", "narrow"])
def test_lines_end_at_their_weights(report, kind):
    chart = charts(parsed(report.to_html()), "lines", kind)
    lines = paths(chart, "pa")
    assert len(lines) == min(12, report.path[report.point]["n_nonzero"])
    assert len(paths(chart, "faint")) == len(report.faint)
    # The axis, from two of its ticks.
    grid = sorted(points(path)[0, 1] for path in paths(chart, "grid"))
    ticks = sorted((float(text.text.replace("\u2212", "-")) for text in chart.iter(f"{SVG}text")
                    if text.get("class") == "tick end"), reverse=True)  # fmt: skip
    scale = Scale(ticks[0], ticks[-1], grid[0], grid[-1])
    for path, line in zip(lines, report.lines, strict=True):
        assert int(path.get("data-column")) == line["column"]
        found = points(path)
        assert found[-1, 1] == pytest.approx(scale(line["values"][-1]), abs=0.15)
        shown = line["values"][max(line["enters"] - 1, 0) :]
        np.testing.assert_allclose(found[:, 1], [scale(value) for value in shown], atol=0.15)
    names = [text_of(text) for text in chart.iter(f"{SVG}text") if "label" in (text.get("class") or "").split()]
    expected = [str(k) for k in range(1, 13)] if kind == "narrow" else [shortened(x["label"], 31) for x in report.lines]
    assert names == expected


@pytest.mark.parametrize("section", ["strength", "lines"])
def test_marks_stand_at_their_strengths(report, section):
    chart = charts(parsed(report.to_html()), section, "wide")
    base = next(points(path) for path in paths(chart, "base") if points(path)[0, 1] == points(path)[1, 1]
                and points(path)[0, 1] > 300)  # fmt: skip
    alphas = [row["alpha"] for row in report.path]
    scale = Scale(alphas[0], alphas[-1], base[0, 0], base[1, 0], log=True)
    assert points(paths(chart, "chosen-line")[0])[0, 0] == pytest.approx(scale(alphas[report.point]), abs=0.1)
    assert report.one_se < report.point
    assert points(paths(chart, "one-se")[0])[0, 0] == pytest.approx(scale(alphas[report.one_se]), abs=0.1)


def test_areas_sum_to_all_columns(report):
    chart = charts(parsed(report.to_html()), "certificates", "wide")
    zero, undecided, active = (points(paths(chart, f"area-{name}")[0]) for name in ("zero", "open", "active"))
    n = zero.shape[0] // 2
    np.testing.assert_array_equal(zero[n:][::-1], undecided[:n])
    np.testing.assert_array_equal(undecided[n:][::-1], active[:n])
    height = active[n:, 1].max() - zero[:n, 1].min()
    decided = [row for row in report.path if row["undecided"] is not None]
    expected = [row["n_nonzero"] / report.n_columns * height for row in decided]
    np.testing.assert_allclose(active[n:][::-1, 1] - active[:n, 1], expected, atol=0.11)
    for row in decided:
        assert row["n_nonzero"] + row["undecided"] + row["proved_zero"] == report.n_columns


def test_bars_are_proportional(report):
    document = parsed(report.to_html())
    (node,) = [part for part in document.iter(f"{HTML}section") if part.get("id") == "blocks"]
    widths = [float(i.get("style").split(":")[1].rstrip("%")) for i in node.iter(f"{HTML}i")]
    shares = sorted((abs(block["variance_share"]), block["variance_share"]) for block in report.blocks)
    ordered = sorted((block["variance_share"] for block in report.blocks), reverse=True)
    np.testing.assert_allclose(widths, [100 * abs(share) / shares[-1][0] for share in ordered], atol=0.06)
    (node,) = [part for part in document.iter(f"{HTML}section") if part.get("id") == "columns"]
    rows = list(next(node.iter(f"{HTML}tbody")).iter(f"{HTML}tr"))
    assert len(rows) == len(report.columns)
    most = max(abs(row["coefficient"]) for row in report.columns)
    for row, column in zip(rows, report.columns, strict=True):
        bar = next(row.iter(f"{HTML}i"))
        left, width = (float(x) for x in re.findall(r":([\d.]+)%", bar.get("style")))
        assert width == pytest.approx(50 * abs(column["coefficient"]) / most, abs=0.06)
        assert left == pytest.approx(50 if column["coefficient"] > 0 else 50 - width, abs=0.11)
        assert ("few rows" in text_of(row)) == (column["rows"] < 5)
        assert f"{column['rows']:,}" in text_of(row)


def test_the_map_has_all_observed_cells(report):
    chart = charts(parsed(report.to_html()), "map", "map")
    assert report.map["joined"] == 1
    assert len(report.map["cells"]) == next(b["n_observed"] for b in report.blocks if b["name"] == "lat x lon")
    assert sum(path.get("d", "").count("M") for path in paths(chart, "cell")) == len(report.map["cells"])
    mean, bounds = map_classes(report)
    counts = np.bincount(np.searchsorted(bounds, [cell[4] - mean for cell in report.map["cells"]]), minlength=9)
    assert [path.get("d", "").count("M") for path in paths(chart, "cell")] == counts.tolist()
    assert len(html5lib.serialize(chart)) <= 150_000


def test_map_values_are_sums_of_weights():
    """Against the predictions of a table of the cells' centres."""
    from sparsereg.report.weight_map import weight_map

    table, y = places(2000, 3)
    cross = FeatureCross(fields=["lat", "lon"], bins={"lat": Width(0.1), "lon": Width(0.2)}, crosses=[("lat", "lon")])
    path = regularization_path(cross.fit_transform(table), y, alphas=5)
    found = weight_map(cross, *path.point(-1))
    cells = np.array(found["cells"])
    centres = pd.DataFrame({"lat": cells[:, 2:4].mean(axis=1), "lon": cells[:, :2].mean(axis=1)})
    expected = path.predict(cross.transform(centres)) - path.intercepts[-1]
    np.testing.assert_allclose(cells[:, 4], expected, atol=1e-6)
    assert cells[:, 5].sum() == 2000
    with pytest.raises(ValueError, match="are not a cross of two ordered fields"):
        weight_map(cross, *path.point(-1), fields=("lat", "kind"))


def test_zero_bars_count_the_exact_zeros(report):
    chart = charts(parsed(report.to_html()), "weights", "wide")
    assert [row["name"] for row in report.histograms] == ["ridge", "chosen"]
    chosen = report.histograms[-1]
    assert chosen["n_zero"] == report.n_columns - report.path[report.point]["n_nonzero"]
    assert sum(chosen["counts"]) + chosen["n_beyond"] == chosen["n_nonzero"]
    assert len(paths(chart, "zero-bar")) == sum(row["n_zero"] > 0 for row in report.histograms)
    assert f"{chosen['n_zero']:,} exactly zero" in text_of(chart)


HOSTILE = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "line\nbreak\tand\x00null",
    "\u05e9\u05dc\u05d5\u05dd",
    "\u202eoverride", "z" * 300, "\U0001f600 &amp; &lt;", "a]]>b", "--></style><b>", "' onload='x", "\ud800",
]  # fmt: skip


def test_hostile_names_stay_text(report):
    columns = [row | {"label": name, "name": name} for row, name in zip(report.columns, HOSTILE, strict=False)]
    lines = [line | {"label": name, "block": name} for line, name in zip(report.lines, HOSTILE, strict=False)]
    blocks = [block | {"label": name} for block, name in zip(report.blocks, HOSTILE, strict=False)]
    for name in HOSTILE:
        changed = dataclasses.replace(
            report, columns=columns, lines=lines, blocks=blocks, title=name, target=name,
            verdict=f"1 of {name}", provenance=report.provenance | {"cross": name},
        )  # fmt: skip
        page = changed.to_html()
        page.encode()
        document = parsed(page)
        assert not list(document.iter(f"{HTML}script")) + list(document.iter(f"{HTML}img"))
        assert sum(1 for _ in document.iter(f"{HTML}style")) == 1
        assert not [key for node in document.iter() for key in node.attrib if key.startswith("on")]
        words = text_of(next(document.iter(f"{HTML}table")))
        assert "zzz\u2026zzz" in words
        if name.isprintable():
            assert name in text_of(next(document.iter(f"{HTML}h1")))
    assert "<script>alert(1)</script>" in text_of(document)
    assert "\u202e" not in page


def small_reports():
    rng = np.random.default_rng(0)
    X = (rng.random((80, 6)) < 0.3) * 1.0
    y = X[:, 0] * 3 + rng.normal(size=80)
    path = regularization_path(X, y, alphas=8)
    one = regularization_path(X, y, alphas=[0.2])
    loose = dataclasses.replace(path, dual_gaps=path.dual_gaps + 1.0)
    table = pd.DataFrame({"a": rng.integers(0, 5, 80)})
    cross = FeatureCross(fields=["a"]).fit(table)
    ridge = Ridge(alpha=[1.0, 2.0]).fit(X, np.column_stack([y, -y]))
    return {
        "no survivor": SparsityReport.from_path(path, k=0),
        "one survivor": SparsityReport.from_path(path, k=1, X=X, y=y, X_val=X, y_val=y),
        "one point": SparsityReport.from_path(one, X=X, y=y, X_val=X, y_val=y),
        "all zero": SparsityReport.from_path(regularization_path(X, y, alphas=[9.0, 8.0]), X=X, y=y, X_val=X, y_val=y),
        "constant target": SparsityReport.from_path(regularization_path(X, np.ones(80), alphas=4), X=X, y=np.ones(80),
                                                    X_val=X, y_val=np.ones(80)),
        "uncertified": SparsityReport.from_path(loose, X=X, y=y),
        "no data": SparsityReport.from_path(path),
        "several targets": SparsityReport.from_estimator(ridge),
        "lasso": SparsityReport.from_estimator(Lasso(0.1).fit(X, y)),
        "ridge with rows": SparsityReport.from_estimator(Ridge().fit(X, y), X=X, y=y, X_val=X, y_val=y),
        "constant columns": SparsityReport.from_path(
            regularization_path(cross.transform(table), rng.normal(size=80), alphas=3), cross),
        "logistic": SparsityReport.from_path(regularization_path(X, (y > 1) * 1.0, loss="logistic", alphas=6), X=X,
                                             y=(y > 1) * 1.0, X_val=X, y_val=(y > 1) * 1.0),
        "poisson": SparsityReport.from_path(
            regularization_path(X, rng.poisson(1, 80) * 1.0, loss="poisson", alphas=6),
            X_val=X, y_val=rng.poisson(1, 80)),
    }  # fmt: skip


@pytest.fixture(scope="module")
def small():
    return small_reports()


@pytest.mark.parametrize(
    "name",
    [
        "no survivor", "one survivor", "one point", "all zero", "constant target", "uncertified", "no data",
        "several targets", "lasso", "ridge with rows", "constant columns", "logistic", "poisson",
    ],
)  # fmt: skip
def test_reports_of_little(small, name):
    """A section without data is left out; what is drawn has numbers."""
    page = small[name].to_html()
    document = parsed(page)
    assert not re.search(r"\bnan\b|\binf\b|None", page.split("</style>")[1])
    assert max(map(len, small[name].to_text(width=80).splitlines())) <= 80
    sections = {part.get("id") for part in document.iter(f"{HTML}section")}
    assert {"numbers", "limits"} <= sections
    assert ("strength" in sections) == (len(small[name].path) > 1 and name != "several targets")
    assert ("panels" in sections) == bool(small[name].panels)
    assert SparsityReport.from_json(small[name].to_json()).to_html() == page
    failed = [check["id"] for check in small[name].checks if not check["passed"]]
    if name == "uncertified":
        assert failed[0] == "certified"
        assert "missed the duality gap" in page


def test_notebooks_get_a_frame(report):
    document = html5lib.HTMLParser(strict=True).parseFragment(report._repr_html_())
    (frame,) = list(document.iter(f"{HTML}iframe"))
    assert "sandbox" in frame.attrib
    assert frame.get("srcdoc") == report.to_html()


def test_saved_whole(report, tmp_path):
    report.save_html(tmp_path / "r.html", title="Another")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page == report.to_html(title="Another")
    assert [file.name for file in tmp_path.iterdir()] == ["r.html"]


def test_positions_apart():
    rng = np.random.default_rng(0)
    for _ in range(50):
        wanted = rng.random(rng.integers(1, 13)) * 100
        found = np.array(apart(wanted, 15.0, 0.0, 200.0))
        assert (np.diff(np.sort(found)) >= 15 - 1e-9).all()
        assert found.min() >= 0
        assert found.max() <= 200
        np.testing.assert_array_equal(np.argsort(found), np.argsort(wanted))
    np.testing.assert_allclose(apart([10.0, 50.0], 15.0, 0.0, 100.0), [10.0, 50.0])
    np.testing.assert_allclose(apart([50.0, 50.0], 15.0, 0.0, 100.0), [42.5, 57.5])


def test_ticks_and_words():
    assert [tick_text(tick) for tick in (0, 0.5, 1e-4, 2000, 3e6, -0.25)] == [
        "0", "0.5", "10\u207b\u2074", "2k", "3M", "\u22120.25",
    ]  # fmt: skip
    assert linear_ticks(0.0, 1.0, 4) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert linear_ticks(3.0, 3.0) == [3.0]
    assert log_ticks(1e-5, 1.0, 6) == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert log_ticks(0.2, 0.4) == pytest.approx([0.2])
    assert prose("R2 -2.5 at 3e-05, 1e-06 and 50% of x-1") == (
        "R\u00b2 \u22122.5 at 3\u00d710\u207b\u2075, 10\u207b\u2076 and 50\u202f% of x-1"
    )


def test_gaps_have_the_unit_of_their_loss():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    for loss, y, unit in (
        ("squared", X[:, 0] + rng.normal(size=200), "duality gap, share of the mean square"),
        ("poisson", rng.poisson(np.exp(X[:, 0] / 2)).astype(float), "duality gap, share of the null model's loss"),
    ):
        page = SparsityReport.from_path(regularization_path(X, y, loss=loss, alphas=6)).to_html()
        assert page.count(unit) == 2  # the wide drawing and the narrow one
