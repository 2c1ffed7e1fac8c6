"""What a report measures on rows, against plain NumPy and against solutions of a thousand times the accuracy."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from sparsereg import FeatureCross, Lasso, SparsityReport, load_model, regularization_path, ridge_path, save_model
from sparsereg.report.checks import LIMITS
from sparsereg.report.decided import count_undecided, proved_zero
from sparsereg.report.evidence import Evidence
from sparsereg.report.samples import Sample
from sparsereg.report.words import compact, counted, percent, signed


def make_table(n, seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"shop": rng.choice(list("abcde"), n), "item": rng.integers(0, 60, n), "size": 1e6 + rng.normal(size=n)}
    )
    y = (table["shop"] == "a") * 2.0 + (table["item"] == 3) * 3.0 + (table["size"] - 1e6) + rng.normal(size=n)
    return table, y.to_numpy(), rng.random(n) * 2


@pytest.fixture(scope="module")
def shop():
    table, y, s = make_table(900, 0)
    others, y_val, s_val = make_table(300, 1)
    cross = FeatureCross(crosses=[("shop", "item")])
    X = cross.fit_transform(table)
    path = regularization_path(X, y, alphas=25, sample_weight=s, eps=1e-3)
    return {"path": path, "cross": cross, "X": X, "y": y, "sample_weight": s} | {
        "X_val": cross.transform(others), "y_val": y_val, "sample_weight_val": s_val, "others": others,
    }  # fmt: skip


def report_of(shop, **changes):
    rows = {name: part for name, part in shop.items() if name != "others"} | changes
    return SparsityReport.from_path(rows.pop("path"), rows.pop("cross"), **rows)


def test_held_out_scores_and_their_errors(shop):
    report, path, s = report_of(shop), shop["path"], shop["sample_weight_val"]
    predicted = shop["X_val"] @ path.coefs.toarray() + path.intercepts
    losses = (shop["y_val"][:, None] - predicted) ** 2
    null = (shop["y_val"] - np.average(shop["y"], weights=shop["sample_weight"])) ** 2
    scale = np.average(null, weights=s)
    expected = 1 - np.average(losses, axis=0, weights=s) / scale
    best = int(np.argmax(expected))
    np.testing.assert_allclose([row["held"] for row in report.path], expected, rtol=1e-10, atol=1e-12)
    assert report.point == best
    differences = losses - losses[:, [best]]
    mean = np.average(differences, axis=0, weights=s)
    errors = np.sqrt(((s[:, None] * (differences - mean)) ** 2).sum(axis=0)) / s.sum() / scale
    np.testing.assert_allclose([row["held_error"] for row in report.path], errors, rtol=1e-6, atol=1e-10)
    within = np.flatnonzero(expected[best] - expected <= errors)
    assert report.one_se == within[0] <= best


def test_shares_outliers_and_coverage(shop):
    path, cross, X, y, s = (shop[name] for name in ("path", "cross", "X", "y", "sample_weight"))
    sample = Sample.of("X", X, y, s, path, 0)
    held = Sample.of("X_val", shop["X_val"], shop["y_val"], None, path, 0)
    found = Evidence.measure(path, cross, 12, sample, held)
    w = path.coefs.toarray()[:, 12]
    z = X @ w
    centred = z - np.average(z, weights=s)
    for block, share in zip(cross.blocks_, found.variance_share, strict=True):
        part = X[:, block.start : block.stop] @ w[block.start : block.stop]
        assert share == pytest.approx(np.sum(s * centred * part) / np.sum(s * centred**2), abs=1e-9)
    squares = np.sort(s * (y - np.average(y, weights=s)) ** 2)
    assert found.outliers == pytest.approx(squares[-5:].sum() / squares.sum())
    known = set(map(tuple, make_table(900, 0)[0][["shop", "item"]].to_numpy().tolist()))
    seen = [pair in known for pair in map(tuple, shop["others"][["shop", "item"]].to_numpy().tolist())]
    assert found.coverage == pytest.approx(1 - np.mean(seen))
    assert 0 < found.coverage < 1


def test_tenths_are_means_of_equal_parts(shop):
    report = report_of(shop, sample_weight_val=None)
    panel = next(panel for panel in report.panels if panel["name"] == "chosen")
    predicted = shop["path"].predict(shop["X_val"], report.point)
    groups = np.array_split(np.argsort(predicted, kind="stable"), 10)
    assert [row["rows"] for row in panel["held"]] == [30] * 10
    np.testing.assert_allclose([row["predicted"] for row in panel["held"]], [predicted[g].mean() for g in groups])
    np.testing.assert_allclose([row["observed"] for row in panel["held"]], [shop["y_val"][g].mean() for g in groups])
    assert [panel["name"] for panel in report.panels][:2] == ["too strong", "chosen"]
    assert sum(row["rows"] for row in panel["train"]) == 900


def test_rows_and_influence_of_columns(shop):
    report = report_of(shop, top=1000)
    X, s = shop["X"].toarray(), shop["sample_weight"]
    w = shop["path"].coefs.toarray()[:, report.point]
    assert report.rank == "influence"
    assert len(report.columns) == np.count_nonzero(w)
    for row in report.columns:
        x = X[:, row["column"]]
        deviation = x.std() if row["name"] != "size" else np.sqrt(np.cov(x, aweights=s, ddof=0))
        assert row["rows"] == np.count_nonzero(x)
        assert row["influence"] == pytest.approx(abs(w[row["column"]]) * deviation, rel=1e-6)
        enters = np.flatnonzero(shop["path"].coefs[[row["column"]]].toarray().ravel())[0]
        assert row["enters"] == enters
    influences = [row["influence"] for row in report.columns]
    assert influences == sorted(influences, reverse=True)
    weights = [abs(row["coefficient"]) for row in report.columns_by_weight]
    assert weights == sorted(weights, reverse=True)
    for line in report.lines:
        np.testing.assert_array_equal(line["values"], shop["path"].coefs[[line["column"]]].toarray().ravel())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"l1_ratio": 0.5},
        {"standardize": True},
        {"fit_intercept": False},
        {"positive": True},
        {"penalty_factor": np.linspace(0.5, 2, 40)},
        {"loss": "logistic"},
        {"loss": "poisson"},
        {"loss": "poisson", "l1_ratio": 0.7, "fit_intercept": False},
        {"loss": "gamma"},
    ],
    ids=str,
)
def test_proved_zero_is_zero_at_the_exact_solution(options):
    rng = np.random.default_rng(3)
    X = sp.random_array((120, 40), density=0.3, rng=rng, format="csr")
    y = X @ (rng.normal(size=40) * (rng.random(40) < 0.2)) * 3 + rng.normal(size=120)
    y = {"logistic": (y > 0) * 1.0, "poisson": rng.poisson(np.exp(y / 3)) * 1.0, "gamma": np.exp(y / 3)}.get(
        options.get("loss"), y
    )
    s = rng.random(120) + 0.5
    loose = regularization_path(X, y, alphas=12, tol=1e-3, sample_weight=s, **options)
    exact = regularization_path(
        X, y, alphas=loose.alphas, tol=1e-9 if "loss" in options else 1e-11, sample_weight=s, **options
    )
    counts = count_undecided(loose, Sample.of("X", X, y, s, loose, 0), range(12))
    exact_counts = count_undecided(exact, Sample.of("X", X, y, s, exact, 0), range(12))
    truth = exact.coefs.toarray() != 0
    proved = 40 - loose.n_nonzero - counts
    # A column that is proved zero is not active at the optimum; the loose fit may hold others.
    assert (proved <= (~truth).sum(axis=0)).all()
    assert proved[:6].sum() > 20, "the bound proves something"
    assert (np.array(exact_counts) <= counts).all()
    assert np.array(exact_counts).sum() <= 3


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_reach_of_gradients_under_exponential_curvature(loss, fit_intercept):
    """No gradient at the optimum is further than the bound says, from points near and far, with weights and offsets."""
    from sparsereg.data.design import as_design
    from sparsereg.objective.problem import Coefficients, make_problem
    from sparsereg.report.decided import _reach

    rng = np.random.default_rng(5)
    X, offset, s = rng.normal(size=(80, 30)), 0.3 * rng.normal(size=80), rng.random(80) + 0.2
    X[:, 20:] = (X[:, 20:] > 1.0) * 1.0
    z = 0.5 * X[:, 0] + offset
    y = rng.poisson(np.exp(z)) * 1.0 if loss == "poisson" else np.exp(z + 0.3 * rng.normal(size=80))
    given = {"loss": loss, "offset": offset, "fit_intercept": fit_intercept, "sample_weight": s}
    alpha = 0.08
    w = regularization_path(X, y, alphas=[alpha], tol=1e-12, **given).coef(0).toarray()[0]
    problem = make_problem(as_design(X), y, **given)
    best = problem.loss_rows.evaluate(Coefficients(np.arange(30), w).nonzero()).c
    tight = []
    for share in (1e-4, 1e-3, 1e-2, 0.1, 0.3):
        for _ in range(20):
            near = w + np.where(rng.random(30) < 0.5, share * rng.normal(size=30), 0.0)
            coef = Coefficients(np.arange(30), near).nonzero()
            total = problem.loss_rows.total(coef) + problem.weight_sum * alpha * np.abs(near).sum()
            optimum = Coefficients(np.arange(30), w).nonzero()
            least = problem.loss_rows.total(optimum) + problem.weight_sum * alpha * np.abs(w).sum()
            moved = np.abs(problem.loss_rows.evaluate(coef).c - best)
            reach = _reach(problem, coef, max(total - least, 0.0) + 1e-9, np.zeros(30))
            assert (moved <= reach).all()
            tight.append(float((moved / reach).max()))
    assert max(tight) > 0.3, "the bound is of the size of what it bounds"


def test_each_proof_is_right():
    """Column by column, at a point that is far from solved."""
    from sparsereg.data.design import as_design
    from sparsereg.objective.problem import Coefficients, make_problem

    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, 25))
    y = X[:, 0] * 2 + rng.normal(size=60)
    alpha = 0.3
    w = Lasso(alpha=alpha, tol=1e-12).fit(X, y).coef_
    problem = make_problem(as_design(X), y)
    n_proved = 0
    for share in (0.0, 1e-4, 1e-3, 1e-2):
        near = w + np.where(rng.random(25) < 0.3, share * rng.normal(size=25), 0.0)
        coef = Coefficients(np.arange(25), near).nonzero()
        gap = problem.duality_gap(coef, alpha, 1.0)
        proved = proved_zero(problem, coef, alpha, 1.0, gap)
        assert not (proved & (w != 0)).any()
        n_proved += int(proved.sum())
    assert n_proved > 25
    assert not proved_zero(problem, coef, alpha, 1.0, np.inf).any()


def test_other_rows_than_those_of_the_fit_are_refused(shop):
    with pytest.raises(ValueError, match="pass the rows that the path was fitted on"):
        report_of(shop, y=shop["y"][::-1])
    with pytest.raises(ValueError, match="X_val has 3 columns; the path was fitted on"):
        report_of(shop, X_val=np.ones((2, 3)), y_val=[0.0, 1.0], sample_weight_val=None)
    with pytest.raises(ValueError, match="X_val needs its targets; pass them in y_val"):
        report_of(shop, y_val=None)


def test_checks_fail_at_their_limits(shop):
    report = report_of(shop)
    by_id = {check["id"]: check for check in report.checks}
    assert list(by_id) == list(LIMITS)
    assert by_id["certified"]["passed"]
    assert by_id["predicts"]["passed"]
    assert not any(check["remedy"] for check in report.checks if check["passed"])
    for name in ("outliers", "support", "coverage", "decided"):
        value = by_id[name]["value"]
        strict = report_of(shop, limits={name: value})
        lax = report_of(shop, limits={name: value + 1e-9})
        passed = [{check["id"]: check["passed"] for check in one.checks}[name] for one in (strict, lax)]
        assert passed == [False, True]
        assert next(check for check in strict.checks if check["id"] == name)["remedy"]
    with pytest.raises(ValueError, match="limits holds 'cover', which is no check"):
        report_of(shop, limits={"cover": 1})


def test_a_model_that_does_not_predict_is_told():
    """Four rows hold nearly all of the sum of squares: a good fit, and worthless."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"item": rng.integers(0, 200, 2000)})
    y = rng.normal(size=2000)
    y[:4] = [3000.0, -3000.0, 2500.0, -2500.0]
    cross = FeatureCross(fields=["item"])
    X = cross.fit_transform(table)
    path = regularization_path(X[:1500], y[:1500], alphas=10)
    report = SparsityReport.from_path(path, cross, k=-1, X=X[:1500], y=y[:1500], X_val=X[1500:], y_val=y[1500:])
    failed = {check["id"] for check in report.checks if not check["passed"]}
    assert {"predicts", "outliers", "generalises"} <= failed
    assert "explain nothing of the variance" in report.verdict
    assert "held-out R2 is -" in report.verdict
    assert "need attention" in report.to_text()


