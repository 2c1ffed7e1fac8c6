"""Displays draw what they hold: the data of their artists, twice on one axes, and from every source."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_poisson_deviance

from sparsereg import (
    ElasticNet,
    FeatureCross,
    Lasso,
    LassoCV,
    Ridge,
    RidgeCV,
    SparsityReport,
    Width,
    cross_validate_path,
    load_model,
    regularization_path,
    save_model,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plot = pytest.importorskip("sparsereg.plot")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    n = 800
    table = pd.DataFrame({"lat": 34 + rng.random(n), "lon": rng.random(n), "kind": rng.choice(["a", "b", "$c_d$"], n)})
    y = (2 * (table["lat"] > 34.5) * (table["lon"] > 0.5) + (table["kind"] == "a") + rng.normal(size=n) / 2).to_numpy()
    cross = FeatureCross(
        fields=["lat", "lon", "kind"], bins={"lat": Width(0.1), "lon": Width(0.1)}, crosses=[("lat", "lon")]
    )
    X = cross.fit(table[:600]).transform(table)
    path = regularization_path(X[:600], y[:600], alphas=20, eps=1e-3)
    report = SparsityReport.from_path(path, cross, X=X[:600], y=y[:600], X_val=X[600:], y_val=y[600:])
    return {"path": path, "cross": cross, "X": X, "y": y, "report": report}


def drawn_twice(display, n=1):
    """On axes given, and on the same once more; returns the axes of the second."""
    _, axes = plt.subplots(n)
    given = axes if n > 1 else np.array([axes])
    for _ in range(2):
        assert display.plot(axes if n > 1 else given[0]) is display
    assert display.figure_ is given[0].figure
    display.figure_.canvas.draw()
    assert len(display.frame()) > 0
    return given


@pytest.mark.parametrize("x", ["alpha", "deviance", "l1_norm", "active"])
def test_path_display(fitted, x):
    path, report = fitted["path"], fitted["report"]
    k = report.point
    display = plot.RegularizationPathDisplay.from_path(path, fitted["cross"], k, x=x, one_se=report.one_se)
    drawn_twice(display)
    assert display.names == [line["label"] for line in report.lines]
    coefs = path.coefs.toarray()
    positions = {
        "alpha": path.alphas, "deviance": path.deviance_explained, "l1_norm": np.abs(coefs).sum(axis=0),
        "active": np.count_nonzero(coefs, axis=0),
    }[x]  # fmt: skip
    assert len(display.lines_) == len(display.labels_) == 12
    for artist, line in zip(display.lines_, report.lines, strict=True):
        np.testing.assert_allclose(artist.get_ydata(), coefs[line["column"]])
        np.testing.assert_allclose(artist.get_xdata(), positions)
        assert artist.get_label() == line["label"]
    assert len(display.faint_lines_) == min(40, path.n_nonzero[k] - 12)
    for mark, place in ((display.point_line_, k), (display.one_se_line_, report.one_se)):
        assert mark.get_segments()[0][0, 0] == pytest.approx(positions[place])


def test_margin_names_are_apart(fitted):
    display = plot.RegularizationPathDisplay.from_path(fitted["path"], fitted["cross"]).plot()
    display.figure_.canvas.draw()
    text_extent = matplotlib.text.Text.get_window_extent  # without the line that ties it
    boxes = sorted((text_extent(label) for label in display.labels_), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes))


def test_path_display_sources(fitted, tmp_path):
    path, X, y = fitted["path"], fitted["X"], fitted["y"]
    save_model(tmp_path / "m.npz", fitted["cross"], path, point=7)
    display = plot.RegularizationPathDisplay.from_estimator(load_model(tmp_path / "m.npz"), top=3)
    assert (display.point, len(display.names)) == (7, 3)
    model = LassoCV(cv=3, alphas=8).fit(X, y)
    assert plot.RegularizationPathDisplay.from_estimator(model, top=2).point == model.validation_.k
    with pytest.raises(ValueError, match="holds no path; pass a Model"):
        plot.RegularizationPathDisplay.from_estimator(Lasso().fit(X, y))
    from_rows = plot.RegularizationPathDisplay.from_path(path, X=X[:600], y=y[:600], k=fitted["report"].point)
    assert from_rows.names == [f"column {line['column']}" for line in fitted["report"].lines]
    with pytest.raises(ValueError, match="x='time'"):
        plot.RegularizationPathDisplay.from_path(path, x="time")
    with pytest.raises(ValueError, match="rank='size'"):
        plot.RegularizationPathDisplay.from_path(path, rank="size")


def test_strength_display(fitted):
    path, report = fitted["path"], fitted["report"]
    display = plot.StrengthDisplay.from_path(path, fitted["X"][600:], fitted["y"][600:])
    drawn_twice(display, 2)
    np.testing.assert_array_equal(display.train_line_.get_ydata(), path.deviance_explained)
    # Here the null model predicts the mean of the held-out rows.
    held = np.array([row["held"] for row in report.path])
    np.testing.assert_allclose(display.held_line_.get_ydata(), held, atol=0.01)
    assert (display.point, display.one_se) == (report.point, report.one_se)
    corners = display.band_.get_paths()[0].vertices
    expected = display.held[0] + display.held_error[0]
    assert corners[np.isclose(corners[:, 0], path.alphas[0]), 1].max() == pytest.approx(expected)
    area = display.active_area_.get_paths()[0].vertices
    assert area[:, 1].max() == path.n_nonzero.max()
    assert display.frame()["active"].tolist() == path.n_nonzero.tolist()


def test_displays_of_paths_with_an_offset():
    """Rows come with their offset; without it they are refused, as scores without it are wrong."""
    rng = np.random.default_rng(0)
    X, exposure = rng.normal(size=(400, 5)), rng.uniform(0.2, 3.0, 400)
    y = rng.poisson(exposure * np.exp(0.5 * X[:, 0])).astype(float)
    offset = np.log(exposure)
    path = regularization_path(X[:300], y[:300], loss="poisson", offset=offset[:300], alphas=8)
    held = plot.StrengthDisplay.from_path(path, X[300:], y[300:], offset_val=offset[300:]).held
    means = np.exp(X[300:] @ path.coef(-1).toarray()[0] + path.intercepts[-1]) * exposure[300:]
    null = exposure[300:] * y[300:].sum() / exposure[300:].sum()
    deviances = [mean_poisson_deviance(y[300:], mean) for mean in (means, null)]
    assert held[-1] == pytest.approx(1 - deviances[0] / deviances[1], rel=1e-6)
    with pytest.raises(ValueError, match="pass that of X_val as offset_val"):
        plot.StrengthDisplay.from_path(path, X[300:], y[300:])
    squares = regularization_path(X, y, offset=offset, alphas=8)
    assert plot.CertificateDisplay.from_path(squares, X, y, offset=offset).undecided is not None
    with pytest.raises(ValueError, match="pass that of X as offset"):
        plot.CertificateDisplay.from_path(squares, X, y)


def test_strength_of_cross_validation(fitted):
    X, y = fitted["X"], fitted["y"]
    ridge = RidgeCV(alphas=[0.1, 10.0, 1.0]).fit(X, y)
    display = plot.StrengthDisplay.from_estimator(ridge)
    assert display.alphas.tolist() == [10.0, 1.0, 0.1]
    assert display.alphas[display.point] == ridge.alpha_
    np.testing.assert_array_equal(display.held, ridge.cv_scores_[[1, 2, 0]])
    drawn_twice(display, 2)
    assert display.train_line_ is None
    validation = cross_validate_path(X, y, cv=3, alphas=10)
    display = plot.StrengthDisplay.from_cv_results(validation)
    np.testing.assert_array_equal(display.held, -validation.chosen.mean_losses)
    assert display.one_se <= int(np.argmax(display.held))
    drawn_twice(display, 2)
    with pytest.raises(ValueError, match="holds no scores of one target"):
        plot.StrengthDisplay.from_estimator(Ridge().fit(X, y))
    with pytest.raises(ValueError, match="axes holds 3 axes; expected 2"):
        display.plot(plt.subplots(3)[1])


def test_certificate_display(fitted):
    path = fitted["path"]
    display = plot.CertificateDisplay.from_path(path, fitted["X"][:600], fitted["y"][:600])
    drawn_twice(display, 2)
    offsets = display.gap_points_.get_offsets()
    np.testing.assert_allclose(offsets[:, 0], path.alphas)
    np.testing.assert_allclose(offsets[:, 1], np.maximum(path.dual_gaps / path.gap_scale, path.tol * 1e-6))
    assert display.limit_line_.get_segments()[0][0, 1] == path.tol
    assert display.undecided == [row["undecided"] for row in fitted["report"].path]
    tops = [area.get_paths()[0].vertices[:, 1].max() for area in display.areas_]
    last = fitted["report"].path[-1]
    assert tops[0] == pytest.approx(last["n_nonzero"] / path.n_features)
    assert tops[-1] == 1.0
    assert plot.CertificateDisplay.from_path(path).plot().areas_ == []


def test_bars_of_reports(fitted):
    report = fitted["report"]
    display = plot.BlockSurvivalDisplay.from_report(report)
    drawn_twice(display)
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(widths, [block["n_nonzero"] / block["n_observed"] for block in report.blocks])
    display = plot.ColumnsDisplay.from_report(report, top=8)
    drawn_twice(display)
    np.testing.assert_array_equal(
        [bar.get_width() for bar in display.bars_], [r["coefficient"] for r in report.columns[:8]]
    )
    assert [
        f"({row['rows']:,} row" in label.get_text() for row, label in zip(report.columns, display.labels_, strict=False)
    ]
    model = Lasso(0.05).fit(fitted["X"], fitted["y"])
    display = plot.ColumnsDisplay.from_estimator(model, fitted["cross"], top=4)
    assert len(display.plot().bars_) == 4
    with pytest.raises(ValueError, match="knows no fields and crosses"):
        plot.BlockSurvivalDisplay.from_report(SparsityReport.from_path(fitted["path"]))


def test_map_display(fitted):
    report, path = fitted["report"], fitted["path"]
    display = plot.WeightMapDisplay.from_path(path, fitted["cross"], report.point)
    drawn_twice(display)
    assert (display.x, display.y) == ("lon", "lat")
    cells = np.array(report.map["cells"])
    expected = cells[:, 4] - np.average(cells[:, 4], weights=cells[:, 5])
    np.testing.assert_allclose(display.mesh_.get_array(), expected)
    np.testing.assert_allclose(display.mesh_.get_paths()[3].vertices[0], cells[3, [0, 2]])
    assert display.colorbar_.mappable is display.mesh_
    with pytest.raises(ValueError, match="no cross of two binned fields keeps a column at point 0"):
        plot.WeightMapDisplay.from_path(path, fitted["cross"], 0)
    with pytest.raises(ValueError, match="fields="):
        plot.WeightMapDisplay.from_path(path, fitted["cross"], fields=("lat", "kind"))


def test_histogram_display(fitted):
    X, y = fitted["X"], fitted["y"]
    models = {"ridge": Ridge().fit(X, y), "lasso": Lasso(0.02).fit(X, y), "none": np.linalg}
    with pytest.raises(ValueError, match=r"estimators\['none'\] has no coef_"):
        plot.WeightHistogramDisplay.from_estimators(models)
    models.pop("none")
    display = plot.WeightHistogramDisplay.from_estimators(models)
    drawn_twice(display, 2)
    for bars, zeros, model in zip(display.bars_, display.zero_bars_, models.values(), strict=True):
        assert zeros[0].get_height() == np.sum(model.coef_ == 0)
        edges = [bar.get_x() for bar in bars]
        counts, _ = np.histogram(model.coef_[model.coef_ != 0], [*edges, -edges[0]])
        assert [bar.get_height() for bar in bars] == counts.tolist()


def test_calibration_display(fitted):
    y = fitted["y"][600:]
    predictions = {
        "first": fitted["path"].predict(fitted["X"][600:], 2),
        "last": fitted["path"].predict(fitted["X"][600:]),
    }
    display = plot.CalibrationByStrengthDisplay.from_predictions(y, predictions)
    drawn_twice(display, 2)
    for points, rows in zip(display.points_, display.panels.values(), strict=True):
        np.testing.assert_allclose(points.get_offsets(), [[row["predicted"], row["observed"]] for row in rows])
    assert all((line.get_xdata() == line.get_ydata()).all() for line in display.diagonals_)
    assert list(plot.CalibrationByStrengthDisplay.from_report(fitted["report"]).panels)[-2:] == ["chosen", "too weak"]
    with pytest.raises(ValueError, match="has no calibration"):
        plot.CalibrationByStrengthDisplay.from_report(SparsityReport.from_path(fitted["path"]))
    with pytest.raises(ValueError, match=r"predictions\['short'\]"):
        plot.CalibrationByStrengthDisplay.from_predictions(y, {"short": y[1:]})


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"penalty_factor": [1.0, 3.0, 1.0]}], ids=str)
def test_the_level_set_touches_the_loss(l1_ratio, options):
    """On the penalty's level set no point has a smaller loss than the solution, and the solution is on it."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(300, 3)) * [1.0, 2.0, 1.0]
    y = X @ [1.5, 0.5, 0.3] + rng.normal(size=300)
    path = regularization_path(X, y, alphas=[0.5], l1_ratio=l1_ratio, tol=1e-10, **options)
    display = plot.PenaltyGeometryDisplay.from_path(path, X, y, columns=(0, 1))
    drawn_twice(display)
    w = path.coefs.toarray()[:, 0]
    assert display.solution == pytest.approx((w[0], w[1]))
    a, b = display.level_set()
    np.testing.assert_allclose(display.penalty(a, b), display.penalty(*display.solution), rtol=1e-9)
    rest = y - X[:, 2] * w[2]
    residuals = rest[:, None] - X[:, [0]] * a - X[:, [1]] * b
    losses = 0.5 * ((residuals - residuals.mean(axis=0)) ** 2).mean(axis=0)
    at = rest - X[:, :2] @ w[:2]
    assert losses.min() >= 0.5 * at.var() - 1e-9
    grid = display.loss[3, 7]
    residual = rest - X[:, 0] * display.first[7] - X[:, 1] * display.second[3]
    assert grid == pytest.approx(0.5 * residual.var())
    np.testing.assert_array_equal(display.level_set_.get_xdata(), a)
    assert display.solution_.get_offsets()[0].tolist() == pytest.approx(list(display.solution))


def test_geometry_of_other_losses_and_wrong_columns():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(200, 4))
    y = (X[:, 0] + X[:, 1] + rng.normal(size=200) > 0) * 1.0
    path = regularization_path(X, y, loss="logistic", alphas=[0.05])
    display = plot.PenaltyGeometryDisplay.from_path(path, X, y).plot()
    assert set(display.names) == {"column 0", "column 1"}
    assert display.loss.min() > 0
    with pytest.raises(ValueError, match=r"columns=\[0, 0\]: expected two columns"):
        plot.PenaltyGeometryDisplay.from_path(path, X, y, columns=(0, 0))
    enet = ElasticNet(0.1).fit(X, y)
    assert enet.sparse_coef_.nnz > 0
    offset = regularization_path(X, y, alphas=[0.05], offset=np.ones(200))
    with pytest.raises(ValueError, match="has an offset"):
        plot.PenaltyGeometryDisplay.from_path(offset, X, y)


def test_without_matplotlib_it_says_what_to_install(fitted, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install .sparsereg\[plot\]"):
        plot.BlockSurvivalDisplay.from_report(fitted["report"]).plot()
