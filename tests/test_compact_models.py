"""Compact models of saved models, pipelines and estimators: of every loss, with several outputs, with an exposure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.linear_model
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from test_compact import path_of

import sparsereg as S
from sparsereg import CompactModel, FeatureCross, Model, Width, load_compact

ROWS = pd.DataFrame({"a": list("xyxz") * 10, "b": [1, 2, 2, 1] * 10, "u": np.linspace(-3, 9, 40), "v": np.arange(40.0)})
Y = (ROWS["a"] == "x") * 2.0 + ROWS["u"] * 0.3 + 1


def transformer(inner):
    columns = [("cross", inner, ["b", "a"]), ("plain", "passthrough", ["u"]), ("scaled", StandardScaler(), ["v"])]
    return ColumnTransformer([*columns, ("none", "drop", ["v"])])


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_pipelines_and_column_transformers(frame):
    table = frame(ROWS)
    cross = FeatureCross(crosses=[("a", "b")])
    for steps in (FeatureCross(crosses=[("a", "b")]), transformer(cross)):
        for last in (S.Lasso(0.01), S.Ridge(0.1), sklearn.linear_model.ElasticNet(0.01)):
            fitted = make_pipeline(steps, last).fit(table, Y.to_numpy())
            compare_fitted = CompactModel.from_model(fitted)
            assert np.allclose(compare_fitted.predict(table), fitted.predict(table), rtol=1e-11, atol=1e-12)
            assert np.isclose(compare_fitted.predict_one(ROWS.iloc[3].to_dict()), fitted.predict(table)[3], rtol=1e-11)


def test_arrays_slices_and_masks():
    array = np.c_[ROWS["b"], ROWS["v"] % 3, ROWS["u"]]
    for chosen in ([0, 1], slice(0, 2), np.array([True, True, False])):
        bins = {0: Width(1), 1: Width(1)}
        columns = make_column_transformer((FeatureCross(bins=bins), chosen), remainder="passthrough")
        fitted = make_pipeline(columns, S.Ridge()).fit(array, Y)
        assert np.allclose(CompactModel.from_model(fitted).predict(array), fitted.predict(array), rtol=1e-11)
    alone = S.Lasso(0.01).fit(array, Y)
    assert np.allclose(CompactModel.from_model(alone).predict(array), alone.predict(array), rtol=1e-11)


def test_links_are_found_by_comparison():
    """Estimators that predict an exponential or a probability; others are refused."""
    cross = FeatureCross(fields=["a", "b"])
    counts, labels = np.round(Y).clip(0), np.where(Y > 2, "yes", "no")
    poisson = make_pipeline(cross, sklearn.linear_model.PoissonRegressor(alpha=0.1)).fit(ROWS, counts)
    compact = CompactModel.from_model(poisson)
    assert compact.link == "log"
    assert np.allclose(compact.predict(ROWS), poisson.predict(ROWS), rtol=1e-12)
    logistic = make_pipeline(FeatureCross(fields=["a", "b"]), sklearn.linear_model.LogisticRegression()).fit(
        ROWS, labels
    )
    compact = CompactModel.from_model(logistic)
    assert (compact.link, compact.data["classes"]) == ("logit", ["no", "yes"])
    assert np.allclose(compact.predict(ROWS), logistic.predict_proba(ROWS)[:, 1], rtol=1e-12)

    class Odd(sklearn.linear_model.LinearRegression):
        def predict(self, X):
            return super().predict(X) ** 2 + 1

    odd = make_pipeline(FeatureCross(fields=["a", "b"]), Odd()).fit(ROWS, Y)
    with pytest.raises(ValueError, match="not a linear model of these columns"):
        CompactModel.from_model(odd)


def test_models_of_other_losses(tmp_path):
    """Saved, and as pipelines: probabilities, rates, predictors; of several classes and targets one each."""
    counts, labels, three = np.round(Y).clip(0), np.where(Y > 2, "yes", "no"), ROWS["a"].to_numpy()
    models = [
        (S.LogisticRegression(C=2.0), labels, "logit", lambda m: m.predict_proba(ROWS)[:, 1]),
        (S.LogisticRegression(C=2.0), three, "softmax", lambda m: m.predict_proba(ROWS)),
        (S.PoissonRegressor(alpha=0.01, l1_ratio=1.0), counts, "log", lambda m: m.predict(ROWS)),
        (S.GammaRegressor(alpha=0.01), counts + 0.5, "log", lambda m: m.predict(ROWS)),
        (S.TweedieRegressor(power=1.5, alpha=0.01), counts, "log", lambda m: m.predict(ROWS)),
        (S.HuberLossRegressor(alpha=0.01), Y, "identity", lambda m: m.predict(ROWS)),
        (S.SquaredHingeClassifier(), labels, "identity", lambda m: m.decision_function(ROWS)),
        (S.RidgeClassifier(), three, "identity", lambda m: m.decision_function(ROWS)),
        (S.MultiTaskLasso(0.01), np.c_[Y, -Y], "identity", lambda m: m.predict(ROWS)),
    ]
    for last, y, link, predict in models:
        fitted = make_pipeline(FeatureCross(crosses=[("a", "b")], fields=["a", "b"]), last).fit(ROWS, y)
        S.save_model(tmp_path / "model.npz", fitted)
        for model in (fitted, tmp_path / "model.npz"):
            compact = CompactModel.from_model(model)
            assert compact.link == link
            assert compact.data.get("classes") == (list(fitted.classes_) if hasattr(fitted, "classes_") else None)
            assert compact.data["format_version"] == (2 if compact.n_outputs > 1 else 1)
            found = compact.predict(ROWS)
            assert np.allclose(found, predict(fitted), rtol=1e-12, atol=1e-13)
            assert np.allclose([compact.predict_one(row) for row in ROWS.to_dict("records")], found, rtol=1e-13)
            compact.save(tmp_path / "c.json")
            again = load_compact(tmp_path / "c.json")
            assert again.data == compact.data
            parts = again.explain_one(ROWS.iloc[0].to_dict(), output=again.n_outputs - 1)
            own = dict(again.weights(again.n_outputs - 1))
            assert all(own[name] == weight for name, weight in parts)


def test_an_exposure_is_a_column_of_the_compact_model():
    table = ROWS.assign(exposure=np.linspace(0.2, 2, 40))
    counts, offset = np.round(Y).clip(0), np.log(table["exposure"].to_numpy())
    cross = FeatureCross(fields=["a", "b"])
    path = S.regularization_path(cross.fit_transform(table), counts, loss="poisson", offset=offset, alphas=5)
    model = Model(cross, path, {"offset": {"column": "exposure", "log": True}})
    compact = CompactModel.from_model(model)
    assert (compact.data["format_version"], "exposure" in compact.columns) == (2, True)
    assert np.allclose(compact.predict(table), model.predict(table), rtol=1e-12)
    row = table.iloc[3].to_dict()
    assert np.isclose(compact.predict_one(row), model.predict(table)[3], rtol=1e-12)
    for wrong in (0.0, -1.0, None):
        with pytest.raises(ValueError, match="must be positive"):
            compact.predict_one(row | {"exposure": wrong})
    with pytest.raises(ValueError, match="must be positive"):
        compact.predict(table.assign(exposure=0.0))
    fitted = S.PoissonRegressor(alpha=0.01).fit(cross.transform(table).toarray(), counts, offset=offset)
    alone = CompactModel.from_model(fitted, offset={"column": "exposure", "log": True})
    frame = pd.DataFrame(cross.transform(table).toarray(), columns=[f"x{j}" for j in range(fitted.coef_.size)])
    found = alone.predict(frame.assign(exposure=table["exposure"]))
    assert np.allclose(found, fitted.predict(cross.transform(table).toarray(), offset=offset), rtol=1e-12)
    plain = Model(cross, path, {"offset": {"column": "u"}})
    assert CompactModel.from_model(plain).data["format_version"] == 1  # a number of weight 1
    assert np.allclose(CompactModel.from_model(plain).predict(ROWS), plain.predict(ROWS), rtol=1e-12)


def test_log_target_and_points():
    cross = FeatureCross(fields=["a", "b"])
    path = S.regularization_path(cross.fit_transform(ROWS), np.log(Y - Y.min() + 1), alphas=5)
    model = Model(cross, path, {"log_target": True, "point": 2})
    for k in (None, 0, -1):
        assert np.allclose(CompactModel.from_model(model, k).predict(ROWS), model.predict(ROWS, k), rtol=1e-12)
    with pytest.raises(IndexError, match="k=9"):
        CompactModel.from_model(model, 9)


def refusals():
    cross = FeatureCross(fields=["a"])
    X = cross.fit_transform(ROWS)
    hashed = FeatureCross(fields=["a"], hashed=16)
    yield make_pipeline(hashed, S.Lasso(0.1)).fit(ROWS, Y), "hashed=16"
    yield make_pipeline(FeatureCross(fields=["a"]), MaxAbsScaler(), S.Lasso(0.1)).fit(ROWS, Y), "has the steps"
    yield make_pipeline(MaxAbsScaler(), S.Lasso(0.1)).fit(X.toarray(), Y), "MaxAbsScaler cannot be exported"
    yield make_pipeline(make_column_transformer((MaxAbsScaler(), ["u"])), S.Lasso(0.1)).fit(ROWS, Y), "a MaxAbsScaler"
    yield S.Lasso(), "no fitted linear model"
    yield Model(cross, path_of(np.ones(3), link="cauchit")), "cauchit"


def test_what_is_refused():
    for model, words in refusals():
        with pytest.raises(ValueError, match=words):
            CompactModel.from_model(model)
