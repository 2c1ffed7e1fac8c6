"""The HTML report in a browser: nothing overlaps, overflows or scrolls, every text is legible, paper has few pages.

Takes playwright, and a chromium that is installed (it downloads none); skipped without.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_cli import succeed

from sparsereg import FeatureCross, Quantiles, SparsityReport, Width, regularization_path
from sparsereg.report.html import along

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("there is no chromium here: apt-get install chromium", allow_module_level=True)

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WIDTHS, SCHEMES = (390, 820, 1400), ("light", "dark")
LOOK = (Path(__file__).parent / "readers" / "look.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def look(browser, page, width, scheme="light"):
    """What `look.js` finds, and the requests beyond the page itself."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab, requests = context.new_page(), []
    tab.on("request", lambda request: requests.append(request.url))
    tab.set_content(page)
    found = tab.evaluate(LOOK)
    if folder := os.environ.get("SPARSEREG_SCREENSHOTS"):
        tab.screenshot(path=Path(folder) / f"report-{width}-{scheme}.png", full_page=True)
    context.close()
    return found | {"requests": [url for url in requests if not url.startswith(("about:", "data:"))]}


def places(n, seed):
    rng = np.random.default_rng(seed)
    kinds = ["near the ocean and its beaches", "inland", "<1H OCEAN", "island"]
    table = pd.DataFrame({"lat": 33 + 3 * rng.random(n), "lon": -118 + 2 * rng.random(n)})
    table["kind"], table["median_income"] = rng.choice(kinds, n), rng.gamma(2.0, 2.0, n)
    near = (table["lat"] > 34.5) * (table["lon"] > -117)
    return table, (near + (table["kind"] == "inland") - table["median_income"] / 4 + rng.normal(size=n) / 2).to_numpy()


@pytest.fixture(scope="module")
def report():
    (table, y), (others, y_val) = places(4000, 0), places(1000, 1)
    cross = FeatureCross(
        fields=["lat", "lon", "kind", "median_income"],
        bins={"lat": Width("1/10"), "lon": Width("1/10"), "median_income": Quantiles(20)},
        crosses=[("lat", "lon"), ("kind", "median_income"), ("lat", "kind")],
    )
    X = cross.fit_transform(table)
    path = regularization_path(X, y, alphas=60, eps=1e-3)
    return SparsityReport.from_path(
        path, cross, X=X, y=y, X_val=cross.transform(others), y_val=y_val, title="Places",
        target="the logarithm of the median house value",
    )  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_looks(browser, report, width, scheme):
    found = look(browser, report.to_html(), width, scheme)
    assert found == {"overflow": False, "small": [], "scroll": [], "overlap": [], "faint": [], "requests": []}


def test_marks_anywhere_leave_the_names_of_axes_free(browser, report):
    content = {name: getattr(report, name) for name in report.__dataclass_fields__}
    for point, one_se in ((59, 58), (20, 8), (3, 1), (30, 29), (45, 20)):
        page = SparsityReport(**content | {"point": point, "one_se": one_se}).to_html()
        for width in (390, 1400):
            assert look(browser, page, width)["overlap"] == []


def test_long_and_hostile_names_fit(browser, report):
    names = ["w" * 300, "a<b>&c", "\u05e9\u05dc\u05d5\u05dd " * 20, "\U0001f600" * 40]
    columns = [row | {"label": names[k % 4]} for k, row in enumerate(report.columns)]
    lines = [row | {"label": names[k % 4]} for k, row in enumerate(report.lines)]
    blocks = [row | {"label": names[k % 4]} for k, row in enumerate(report.blocks)]
    content = report.to_dict() | {"columns": columns, "lines": lines, "blocks": blocks, "title": "m" * 200}
    content = {name: content[name] for name in report.__dataclass_fields__}
    for width in (390, 1400):
        found = look(browser, SparsityReport(**content).to_html(), width)
        assert (found["overflow"], found["overlap"], found["requests"]) == (False, [], [])


def test_names_that_are_too_close_are_found(browser, report, monkeypatch):
    """The test of overlaps can fail."""
    monkeypatch.setattr(along, "SPACING", 8.0)
    assert look(browser, report.to_html(), 1400)["overlap"]


def pages_of(browser, page, file):
    """Pages on A4."""
    tab = browser.new_page()
    tab.set_content(page)
    tab.pdf(path=file, format="A4", print_background=True, prefer_css_page_size=True)
    tab.close()
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", file.read_bytes()))


def test_paper(browser, report, tmp_path):
    assert 1 <= pages_of(browser, report.to_html(), tmp_path / "r.pdf") <= 8


def test_a_report_with_every_section_on_screens_and_paper(browser, real_data, tmp_path):
    """House values in California: a map with insets, ridge beside the lasso, failed checks with remedies."""
    file, page = real_data / "california_housing.csv.gz", tmp_path / "r.html"
    bins = "--bin latitude=1/60 --bin longitude=1/60 --cross latitude,longitude"
    how = f"--target median_house_value --log-target {bins} --validate 0.2 --eps 2e-4 --html"
    succeed(f"fit {file} {how} {page}")
    text = page.read_text(encoding="utf-8")
    for width in WIDTHS:
        found = look(browser, text, width)
        assert found == {"overflow": False, "small": [], "scroll": [], "overlap": [], "faint": [], "requests": []}
    assert {*re.findall(r'<section id="(\w+)"', text)} >= {"map", "weights", "panels", "columns", "certificates"}
    assert 1 <= pages_of(browser, text, tmp_path / "r.pdf") <= 8