def test_verdict_without_held_out_rows(shop):
    report = SparsityReport.from_path(shop["path"], shop["cross"], 20, target="sales")
    assert "of sales on the rows of the fit. No rows were held out" in report.verdict
    assert {check["id"] for check in report.checks} == {"certified"}


def test_round_trip_and_text_at_80_columns(shop):
    report = report_of(shop)
    again = SparsityReport.from_json(report.to_json())
    assert again.to_json() == report.to_json()
    assert max(map(len, report.to_text(width=80).splitlines())) <= 80
    assert report.verdict.split()[0] in report.to_text(width=80)
    content = json.loads(report.to_json())
    assert (content["format"], content["format_version"]) == ("sparsereg report", 2)
    assert repr(report).startswith("<SparsityReport: point ")
    for text, message in (
        ("[", "text is not JSON"),
        ("{}", "not a sparsereg report"),
        (json.dumps(content | {"format_version": 3}), "format version 3; this sparsereg reads version 2"),
        (json.dumps({name: part for name, part in content.items() if name != "lines"}), "text lacks 'lines'"),
    ):
        with pytest.raises(ValueError, match=message):
            SparsityReport.from_json(text)


def test_a_model_brings_its_evidence(shop, tmp_path):
    report = report_of(shop)
    path, cross = shop["path"], shop["cross"]
    held = Sample.of("X_val", shop["X_val"], shop["y_val"], shop["sample_weight_val"], path, 0)
    train = Sample.of("X", shop["X"], shop["y"], shop["sample_weight"], path, 0)
    evidence = Evidence.measure(path, cross, None, train, held)
    save_model(tmp_path / "m.npz", cross, path, point=evidence.point, evidence=evidence.to_dict(), target="sales")
    model = load_model(tmp_path / "m.npz")
    loaded = SparsityReport.from_estimator(model)
    assert loaded.checks == report.checks
    assert loaded.columns == report.columns
    assert loaded.target == "sales"
    other = SparsityReport.from_estimator(model, k=3)
    assert other.path == loaded.path
    assert other.panels == []
    save_model(tmp_path / "old.npz", cross, path, point=4, held_out_r2=[0.1] * 25)
    assert SparsityReport.from_estimator(load_model(tmp_path / "old.npz")).path[4]["held"] == 0.1
    fresh = SparsityReport.from_estimator(load_model(tmp_path / "old.npz"), X_val=shop["others"], y_val=shop["y_val"])
    assert fresh.path[4]["held"] > 0.2


