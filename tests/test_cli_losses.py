"""Losses on the command line: which is chosen, what is predicted, what is reported and kept in a model file."""

from __future__ import annotations

import json
import re
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
    information_criterion,
    load_model,
    regularization_path,
    save_model,
)
from sparsereg.cli.commands import cli
from sparsereg.cli.score import main as score


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
        ("--target kind --loss logistic", "3 different values"),
        ("--target claims --exposure left", "add --loss poisson"),
        ("--target claims --offset left --exposure left --loss poisson", "choose one"),
        ("--target claims --exposure left --loss poisson", "an exposure must be positive"),
        ("--target claims --offset churn", "must hold numbers"),
        ("--target claims --offset claims", "is the target and cannot be the offset"),
        ("--target kind --folds 3 --positive", "one coefficient a column"),
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
    save_model(tmp_path / "m.npz", cross, RidgeClassifier().fit(X, labels))
    assert load_model(tmp_path / "m.npz").path.loss == "squared"
    path = regularization_path(X, y, loss=("tweedie", 1.7), alphas=3)
    save_model(tmp_path / "m.npz", cross, path, point=1)
    np.testing.assert_allclose(load_model(tmp_path / "m.npz").predict(table), np.exp(path.predict(X, 1)))


@pytest.mark.usefixtures("folder")
def test_errors_about_losses_name_options_and_a_remedy():
    gamma = run(FIT + "--target claims --loss gamma").stderr
    assert "--loss gamma takes" in gamma
    assert "--loss tweedie:1.5" in gamma
    assert "loss=" not in gamma
    assert "--positive is for one coefficient" in run(FIT + "--target kind --loss multinomial --positive").stderr
    for given in ("--loss multinomial", ""):
        assert "changes no probability" in run(FIT + f"--target kind {given} --offset claims").stderr
    assert "--loss squared for 0" in run(FIT + "--target claims --loss tweedie:3").stderr
    pl.read_csv("rows.csv").with_columns(same=pl.lit("on")).write_csv("same.csv")
    assert "holds one text only, 'on'" in run("fit same.csv --target same").stderr


@pytest.mark.usefixtures("folder")
def test_texts_of_several_values_are_classes():
    result = succeed(FIT + "--target kind --exclude left,churn,claims")
    notes = " ".join(result.stderr.split())
    assert "holds 3 texts, x, y, z: fitted with --loss multinomial" in notes
    assert "5 folds drawn with seed 0" in notes
    kept, observed = re.search(r"with ([0-9,]+) of ([0-9,]+) columns", notes).groups()
    model, table = load_model("model.npz"), pl.read_csv("rows.csv")
    assert (model.path.loss, model.path.classes.tolist()) == ("multinomial", ["x", "y", "z"])
    assert int(kept) == np.unique(model.path.coef(model.point).indices).size
    assert f"{kept} of {observed} columns" in repr(model)
    assert "deviance explained 0.9" in succeed("predict model.npz rows.csv --keep a --out out.csv").stderr
    out = pl.read_csv("out.csv")
    assert out.columns == ["a", "prediction", *(f"probability of {label}" for label in "xyz")]
    np.testing.assert_array_equal(out["prediction"].to_numpy(), model.predict(table))
    np.testing.assert_allclose(out[:, 2:].to_numpy(), model.predict_proba(table))
    text = " ".join(succeed("report model.npz --class y").stdout.split())
    assert "are kept for kind = y; with those of the other classes they explain" in text
    assert "has the classes x, y, z" in run("report model.npz --class q").stderr
    rows = succeed("export model.npz --to csv").stdout.splitlines()
    assert rows[0] == "output,column,weight"
    assert {line.split(",")[0] for line in rows[1:]} == {"x", "y", "z"}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("target", ["churn", "left", "churn --loss squared_hinge", "kind", "claims --loss poisson"])
def test_score_writes_what_predict_does(target):
    succeed(FIT + f"--target {target} --validate 0.2")
    succeed("predict model.npz rows.csv --out predicted.csv")
    succeed("export model.npz --out model.json")
    assert score(["model.json", "rows.csv", "--out", "scored.csv"]) == 0
    predicted, scored = pl.read_csv("predicted.csv"), pl.read_csv("scored.csv")
    assert predicted.columns == scored.columns
    for name in predicted.columns:
        if predicted[name].dtype == pl.Float64:
            np.testing.assert_allclose(predicted[name].to_numpy(), scored[name].to_numpy(), rtol=1e-12)
        else:
            assert predicted[name].to_list() == scored[name].to_list()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("how", ["--validate 0.3", "--folds 3", "--folds 3 --design auto"])
