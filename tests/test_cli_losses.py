"""Losses on the command line: which is chosen, what is predicted, what is reported and kept in a model file."""

from __future__ import annotations

import json
import shlex
import warnings

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from sklearn.metrics import log_loss, roc_auc_score

from sparsereg import (
    FeatureCross,
    LogisticRegression,
    PoissonRegressor,
    RidgeClassifier,
    SparsityReport,
    SquaredHingeClassifier,
    TweedieRegressor,
    load_model,
    regularization_path,
    save_model,
)
from sparsereg.cli.commands import cli


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with rows.csv: two fields, a yes or no, the same as 1 and 0, and a count."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 8, 1500), rng.integers(0, 5, 1500)
    eta = np.linspace(-2, 2, 8)[a] + 0.8 * np.sin(a * b)
    yes = rng.random(1500) < 1 / (1 + np.exp(-eta))
    pl.DataFrame(
        {
            "a": [f"a{i}" for i in a], "b": [f"b{i}" for i in b], "churn": np.where(yes, "yes", "no"),
            "left": yes.astype(int), "claims": rng.poisson(np.exp(0.5 * eta - 0.5)), "kind": a % 3,
        }
    ).with_columns(kind=pl.col("kind").replace_strict({0: "x", 1: "y", 2: "z"})).write_csv("rows.csv")  # fmt: skip
    return tmp_path


FIT = "fit rows.csv --field a,b --cross a,b --model model.npz --alphas 20 "


def run(command: str):
    result = CliRunner().invoke(cli, shlex.split(command), prog_name="sparsereg")
    return result


def succeed(command: str):
    result = run(command)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.mark.parametrize(
    ("target", "classes"), [("churn", ["no", "yes"]), ("left", [0, 1]), ("churn --loss squared_hinge", ["no", "yes"])]
)
@pytest.mark.usefixtures("folder")
def test_a_target_of_two_values_is_classified(target, classes):
    result = succeed(FIT + f"--target {target}")
    logistic = "hinge" not in target
    assert ("holds two values, no and yes: fitted with --loss logistic" in result.stderr) == (target == "churn")
    assert "AUC 0." in " ".join(result.stdout.split())
    assert "deviance explained" in result.stdout
    assert "the null model's loss a row" in " ".join(result.stdout.split())
    model = load_model("model.npz")
    assert model.path.loss == ("logistic" if logistic else "squared_hinge")
    assert model.path.classes.tolist() == classes
    table = pl.read_csv("rows.csv")
    name = target.split()[0]
    assert set(model.predict(table)) <= set(classes)
    assert np.mean(model.predict(table) == table[name].to_numpy()) > 0.6
    result = succeed("predict model.npz rows.csv --out out.csv")
    assert "deviance explained" in result.stderr
    out = pl.read_csv("out.csv")
    np.testing.assert_array_equal(out["prediction"].to_numpy(), model.predict(table))
    if not logistic:
        assert out.columns == ["prediction"]
        with pytest.raises(ValueError, match="no probabilities"):
            model.predict_proba(table)
        return
    second = f"probability of {classes[1]}"
    assert out.columns == ["prediction", second]
    np.testing.assert_allclose(out[second].to_numpy(), model.predict_proba(table)[:, 1])
    report = json.loads(succeed("report model.npz --json").stdout)
    assert report["score"] == "deviance explained"
    assert 0.6 < roc_auc_score(table[name] == classes[1], out[second]) < 1.0


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("loss", ["poisson", "tweedie:1.3", "huber:2", "squared"])
def test_other_losses_predict_means(loss):
    succeed(FIT + f"--target claims --loss {loss}")
    model, table = load_model("model.npz"), pl.read_csv("rows.csv")
    assert model.path.loss == {"tweedie:1.3": "tweedie:1.3", "huber:2": "huber:2.0"}.get(loss, loss)
    z = model.predictors(table)
    expected = np.exp(z) if loss in ("poisson", "tweedie:1.3") else z
    result = succeed("predict model.npz rows.csv --out out.csv")
    np.testing.assert_allclose(pl.read_csv("out.csv")["prediction"].to_numpy(), expected)
    assert ("R2" if loss == "squared" else "deviance explained") in result.stderr


