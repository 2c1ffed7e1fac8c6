"""Tests of what FeatureCross owes: scikit-learn's contract, clear errors, state without pickle, untouched input."""

import json
import math
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sparsereg.crosses.binning import Edges, Quantiles, Width
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.rules import Of
from sparsereg.crosses.split import Split


def table(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "city": pd.Categorical(rng.choice(["Oslo", "Rome", "Lima"], n)),
            "code": rng.integers(0, 5, n),
            "weight": rng.normal(size=n),
            "height": rng.normal(size=n),
        }
    )


def cross(**parameters):
    return FeatureCross(bins={"height": Quantiles(3)}, crosses=[("city", "height")], **parameters)


def test_agrees_with_one_hot_encoder():
    X = table()[["city", "code"]]
    expected = OneHotEncoder().fit_transform(X)
    found = FeatureCross().fit_transform(X)
    assert (found != expected).nnz == 0
    assert type(found) is type(expected)


def test_in_pipelines_searches_and_column_transformers():
    X, y = table(), np.arange(60.0)
    model = make_pipeline(cross(), Ridge())
    assert len(cross_val_score(model, X, y, cv=3)) == 3
    grid = {"featurecross__bins": [{"height": Quantiles(2)}, {"height": Width(1)}], "featurecross__degree": [1, 2]}
    search = GridSearchCV(model, grid, cv=3).fit(X, y)
    assert search.best_params_["featurecross__degree"] in (1, 2)
    grid = {"featurecross__max_levels": [None, 2], "featurecross__missing": ["level", "zero"]}
    for hashed in (None, 16):
        model.set_params(featurecross__hashed=hashed)
        assert np.isfinite(GridSearchCV(model, grid, cv=3).fit(X, y).cv_results_["mean_test_score"]).all()
    model.set_params(featurecross__hashed=None)
    columns = ColumnTransformer(
        [("crossed", cross(), ["height", "city"]), ("rest", "passthrough", ["weight"])], sparse_threshold=1.0
    )
    out = columns.fit_transform(X)
    assert sparse.issparse(out)
    assert columns.get_feature_names_out()[0] == f"crossed__height={Quantiles(3).fit(X['height'].to_numpy()).label(-1)}"
    pd.testing.assert_index_equal(
        pd.Index(model.fit(X, y)[:-1].get_feature_names_out()), pd.Index(cross().fit(X).get_feature_names_out())
    )


def test_hard_values_as_categories():
    """Missing values of every spelling, negative zero, huge integers: each finds the level that it was in fit."""
    X = pd.DataFrame(
        {
            "word": pd.Series(["a", math.nan, None, pd.NA], dtype=object),
            "huge": [2**63 - 1, -(2**63), 0, 2**62 + 1],
            "zero": [0.0, -0.0, 1.0, -1.0],
            "edge": [0.0, -0.0, 1.0, -1.0],
        }
    )
    fitted = FeatureCross(bins={"zero": Width(1), "edge": Edges([-0.0, 1])}, crosses=[("word", "zero")]).fit(X)
    out = fitted.transform(X)
    assert list(fitted.get_feature_names_out())[:2] == ["word=a", "word=missing"]
    assert [fitted.inverse(column)[0][1] for column in range(2, 6)] == [-(2**63), 0, 2**62 + 1, 2**63 - 1]
    rows = out.toarray()
    for name in ("zero", "edge"):
        block = next(block for block in fitted.blocks_ if block.name == name)
        part = rows[:, block.start : block.stop]
        np.testing.assert_array_equal(part[0], part[1])
        assert len(np.unique(part, axis=0)) == 3
    for row in range(4):
        assert (fitted.transform(X.iloc[[row]]) != out[[row]]).nnz == 0
    with pytest.raises(
        ValueError, match=r"column 'word' holds values that are not all strings.*'a' \(str\), 1 \(int\)"
    ):
        fitted.transform(X.assign(word=["a", 1, None, "a"]))


def test_sparse_arrays_where_scikit_learn_is_configured_for_them():
    with sklearn.config_context(sparse_interface="sparray"):
        assert isinstance(cross().fit_transform(table()), sparse.csr_array)
    assert isinstance(cross().fit_transform(table()), sparse.csr_matrix)


def test_set_output_explains_itself():
    for frame in ("pandas", "polars"):
        with pytest.raises(ValueError, match=r"sparse columns.*get_feature_names_out"):
            cross().set_output(transform=frame)
    estimator = cross()
    assert estimator.set_output(transform="default") is estimator
    with sklearn.config_context(transform_output="pandas"), pytest.raises(ValueError, match="sparse"):
        cross().fit_transform(table())