def test_estimator_with_held_out_rows(shop):
    model = Lasso(alpha=0.05).fit(shop["X"], shop["y"])
    report = SparsityReport.from_estimator(
        model, shop["cross"], X=shop["X"], y=shop["y"], X_val=shop["X_val"], y_val=shop["y_val"]
    )
    residual = shop["y_val"] - model.predict(shop["X_val"])
    expected = 1 - np.mean(residual**2) / np.mean((shop["y_val"] - shop["y"].mean()) ** 2)
    assert report.path[0]["held"] == pytest.approx(expected)
    assert report.blocks[0]["variance_share"] is not None


def test_words():
    assert [percent(x) for x in (0.0901, 0.8154, 0.00021, 1.0, -2.5, 0.0, -1e-12)] == [
        "9.0%", "81.5%", "0.02%", "100%", "-250%", "0.00%", "0.00%",
    ]  # fmt: skip
    assert [compact(x) for x in (12345.0, 0.012345, 9.996, 0.0, None, 1.2e-9, 99950.0)] == [
        "12,300", "0.0123", "10.0", "0", "-", "1.20e-09", "100,000",
    ]  # fmt: skip
    assert (signed(2.0), signed(-2.0), counted(1, "row"), counted(1234, "row")) == (
        "+2.00", "-2.00", "1 row", "1,234 rows",
    )  # fmt: skip