@pytest.mark.usefixtures("folder")
def test_probabilities_are_targets_of_the_logistic_loss():
    pl.read_csv("rows.csv").with_columns(share=(pl.col("left") * 0.8 + 0.1)).vstack(
        pl.read_csv("rows.csv").with_columns(share=pl.lit(0.5))[:1]
    ).write_csv("rows.csv")
    succeed(FIT + "--target share --loss logistic --exclude left,churn,claims,kind")
    model = load_model("model.npz")
    assert model.path.classes is None
    predicted = model.predict(pl.read_csv("rows.csv"))
    assert ((predicted > 0.05) & (predicted < 0.95)).all()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--target kind", "3 different texts"),
        ("--target claims --loss logistic", "--loss logistic takes two"),
        ("--target claims --loss logit", "'logit' is not one of squared, logistic"),
        ("--target churn --loss poisson", "must hold numbers"),
        ("--target claims --loss gamma", "takes amounts above 0"),
        ("--target claims --loss poisson --log-target", "--log-target fits squares"),
    ],
)
def test_a_loss_that_does_not_suit_is_an_error_in_one_line(options, message):
    result = run(FIT + options)
    assert result.exit_code != 0
    lines = [line for line in result.stderr.splitlines() if not line.startswith("note:") and "0:00" not in line]
    assert len(lines) == 1
    assert message in lines[0]


def test_reports_of_estimators_know_their_loss():
    rng = np.random.default_rng(0)
    X = np.eye(12)[rng.integers(0, 12, 600)]
    y = rng.poisson(np.exp(X.argmax(axis=1) / 6))
    labels = np.where(y > 2, "yes", "no")
    for model, target in ((PoissonRegressor(alpha=0.01), y), (LogisticRegression(), labels)):
        report = SparsityReport.from_estimator(model.fit(X, target), X_val=X, y_val=target)
        assert report.score == "deviance explained"
        if target is y:
            assert report.path[0]["held"] == pytest.approx(model.score(X, y), rel=1e-9)
        else:
            assert f"AUC {roc_auc_score(labels == 'yes', model.decision_function(X)):.3f}" in report.to_text(width=300)
            assert f"Mean loss {log_loss(labels, model.predict_proba(X)):.4g}" in report.to_text(width=300)
    with pytest.raises(ValueError, match="convex losses"):
        SparsityReport.from_estimator(TweedieRegressor(power=3).fit(X, y + 1.0), X_val=X, y_val=y + 1.0)


def test_models_of_estimators_keep_loss_and_classes(tmp_path):
    rng = np.random.default_rng(0)
    table = rng.integers(0, 4, (200, 2))
    cross = FeatureCross(crosses=[(0, 1)])
    X, y = cross.fit_transform(table), rng.poisson(table[:, 0])
    labels = np.array(["lo", "mid", "hi"], dtype=object)[np.minimum(y, 2)]
    for model, target in (
        (LogisticRegression(), labels == "hi"),
        (LogisticRegression(), labels),
        (LogisticRegression(l1_ratio=1.0), labels == "hi"),
        (PoissonRegressor(), y),
        (SquaredHingeClassifier(), labels),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            save_model(tmp_path / "m.npz", cross, model.fit(X, target))
        loaded = load_model(tmp_path / "m.npz")
        np.testing.assert_array_equal(loaded.predict(table), model.predict(X))
        if hasattr(model, "predict_proba"):
            np.testing.assert_allclose(loaded.predict_proba(table), model.predict_proba(X))
            np.testing.assert_array_equal(loaded.path.classes, model.classes_)
    with pytest.raises(ValueError, match="classifiers of a loss"):
        save_model(tmp_path / "m.npz", cross, RidgeClassifier().fit(X, labels))
    path = regularization_path(X, y, loss=("tweedie", 1.7), alphas=3)
    save_model(tmp_path / "m.npz", cross, path, point=1)
    np.testing.assert_allclose(load_model(tmp_path / "m.npz").predict(table), np.exp(path.predict(X, 1)))


@pytest.mark.usefixtures("folder")
def test_errors_about_losses_name_options_and_a_remedy():
    gamma = run(FIT + "--target claims --loss gamma").stderr
    assert "--loss gamma takes" in gamma
    assert "--loss tweedie:1.5" in gamma
    assert "loss=" not in gamma
    assert "LogisticRegression" in run(FIT + "--target kind --loss multinomial").stderr
    assert "--loss squared for 0" in run(FIT + "--target claims --loss tweedie:3").stderr