def test_input_is_not_touched():
    X = table()
    X["missing"] = pd.array([None, 1] * 30, dtype="Int64")
    before = X.copy(deep=True)
    estimator = cross()
    estimator.fit_transform(X)
    estimator.transform(X)
    pd.testing.assert_frame_equal(X, before)
    array = np.arange(12.0).reshape(6, 2)
    array.flags.writeable = False
    FeatureCross(bins={0: Width(2)}).fit_transform(array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float32"])
def test_dtype(dtype):
    assert cross(dtype=dtype).fit_transform(table()).dtype == np.dtype(dtype)


def test_state_round_trips_without_objects(tmp_path):
    X = table()
    X["note"] = pd.Series(["é", None, "\U0001f600"] * 20, dtype="str")
    X["id"] = np.array([2**64 - 1, 5, 2**63] * 20, dtype=np.uint64)
    X["flag"] = pd.array([True, None, False] * 20, dtype="boolean")
    fitted = cross(main_effects=["note", "id", "flag", "weight"], dtype=np.float32, handle_unknown="error", degree=2)
    fitted.fit(X)
    np.savez(tmp_path / "cross.npz", **fitted.to_arrays())
    with np.load(tmp_path / "cross.npz", allow_pickle=False) as arrays:
        again = FeatureCross.from_arrays(arrays)
    for one in (again, pickle.loads(pickle.dumps(fitted)), FeatureCross.from_arrays(again.to_arrays())):
        assert (one.transform(X) != fitted.transform(X)).nnz == 0
        assert one.transform(X).dtype == np.float32
        assert list(one.get_feature_names_out()) == list(fitted.get_feature_names_out())
        assert one.blocks_ == fitted.blocks_
        assert clone(one).fit(X).blocks_ == fitted.blocks_
        assert list(one.feature_names_in_) == list(X.columns)


def test_state_of_an_array_and_numpy_parameters():
    X = np.array([[1, 2], [3, 2], [1, 5]])
    fitted = FeatureCross(bins={np.int64(0): Edges([2])}, crosses=[np.array([0, 1])], fields=np.array([0, 1])).fit(X)
    again = FeatureCross.from_arrays(fitted.to_arrays())
    assert (again.transform(X) != fitted.transform(X)).nnz == 0
    assert not hasattr(again, "feature_names_in_")
    assert again.get_feature_names_out(["p", "q"])[0] == "p=[-inf,2)"
    with pytest.raises(ValueError, match="do not hold a FeatureCross"):
        FeatureCross.from_arrays({})
    arrays = fitted.to_arrays()
    del arrays["levels_1_numbers"]
    with pytest.raises(ValueError, match="do not hold a FeatureCross"):
        FeatureCross.from_arrays(arrays)
    spec = json.loads(str(fitted.to_arrays()["cross"]))
    assert spec["parameters"]["bins"] == [[0, {"rule": "edges", "edges": [2.0]}]]


@pytest.mark.parametrize(
    "parameters",
    [
        {"fields": ["g"]},
        {"fields": ("g", "h"), "crosses": (["g", "h"],), "numeric": ()},
        {"fields": np.array(["g", "h"]), "crosses": [], "main_effects": ("g",)},
        {"bins": {}, "main_effects": np.True_, "min_count": np.int64(2), "max_memory": np.float64(2e9)},
        {"numeric": ("h",), "bins": {"new": Of("g", Split("|"))}, "dtype": "float32"},
    ],
)
def test_a_loaded_cross_has_the_repr_of_the_saved_one(parameters):
    table = pd.DataFrame({"g": ["a", "b", "a", "b"], "h": [1, 2, 1, 2]})
    cross = FeatureCross(**parameters).fit(table)
    loaded = FeatureCross.from_arrays(cross.to_arrays())
    assert repr(loaded) == repr(cross)
    again = eval(repr(cross), {"FeatureCross": FeatureCross, "Of": Of, "Split": Split}).fit(table)
    assert again.get_feature_names_out().tolist() == cross.get_feature_names_out().tolist()


def test_a_repr_names_only_what_was_set():
    assert repr(FeatureCross(fields=["g"], crosses=[], numeric=[], bins={})) == "FeatureCross(fields=['g'])"
    assert repr(FeatureCross(bins={np.int64(0): Of(np.int64(1), Split())})) == (
        "FeatureCross(bins={0: Of(column=1, rule=Split(separator=None))})"
    )


@pytest.mark.filterwarnings("ignore:field .* in a single row:UserWarning")
def test_pickle_is_small():
    X = pd.DataFrame({"a": np.arange(20_000), "b": np.arange(20_000) % 100})
    fitted = FeatureCross(crosses=[("a", "b")]).fit(X)
    assert len(pickle.dumps(fitted)) < 20_000 * (8 + 4 + 8 + 4) + 10_000


def test_columns_reordered_extra_missing_and_renamed():
    X = table()
    fitted = cross().fit(X)
    expected = fitted.transform(X)
    assert (fitted.transform(X[["height", "code", "weight", "city"]].assign(extra="z")) != expected).nnz == 0
    with pytest.raises(ValueError, match="column 'height' of fit is not in X, whose columns are"):
        fitted.transform(X.drop(columns="height"))
    with pytest.raises(ValueError, match="column 'city' of fit is not in X"):
        fitted.transform(X.rename(columns={"city": "town"}))


def test_names_on_one_side_only_go_by_position_with_a_warning():
    X = table()[["weight", "height"]]
    fitted = FeatureCross().fit(X)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_array_equal(fitted.transform(X.to_numpy()).toarray(), X)
    with pytest.warns(UserWarning, match="fitted without feature names"):
        FeatureCross().fit(X.to_numpy()).transform(X)
    fitted.fit(X.to_numpy())
    assert not hasattr(fitted, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 1 features, but FeatureCross is expecting 2 features"):
        fitted.transform(X.to_numpy()[:, :1])
    with pytest.raises(ValueError, match="input_features should have length"):
        fitted.get_feature_names_out(["a"])
    assert list(fitted.get_feature_names_out(["a", "b"])) == ["a", "b"]
    with pytest.raises(ValueError, match="not equal to feature_names_in_"):
        FeatureCross().fit(X).get_feature_names_out(["a", "b"])


def test_unknown_levels_and_combinations():
    X = pd.DataFrame({"a": ["p", "q", "q"], "b": [1, 1, 2]})
    new = pd.DataFrame({"a": ["p", "r", None], "b": [2, 1, 7]})
    lenient = FeatureCross(crosses=[("a", "b")]).fit(X)
    np.testing.assert_array_equal(
        lenient.transform(new).toarray(), [[1, 0, 0, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]]
    )
    strict = FeatureCross(crosses=[("a", "b")], handle_unknown="error").fit(X)
    assert strict.transform(X).nnz == 9
    for rows, words in [
        ([1], "column 'a' holds 'r' in row 0, which was not seen in fit"),
        ([2], "column 'a' holds None in row 0"),
        ([0], "column 'a' holds 'p' and column 'b' holds 2 in row 0, which was not seen in fit"),
    ]:
        with pytest.raises(ValueError, match=words):
            strict.transform(new.iloc[rows])


def test_types_that_change_between_fit_and_transform():
    X = pd.DataFrame({"code": [1, 2, 3], "name": ["a", "b", "c"], "flag": [True, False, True], "x": [0.5, 1, 2]})
    fitted = FeatureCross().fit(X)
    gaps = X.assign(code=[1.0, math.nan, 3.0], x=[1, 2, 3])
    np.testing.assert_array_equal(fitted.transform(gaps).toarray()[:, :3], [[1, 0, 0], [0, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(fitted.transform(gaps).toarray()[:, -1], [1, 2, 3])
    small = fitted.transform(X.assign(code=X["code"].astype("int8")))
    assert (small != fitted.transform(X)).nnz == 0
    for changed, words in [
        (X.assign(code=[1.0, 2.5, 3.0]), "column 'code' was fitted as integers but holds 2.5 in row 1"),
        (X.assign(code=["1", "2", "3"]), "column 'code' was fitted as integer but holds string values now"),
        (X.assign(name=[1, 2, 3]), "column 'name' was fitted as string but holds integer values"),
        (X.assign(flag=[1, 0, 1]), "column 'flag' was fitted as boolean but holds integer values"),
        (X.assign(x=["a", "b", "c"]), "column 'x' holds string values where numbers are needed"),
        (X.assign(name=pd.to_datetime(["2024-01-01"] * 3)), "column 'name' was fitted as string but holds date"),
    ]:
        with pytest.raises(ValueError, match=words):
            fitted.transform(changed)


def test_missing_values():
    X = pl.DataFrame({"all": [None, None], "some": ["a", None], "x": [math.nan, 1.0]})
    fitted = FeatureCross(bins={"x": Width(1)}).fit(X)
    assert list(fitted.get_feature_names_out()) == ["all=missing", "some=a", "some=missing", "x=[1,2)", "x=missing"]
    now = fitted.transform(pl.DataFrame({"all": ["now", None], "some": [None, None], "x": [None, None]}))
    np.testing.assert_array_equal(now.toarray(), [[0, 0, 1, 0, 1], [1, 0, 1, 0, 1]])
    everywhere = FeatureCross(bins={"q": Quantiles(3)}).fit(pd.DataFrame({"q": [math.nan, math.nan]}))
    assert list(everywhere.get_feature_names_out()) == ["q=missing"]
    quoted = FeatureCross().fit(pd.DataFrame({"a": ["missing", None, "'missing'"]}))
    assert len(set(quoted.get_feature_names_out())) == 3


def test_tables_without_rows():
    fitted = cross().fit(table())
    for empty in (table().iloc[:0], pl.from_pandas(table()).clear()):
        assert fitted.transform(empty).shape == (0, fitted.n_features_out_)
    assert FeatureCross().fit(np.eye(2)).transform(np.empty((0, 2))).shape == (0, 2)
    with pytest.raises(ValueError, match="0 sample"):
        cross().fit(table().iloc[:0])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"fields": "city"}, "fields='city' must be a list"),
        ({"fields": ["town"]}, "fields names 'town', which is not among the columns"),
        ({"fields": [0]}, "fields names 0; call a column by its name"),
        ({"fields": ["city", "city"]}, "names a column twice"),
        ({"fields": []}, "leave no columns"),
        ({"bins": [Width(1)]}, "must be a dict"),
        ({"bins": {"height": 3}}, r"bins\['height'\]=3 must be a Width, Quantiles, Edges, DatePart, Split or Of"),
        ({"bins": {"depth": Width(1)}}, "bins names 'depth'"),
        ({"bins": {"city": Width(1)}}, "column 'city' holds string values where numbers are needed"),
        ({"bins": {"height": Width(1)}, "fields": ["city"]}, "'height', which is not among fields"),
        ({"bins": {"height": Width(1e-300)}}, "column 'height': value .* is infinite or too far"),
        ({"crosses": "city"}, "crosses='city' must be a list of tuples"),
        ({"crosses": ["city"]}, r"crosses=\['city'\] must be a list of tuples"),
        ({"crosses": [("city",)]}, "needs two columns or more"),
        ({"crosses": [("city", "city")]}, "names a column twice"),
        ({"crosses": [("city", "code"), ("code", "city")]}, "holds the same cross twice"),
        ({"crosses": [("city", "weight")]}, "column 'weight' holds numbers and cannot be crossed"),
        ({"crosses": [("city", "code")], "numeric": ["code"]}, "column 'code' holds numbers and cannot be crossed"),
        ({"crosses": [("city", "town")]}, "crosses names 'town'"),
        ({"main_effects": ["town"]}, "main_effects names 'town'"),
        ({"main_effects": False}, "main_effects and crosses leave no columns"),
        ({"main_effects": "city"}, "must be a list"),
        ({"handle_unknown": "ignore"}, "handle_unknown='ignore' must be 'zero' or 'error'"),
        ({"dtype": np.int64}, "must be float32 or float64"),
        ({"numeric": ["city"]}, "column 'city' holds string values where numbers are needed"),
        ({"numeric": ["height"], "bins": {"height": Width(1)}}, "both in numeric and in bins"),
        ({"degree": 0}, "degree=0 must be a whole number, at least 1"),
        ({"degree": True}, "degree=True"),
        ({"degree": 1.5}, "degree=1.5"),
    ],
)
def test_wrong_parameters_are_named(parameters, words):
    with pytest.raises(ValueError, match=words):
        FeatureCross(**parameters).fit(table())


@pytest.mark.parametrize("key", [2, -1, True, 1.0])
def test_positions_of_an_array(key):
    with pytest.raises(ValueError, match="fields names"):
        FeatureCross(fields=[key]).fit(np.eye(2))
    assert list(FeatureCross(fields=["x1", 0]).fit(np.eye(2)).get_feature_names_out()) == ["x1", "x0"]


def test_numbers_that_are_missing_or_infinite_and_dates():
    X = table()
    for value, words in [(math.nan, "NaN: column 'weight', row 3"), (math.inf, "infinity: column 'weight', row 3")]:
        bad = X.copy()
        bad.loc[3, "weight"] = value
        for call in (lambda bad=bad: cross().fit(bad), lambda bad=bad: cross().fit(X).transform(bad)):
            with pytest.raises(ValueError, match=words):
                call()
    binned = X.copy()
    binned.loc[3, "height"] = math.inf
    with pytest.raises(ValueError, match="column 'height': value inf"):
        FeatureCross(bins={"height": Width(1)}).fit(binned)
    dated = X.assign(sold=pd.Timestamp("2024-01-01"))
    with pytest.raises(ValueError, match="column 'sold' holds dates, which need a rule"):
        cross().fit(dated)
    assert cross(fields=list(X.columns)).fit(dated).n_features_in_ == 5


def test_fit_transform_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="sample_weight"):
        cross().fit_transform(table(), sample_weight=np.ones(60))


def test_the_library_does_without_pandas_and_polars():
    code = (
        "import sys; sys.modules['pandas'] = sys.modules['polars'] = sys.modules['pyarrow'] = None\n"
        "import numpy as np\n"
        "from sparsereg.crosses.feature_cross import FeatureCross\n"
        "X = np.array([['a', 1], ['b', 2], [None, 1]], dtype=object)\n"
        "print(FeatureCross(crosses=[(0, 1)]).fit_transform(X).nnz)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "9"