def test_several_classes_and_several_targets():
    """Scores of all outputs together, and calibration of the described one, against scikit-learn and NumPy."""
    from sklearn.metrics import log_loss

    rng = np.random.default_rng(8)
    X = rng.normal(size=(400, 4))
    y = np.array(["x", "y", "z"])[np.argmax(X[:, :3] + rng.gumbel(size=(400, 3)), axis=1)]
    rows = {"X": X[:300], "y": y[:300], "X_val": X[300:], "y_val": y[300:]}
    path = regularization_path(X[:300], y[:300], loss="multinomial", alphas=6)
    report = SparsityReport.from_path(path, **rows, output=1)
    shares = np.tile([(y[:300] == label).mean() for label in "xyz"], (100, 1))
    z = path.predict(X[300:], report.point)
    probability = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    expected = 1 - log_loss(y[300:], probability, labels=list("xyz")) / log_loss(y[300:], shares, labels=list("xyz"))
    assert report.path[report.point]["held"] == pytest.approx(expected)
    panel = next(panel for panel in report.panels if panel["name"] == "chosen")
    lowest = np.sort(probability[:, 1])[:10]
    assert panel["held"][0]["predicted"] == pytest.approx(lowest.mean())
    with pytest.raises(ValueError, match=r"y_val of shape \(100,\) must hold one of the classes"):
        SparsityReport.from_path(path, **rows | {"y_val": np.full(100, "w")})

    Y = np.column_stack([X[:, 0] + rng.normal(size=400), X[:, 1] * 3])
    path = regularization_path(X[:300], Y[:300], alphas=6)
    report = SparsityReport.from_path(path, X=X[:300], y=Y[:300], X_val=X[300:], y_val=Y[300:], output=1)
    residual = Y[300:] - path.predict(X[300:], report.point)
    expected = 1 - (residual**2).sum() / ((Y[300:] - Y[:300].mean(axis=0)) ** 2).sum()
    assert report.path[report.point]["held"] == pytest.approx(expected)
    assert report.path[0]["undecided"] is None
    with pytest.raises(ValueError, match=r"y of shape \(300,\) must have 2 columns"):
        SparsityReport.from_path(path, X=X[:300], y=Y[:300, 0])


def test_a_ridge_path_has_no_simpler_point(shop):
    """Every strength keeps all columns: the one-standard-error point is marked, but not called simpler."""
    path = ridge_path(shop["X"], shop["y"], alphas=np.geomspace(1e4, 1e-2, 12))
    report = SparsityReport.from_path(path, shop["cross"], 10, X=shop["X"], y=shop["y"], X_val=shop["X_val"],
                                      y_val=shop["y_val"])  # fmt: skip
    assert report.one_se < report.point
    assert "one standard error" not in report.verdict
    assert "Simpler, as good" not in report.to_html()