def test_an_exposure_makes_rates(how):
    table = pl.read_csv("rows.csv").with_columns(years=pl.Series(np.random.default_rng(5).uniform(0.2, 3, 1500)))
    table = table.with_columns(claims=pl.Series(np.random.default_rng(6).poisson(table["years"] * 0.8)))
    table.write_csv("rows.csv")
    fit = FIT.replace("--cross a,b ", "") if "auto" in how else FIT
    succeed(fit + f"--target claims --loss poisson --exposure years {how} --html r.html")
    model = load_model("model.npz")
    assert model.meta["offset"] == {"column": "years", "log": True}
    assert "years" not in {*model.cross.levels_, *model.cross.numbers_}
    out = succeed("predict model.npz rows.csv --out out.csv")
    predicted = pl.read_csv("out.csv")["prediction"].to_numpy()
    np.testing.assert_allclose(predicted, model.predict(table))
    assert predicted.sum() == pytest.approx(table["claims"].sum(), rel=0.05)
    # Twice the exposure, twice the claims.
    np.testing.assert_allclose(model.predict(table.with_columns(years=2 * pl.col("years"))), 2 * predicted)
    assert "deviance explained" in out.stderr
    table.drop("years").write_csv("short.csv")
    assert "--point 999 is not one of" in run("predict model.npz short.csv --point 999").stderr
    assert "no column 'years'" in run("predict model.npz short.csv").stderr


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("target", ["churn", "kind", "claims --loss poisson --exposure years --l1-ratio 0.5"])
def test_a_criterion_chooses_on_all_rows(target):
    table = pl.read_csv("rows.csv")
    table.with_columns(years=np.random.default_rng(0).uniform(0.5, 1.5, table.height)).write_csv("rows.csv")
    fit = f"{FIT} --target {target} "
    points = []
    for criterion in ("aic", "bic"):
        result = succeed(f"{fit} --criterion {criterion}")
        model = load_model("model.npz")
        X, known = model.cross.transform(table), None
        if "exposure" in target:
            known = np.log(pl.read_csv("rows.csv")["years"].to_numpy())
        found = information_criterion(model.path, X, criterion=criterion, offset=known)
        assert f"{criterion.upper()} is least at point {found.k}," in " ".join(result.stderr.split())
        assert (model.point, model.meta["rows"]) == (found.k, 1500)
        assert "held_out_r2" not in model.meta
        points.append(found.k)
    assert points[1] <= points[0]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--l1-ratio 2", "--l1-ratio"), ("--tol -1", "--tol"), ("--eps 0", "--eps"), ("--alphas 1,x", "neither"),
        ("--alphas 1,0.5 --eps 0.1", "choose one"), ("--l1-ratio 0", "name the strengths"),
        ("--folds 3 --validate 0.1", "choose one"), ("--patience 3 --validate 0", "holds none out"),
        ("--criterion bic --folds 3", "--criterion and --folds"), ("--criterion aic --validate 0", "--criterion and"),
        ("--criterion aic --patience 3", "holds none out"), ("--criterion x", "--criterion"),
        ("--criterion bic --loss huber", "--loss huber:1.35 does not"), ("--criterion aic --loss tweedie", "folds"),
        ("--patience 3 --alphas 2,1", "choose one"), ("--loss squared_hinge --log-target", "--log-target fits squares"),
        ("--bin z=1/60 --numeric z", "--bin and --numeric"), ("--field a --exclude a", "used and excluded"),
        ("--design auto --degree 4", "at most 3 fields"), ("--design main --degree 2", "choose one"),
        ("--weight left --field left", "is the weight"), ("--loss multinomial --positive", "--positive"),
    ],
)  # fmt: skip
def test_options_are_checked_before_the_table_is_read(options, message):
    """Of a file that could not be read."""
    with open("broken.csv", "wb") as file:
        file.write(b"a,b\n\xff\xfe,1\n")
    result = run(f"fit broken.csv --target churn {options}")
    assert result.exit_code != 0
    assert message in " ".join(result.stderr.split())
    assert "read as a table" not in result.stderr
