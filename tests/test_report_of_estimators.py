"""Reports on estimators with several targets or classes, on validated paths, and with offsets."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline

import sparsereg as S
from sparsereg import FeatureCross, SparsityReport, load_model, save_model
from sparsereg.report.held_out import classification_scores
from sparsereg.report.html.elements import prose
from sparsereg.report.outcomes import null_predictors
from sparsereg.report.samples import Sample
from sparsereg.report.words import percent


@pytest.fixture(scope="module")
def shop():
    rng = np.random.default_rng(0)
    n = 900
    table = pd.DataFrame({"a": rng.choice(list("abcde"), n), "b": rng.integers(0, 9, n)})
    y = 2.0 * (table["a"] == "a") + (table["b"] == 3) + rng.normal(size=n)
    cross = FeatureCross(crosses=[("a", "b")])
    X = cross.fit_transform(table[:600])
    return {
        "table": table, "y": y.to_numpy(), "cross": cross, "X": X, "X_val": cross.transform(table[600:]),
        "classes": np.where(y > 1.5, "high", np.where(y > 0, "mid", "low")),
    }  # fmt: skip


def report_on(shop, model, y, **further):
    rows = {"X": shop["X"], "y": y[:600], "X_val": shop["X_val"], "y_val": y[600:]}
    return SparsityReport.from_estimator(model.fit(shop["X"], y[:600]), shop["cross"], **rows, **further)


def r2(y, predicted, mean):
    return 1 - np.mean((y - predicted) ** 2) / np.mean((y - mean) ** 2)


@pytest.mark.parametrize("model", [S.MultiTaskLasso(0.05), S.Ridge(3.0)])
def test_each_target_has_its_own_score(shop, model):
    Y = np.stack([shop["y"], shop["table"]["b"] - shop["y"]], axis=1)
    report = report_on(shop, model, Y, k=0)
    predicted = model.predict(shop["X_val"])
    for k in range(2):
        expected = r2(Y[600:, k], predicted[:, k], Y[:600, k].mean())
        assert report.path[k]["held"] == pytest.approx(expected)
        assert report.path[k]["deviance_explained"] == pytest.approx(
            r2(Y[:600, k], model.predict(shop["X"])[:, k], Y[:600, k].mean())
        )
    assert report.panels[0]["point"] == 0
    assert sum(block["variance_share"] for block in report.blocks) == pytest.approx(1.0)
    assert "explain" in report.to_html()
    if isinstance(model, S.MultiTaskLasso):
        assert report.path[0]["df"] is None  # a row of coefficients is not so many degrees of freedom


def test_classes_of_a_softmax_share_their_score(shop):
    model = S.LogisticRegression(C=0.5)
    y = shop["classes"]
    report = report_on(shop, model, y, k=1)
    shares = [np.mean(y[:600] == label) for label in model.classes_]
    null = log_loss(y[600:], np.tile(shares, (300, 1)), labels=model.classes_)
    expected = 1 - log_loss(y[600:], model.predict_proba(shop["X_val"]), labels=model.classes_) / null
    assert [row["held"] for row in report.path] == pytest.approx([expected] * 3)
    tenths = report.panels[0]["held"]
    assert sum(part["rows"] for part in tenths) == 300
    mean = sum(part["rows"] * part["observed"] for part in tenths) / 300
    assert mean == pytest.approx(np.mean(y[600:] == model.classes_[1]))


@pytest.mark.parametrize("has_offset", [False, True])
def test_scores_of_several_classes_are_those_of_scikit_learn(shop, has_offset):
    """The log-loss, that of the model without columns, and the AUC; the calibration error by its definition."""
    y, classes = shop["classes"], np.unique(shop["classes"])
    rng = np.random.default_rng(5)
    s, known = rng.integers(0, 3, 900) * 1.0, rng.normal(size=(900, 3)) if has_offset else np.zeros((900, 3))
    given = (known[:600], known[600:]) if has_offset else (None, None)
    path = S.regularization_path(shop["X"], y[:600], loss="multinomial", alphas=8, offset=given[0])
    shares = np.array([np.mean(y[:600] == label) for label in classes])
    p = softmax(path.predict(shop["X_val"], 5) + known[600:], axis=1)
    q, top = softmax(np.log(shares) + known[600:], axis=1), p.argmax(axis=1)

    def expected(weight):
        losses = [log_loss(y[600:], each, labels=classes, sample_weight=weight) for each in (p, q)]
        auc = roc_auc_score(y[600:], p, multi_class="ovr", average="macro", sample_weight=weight)
        gaps, places = weight * (p.max(axis=1) - (classes[top] == y[600:])), np.floor(10 * p.max(axis=1))
        error = sum(abs(gaps[places == place].sum()) for place in np.unique(places)) / weight.sum()
        return {"mean_losses": losses, "auc": auc, "calibration_error": error}

    null = null_predictors(path, Sample.of("X", shop["X"], y[:600], None, path, 0, offset=given[0]))
    for weight in (np.ones(300), s[600:]):
        sample = Sample.of("X_val", shop["X_val"], y[600:], weight, path, 0, offset=given[1])
        found, right = classification_scores(path, sample, null, 5), expected(weight)
        assert found.keys() == right.keys()
        for name, value in right.items():
            assert found[name] == pytest.approx(value)

    rows = {"X": shop["X"], "y": y[:600], "X_val": shop["X_val"], "y_val": y[600:]}
    rows |= {"offset": given[0], "offset_val": given[1]}
    report = SparsityReport.from_path(path, shop["cross"], 5, **rows, output=2)
    sentence, right = next(c["sentence"] for c in report.checks if c["id"] == "predicts"), expected(np.ones(300))
    assert sentence.endswith(
        " AUC {auc:.3f}, the mean of each class against the rest. Mean loss {mean_losses[0]:.4g}, of the model without"
        " columns {mean_losses[1]:.4g}. Calibration error of the most probable class ".format(**right)
        + f"{percent(right['calibration_error'])}."
    )
    assert sentence in {check["sentence"] for check in report.to_dict()["checks"]}
    assert prose(sentence) in report.to_html()
    assert sentence in " ".join(report.to_text(width=200).split())


def test_held_out_rows_that_lack_a_class_have_no_mean_of_areas(shop):
    y = shop["classes"]
    few = np.flatnonzero(y[600:] != "mid")
    model = S.LogisticRegression().fit(shop["X"], y[:600])
    rows = {"X": shop["X"], "y": y[:600], "X_val": shop["X_val"][few], "y_val": y[600:][few]}
    text = SparsityReport.from_estimator(model, shop["cross"], **rows).to_text()
    assert "Mean loss" in text
    assert "AUC" not in text


@pytest.mark.parametrize("model", [S.LogisticRegression(C=0.5), S.RidgeClassifier(3.0), S.SquaredHingeClassifier()])
def test_two_classes(shop, model):
    y = np.where(shop["y"] > 0.5, "yes", "no")
    report = report_on(shop, model, y)
    assert 0 < report.path[0]["held"] < 1
    assert report.blocks[0]["variance_share"] is not None
    if isinstance(model, S.RidgeClassifier):
        z, target = model.decision_function(shop["X_val"]), np.where(y == "yes", 1.0, -1.0)
        assert report.path[0]["held"] == pytest.approx(r2(target[600:], z, target[:600].mean()))


def test_rows_without_targets_give_shares(shop):
    model = S.LogisticRegression(C=0.5).fit(shop["X"], shop["classes"][:600])
    report = SparsityReport.from_estimator(model, shop["cross"], X=shop["X"])
    assert sum(block["variance_share"] for block in report.blocks) == pytest.approx(1.0)
    assert report.path[0]["held"] is None


def test_a_validated_path(shop):
    validation = S.cross_validate_path(shop["X"], shop["y"][:600], cv=4, alphas=20, rule="1se")
    report = SparsityReport.from_path(validation, shop["cross"], X=shop["X"], y=shop["y"][:600])
    losses = validation.chosen.mean_losses
    assert report.point == validation.k
    assert report.one_se == validation.chosen.choose("1se")
    assert [row["held"] for row in report.path] == pytest.approx((1 - losses / losses[0]).tolist())
    assert {check["id"] for check in report.checks} >= {"strength", "predicts", "generalises"}
    assert SparsityReport.from_path(validation.chosen, shop["cross"]).point == validation.chosen.best
    scored = S.cross_validate_path(shop["X"], shop["y"][:600], cv=4, alphas=20, scoring="neg_median_absolute_error")
    assert SparsityReport.from_path(scored, shop["cross"]).path[0]["held"] is None
    with pytest.raises(ValueError, match="output=1"):
        SparsityReport.from_path(validation, shop["cross"], output=1)


def test_a_path_that_ends_before_any_column_enters_is_told(shop):
    X, y = shop["X"], shop["y"][:600]
    for n_points in (1, 2):
        with pytest.warns(UserWarning, match="Interrupted after"):
            validation = S.cross_validate_path(X, y, cv=4, alphas=20, callback=interrupt_after(n_points))
        report = SparsityReport.from_path(validation, shop["cross"], X=X, y=y)
        strength = [check for check in report.checks if check["id"] == "strength"]
        if report.path[report.point]["n_nonzero"] > 0:
            assert (n_points, strength) == (2, [])
        else:
            assert not strength[0]["passed"]
            assert "weaker penalty may predict better" in strength[0]["sentence"]


def interrupt_after(n_points):
    def callback(i, *_):
        if i + 1 == n_points:
            raise KeyboardInterrupt

    return callback


def test_offsets_count_in_every_score(shop):
    rng = np.random.default_rng(1)
    exposure = rng.uniform(0.1, 2.0, 900)
    y = rng.poisson(exposure * np.exp(0.5 * shop["y"])).astype(float)
    offset = np.log(exposure)
    path = S.regularization_path(shop["X"], y[:600], loss="poisson", offset=offset[:600], alphas=15, tol=1e-8)
    rows = {"X": shop["X"], "y": y[:600], "X_val": shop["X_val"], "y_val": y[600:]}
    report = SparsityReport.from_path(
        path, shop["cross"], **rows, offset=offset[:600], offset_val=offset[600:], target="claims"
    )
    from sklearn.metrics import mean_poisson_deviance

    mu = np.exp(path.predict(shop["X_val"], report.point) + offset[600:])
    null = exposure[600:] * y[:600].sum() / exposure[:600].sum()
    expected = 1 - mean_poisson_deviance(y[600:], mu) / mean_poisson_deviance(y[600:], null)
    assert report.path[report.point]["held"] == pytest.approx(expected)
    # Training scores, from the rows anew, are those of the fit; rates weigh by exposure.
    tenths = next(panel["held"] for panel in report.panels if panel["name"] == "chosen")
    assert min(part["observed"] for part in tenths) > 0
    assert sum(part["rows"] for part in tenths) == 300
    with pytest.raises(ValueError, match="offset_val"):
        SparsityReport.from_path(path, **rows, offset=offset[:600], offset_val=offset[:10])


def test_squares_with_an_offset_know_which_columns_are_zero(shop):
    offset = np.linspace(0, 1, 600)
    path = S.regularization_path(shop["X"], shop["y"][:600], offset=offset, alphas=15, tol=1e-8)
    with_offset = SparsityReport.from_path(path, X=shop["X"], y=shop["y"][:600], offset=offset)
    moved = S.regularization_path(shop["X"], shop["y"][:600] - offset, alphas=15, tol=1e-8)
    without = SparsityReport.from_path(moved, X=shop["X"], y=shop["y"][:600] - offset)
    assert [row["undecided"] for row in with_offset.path] == [row["undecided"] for row in without.path]
    for name, rows in (("offset", ("X", "y")), ("offset_val", ("X_val", "y_val"))):
        with pytest.raises(ValueError, match=f"fitted with an offset; pass that of {rows[0]} as {name},"):
            SparsityReport.from_path(path, **dict(zip(rows, (shop["X"], shop["y"][:600]), strict=True)))


def test_saving_pipelines_validations_and_classifiers(shop, tmp_path):
    table, y = shop["table"], shop["y"]
    pipeline = make_pipeline(FeatureCross(crosses=[("a", "b")]), S.Lasso(0.01)).fit(table, y)
    save_model(tmp_path / "m.npz", pipeline)
    assert np.allclose(load_model(tmp_path / "m.npz").predict(table), pipeline.predict(table))
    validation = S.cross_validate_path(shop["X"], y[:600], cv=3, alphas=10)
    save_model(tmp_path / "v.npz", shop["cross"], validation)
    assert load_model(tmp_path / "v.npz").point == validation.k
    for model in (S.RidgeClassifier(), S.LogisticRegression()):
        fitted = make_pipeline(FeatureCross(), model).fit(table, shop["classes"])
        save_model(tmp_path / "c.npz", fitted)
        loaded = load_model(tmp_path / "c.npz")
        assert (loaded.predict(table) == fitted.predict(table)).all()
        if isinstance(model, S.RidgeClassifier):
            with pytest.raises(ValueError, match="has no probabilities"):
                loaded.predict_proba(table)
        else:
            report = SparsityReport.from_estimator(loaded, output=2, X_val=table, y_val=shop["classes"])
            assert report.target == "class mid"
            assert json.loads(report.to_json())["panels"][0]["held"]
    with pytest.raises(ValueError, match="pass a path or a fitted linear model after the cross"):
        save_model(tmp_path / "m.npz", shop["cross"])


def test_an_exposure_of_a_saved_model(shop, tmp_path):
    table = shop["table"].assign(exposure=np.linspace(0.5, 2.0, 900))
    y = np.random.default_rng(2).poisson(table["exposure"] * 2.0)
    offset = np.log(table["exposure"])
    path = S.regularization_path(shop["X"], y[:600], loss="poisson", offset=offset[:600], alphas=5)
    save_model(tmp_path / "m.npz", shop["cross"], path, point=4, offset={"column": "exposure", "log": True})
    model = load_model(tmp_path / "m.npz")
    expected = table["exposure"] * np.exp(path.predict(shop["cross"].transform(table), 4))
    assert np.allclose(model.predict(table), expected)
    with pytest.raises(ValueError, match="no column 'exposure'"):
        model.predict(shop["table"])
    with pytest.raises(ValueError, match="an exposure must be positive"):
        model.predict(table.assign(exposure=0.0))
