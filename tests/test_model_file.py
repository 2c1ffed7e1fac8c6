"""Model files: the same predictions after a round trip, atomic writes, and nothing executed by loading."""

from __future__ import annotations

import io
import json
import pickle
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model
from sklearn.linear_model import Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

import sparsereg as S
from sparsereg import SparsityReport, load_model, regularization_path, save_model
from sparsereg.crosses.binning import Quantiles, Width
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.serving import model_file

ARRAYS = ("alphas", "intercepts", "dual_gaps", "n_iters", "seconds", "deviance_explained")


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "latitude": rng.normal(37.7, 0.05, 400),
            "shop": rng.choice(["north", "süd", "east", None], 400),
            "item": rng.integers(0, 30, 400),
            "size": rng.random(400),
        }
    )
    cross = FeatureCross(
        bins={"latitude": Width("1/60"), "size": Quantiles(5)}, crosses=[("shop", "item"), ("latitude", "shop", "item")]
    )
    y = (table["shop"] == "north") * 2.0 + table["item"] / 10 + rng.normal(size=400)
    return table, cross, regularization_path(cross.fit_transform(table), y.to_numpy(), alphas=12)


@pytest.fixture
def saved(parts, tmp_path):
    _, cross, path = parts
    file = tmp_path / "model.npz"
    save_model(file, cross, path, point=4, target="y", note=["anything", 1.5, None])
    return file


def rewritten(file, **changes):
    """The model in `file` with some arrays replaced, or left out where None."""
    with np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name, value in changes.items():
        arrays[name.replace("__", "/")] = value
    np.savez(file, **{name: value for name, value in arrays.items() if value is not None})
    return file


def header_of(file):
    with np.load(file, allow_pickle=False) as archive:
        return json.loads(str(archive["header"]))


def test_round_trip(parts, saved):
    table, cross, path = parts
    model = load_model(saved)
    for name in ARRAYS:
        kept, was = getattr(model.path, name), getattr(path, name)
        assert kept.dtype == was.dtype, name
        np.testing.assert_array_equal(kept, was, err_msg=name)
    assert (model.path.l1_ratio, model.path.tol, model.path.gap_scale) == (path.l1_ratio, path.tol, path.gap_scale)
    assert (model.path.coefs != path.coefs).nnz == 0
    assert model.path.coefs.dtype == path.coefs.dtype
    assert model.meta == {"point": 4, "target": "y", "note": ["anything", 1.5, None]}
    assert model.cross.get_feature_names_out().tolist() == cross.get_feature_names_out().tolist()
    X = cross.transform(table)
    for k in (None, 0, 7, -1):
        expected = path.predict(X, 4 if k is None else k)
        np.testing.assert_array_equal(model.predict(table, k), expected)


def test_predicts_other_tables(parts, saved):
    table, cross, path = parts
    other = table.assign(item=table["item"] + 25, latitude=table["latitude"].where(table.index % 3 > 0)).iloc[:50]
    np.testing.assert_array_equal(load_model(saved).predict(other), path.predict(cross.transform(other), 4))


def test_log_target_is_undone(parts, tmp_path):
    table, cross, path = parts
    save_model(tmp_path / "m", cross, path, log_target=True, point=11)
    expected = np.exp(path.predict(cross.transform(table), 11))
    np.testing.assert_allclose(load_model(tmp_path / "m").predict(table), expected, rtol=1e-15)


def test_without_cross(parts, tmp_path):
    table, cross, path = parts
    save_model(tmp_path / "m", None, path, point=11)
    model = load_model(tmp_path / "m")
    assert model.cross is None
    assert model.point == 11
    X = cross.transform(table)
    np.testing.assert_array_equal(model.predict(X), path.predict(X))


def test_float32_stays(parts, tmp_path):
    table, cross, _ = parts
    X = cross.transform(table).astype(np.float32)
    path = regularization_path(X, np.arange(400.0), alphas=3)
    save_model(tmp_path / "m", cross, replace(path, coefs=path.coefs.astype(np.float32)), point=2)
    assert load_model(tmp_path / "m").path.coefs.dtype == np.float32


def test_saving_twice_gives_the_same_bytes(parts, tmp_path):
    _, cross, path = parts
    for name in ("a", "b"):
        save_model(tmp_path / name, cross, path, point=1)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_truncated(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"model.npz is not a sparsereg model, or is damaged: .+") as caught:
        load_model(saved)
    assert "\n" not in str(caught.value)


def test_flipped_bits_are_found_or_harmless(parts, saved):
    table, _, _ = parts
    content, expected = saved.read_bytes(), load_model(saved).predict(table)
    rng = np.random.default_rng(2)
    outcomes = {"found": 0, "harmless": 0}
    for place in rng.integers(0, len(content), 300).tolist():
        saved.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        message, model = "", None
        try:
            model = load_model(saved)
        except ValueError as error:
            message = str(error)
        if model is None:
            assert message.startswith(str(saved))
            assert "\n" not in message
            outcomes["found"] += 1
            continue
        # Times and names of the zip archive itself are not covered by its checksums.
        np.testing.assert_array_equal(model.predict(table), expected)
        outcomes["harmless"] += 1
    assert outcomes["found"] > 200


sprung = []


def spring(where):
    sprung.append(where)


class Trap:
    """Says so when it is unpickled."""

    def __reduce__(self):
        return (spring, ("here",))


def test_nothing_is_executed(saved, tmp_path):
    sprung.clear()
    plain = tmp_path / "plain"
    plain.write_bytes(pickle.dumps(Trap()))
    array = tmp_path / "array.npy"
    np.save(array, np.array([Trap()], dtype=object), allow_pickle=True)
    inside = tmp_path / "inside.npz"
    inside.write_bytes(saved.read_bytes())
    trap = io.BytesIO()
    np.save(trap, np.array([Trap()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(inside, "a") as archive:
        archive.writestr("cross/trap.npy", trap.getvalue())
    for file in (plain, array, inside):
        with pytest.raises(ValueError, match="is not a sparsereg model"):
            load_model(file)
    assert sprung == []
    pickle.loads(plain.read_bytes())
    assert sprung == ["here"], "the trap works"


@pytest.mark.parametrize("version", [2, 0, None, "1"])
def test_other_versions_are_refused(saved, version):
    header = header_of(saved) | {"format_version": version}
    rewritten(saved, header=np.array(json.dumps(header)))
    with pytest.raises(ValueError, match=rf"format version {version!r}; this sparsereg reads version 1. Upgrade"):
        load_model(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"path__alphas": None},
        {"path__alphas": np.ones(5)},
        {"path__alphas": np.ones(12, dtype=np.float32)},
        {"path__indices": np.full(3, 10**9)},
        {"path__indptr": np.zeros(4, dtype=np.int64)},
        {"path__data": np.array(["a"])},
        {"path__intercepts": np.full(12, np.nan)},
        {"cross__levels_0_numbers": np.array(3)},
        {"cross__counts_0": np.array([True, False])},
        {"cross__cross": None},
        {"cross__layout": np.array("{}")},
        {"cross__cross": np.array("[1, 2]")},
    ],
    ids=str,
)
def test_parts_that_do_not_fit(saved, changes):
    message = r"model.npz is (a damaged sparsereg model|not a sparsereg model, or is damaged): .+"
    with pytest.raises(ValueError, match=message) as caught:
        load_model(rewritten(saved, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change", [{"meta": {"point": 12}}, {"meta": 3}, {"shape": [7, 12]}, {"tol": "small"}, {"shape": None}], ids=str
)
def test_headers_that_do_not_fit(saved, change):
    rewritten(saved, header=np.array(json.dumps(header_of(saved) | change)))
    with pytest.raises(ValueError, match=r"model.npz is a damaged sparsereg model"):
        load_model(saved)


def test_what_cannot_be_saved(parts, tmp_path):
    _, cross, path = parts
    with pytest.raises(ValueError, match=r"meta=.*must consist of what JSON can represent"):
        save_model(tmp_path / "m", cross, path, when=object(), point=3)
    with pytest.raises(ValueError, match=r"meta=.*must consist of what JSON can represent"):
        save_model(tmp_path / "m", cross, path, score=float("nan"), point=3)
    with pytest.raises(ValueError, match="point=12 is not one of the path's 12 points"):
        save_model(tmp_path / "m", cross, path, point=12)
    with pytest.raises(ValueError, match="cross makes 2 columns"):
        save_model(tmp_path / "m", FeatureCross().fit(np.array([[1], [2]])), path)
    with pytest.raises(ValueError, match="there is no folder"):
        save_model(tmp_path / "nowhere" / "m", cross, path, point=3)
    with pytest.raises(ValueError, match="is not a regular file"):
        save_model(tmp_path, cross, path, point=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=repr)
def test_a_failed_save_leaves_what_was_there(parts, saved, tmp_path, monkeypatch, error):
    _, cross, path = parts
    before = saved.read_bytes()

    def fail_midway(out, **arrays):
        out.write(b"half of " + str(len(arrays)).encode())
        raise error

    monkeypatch.setattr(model_file.np, "savez_compressed", fail_midway)
    with pytest.raises(type(error)):
        save_model(saved, cross, path, point=3)
    assert saved.read_bytes() == before
    assert list(tmp_path.iterdir()) == [saved]


def test_the_point_that_predicts_is_said(parts, tmp_path):
    _, cross, path = parts
    with pytest.warns(UserWarning, match=r"no point=k was given: the last of the path's 12 points"):
        save_model(tmp_path / "m", cross, path)
    assert load_model(tmp_path / "m").point == 11
    for k in (-1, np.int64(11), np.argmin(path.alphas)):
        save_model(tmp_path / "m", cross, path, point=k)
        assert load_model(tmp_path / "m").point == 11


@pytest.mark.parametrize("member", ["cross/more", "path/more", "more"])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_unknown_members_are_not_read(saved, member, method):
    out = io.BytesIO()
    np.save(out, np.zeros(30_000_000))
    with zipfile.ZipFile(saved, "a", method) as archive:
        archive.writestr(f"{member}.npy", out.getvalue())
    del out
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"it holds '{member}.npy' which no model has"):
        load_model(saved)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("shape", ["(10000000000,)", "(3,)", "(-1,)"])
def test_members_of_another_size_than_they_declare(saved, shape):
    with np.load(saved) as archive:
        arrays = {name: archive[name] for name in archive.files}
    with zipfile.ZipFile(saved, "w") as archive:
        for name, array in arrays.items():
            out = io.BytesIO()
            np.save(out, array)
            content = out.getvalue()
            if name == "path/alphas":
                content = content.replace(
                    b"(12,), }" + b" " * max(len(shape) - 5, 0), shape.encode() + b", }" + b" " * max(5 - len(shape), 0)
                )
            archive.writestr(f"{name}.npy", content)
    with pytest.raises(ValueError, match=r"model.npz is not a sparsereg model, or is damaged"):
        load_model(saved)


def member(file, name):
    with np.load(file, allow_pickle=False) as archive:
        return archive[name]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_coefficients_that_are_not_finite(parts, saved, tmp_path, value):
    _, cross, path = parts
    data = member(saved, "path/data").copy()
    data[-1] = value
    with pytest.raises(ValueError, match="not finite"):
        load_model(rewritten(saved, path__data=data))
    with pytest.raises(ValueError, match="not finite"):
        save_model(tmp_path / "n", cross, replace(path, intercepts=path.intercepts + value), point=1)


@pytest.mark.parametrize(
    "name", ["cross/levels_1_offsets", "cross/levels_2_numbers", "cross/counts_4", "cross/keys_4_0"]
)
@pytest.mark.parametrize(
    "change",
    [lambda a: a[::-1], lambda a: a[0], lambda a: a > a[0], lambda a: a[:-1], lambda a: a[:, None], lambda a: a * 1.5,
     lambda a: np.append(a, a[-1] + 10**9), lambda a: a - 10**9],
    ids=["reversed", "0-d", "bool", "shorter", "2-d", "float", "longer", "negative"],
)  # fmt: skip
def test_crafted_crosses(parts, saved, name, change):
    table, *_ = parts
    array = change(member(saved, name))
    rewritten(saved, **{name.replace("/", "__"): array})
    model, message = None, ""
    try:
        model = load_model(saved)
    except ValueError as error:
        message = str(error)
    if model is None:
        assert "model.npz is a damaged sparsereg model" in message
    else:  # another cross than before, but a whole one
        model.predict(table)


def test_a_fitted_estimator_or_pipeline(parts, tmp_path):
    table, cross, _ = parts
    X, y = cross.transform(table), np.arange(400.0)
    estimators = [S.Lasso(0.1), S.ElasticNet(0.1), S.Ridge(2.0), S.RidgeCV(), sklearn.linear_model.Lasso(0.1),
                  sklearn.linear_model.LinearRegression()]  # fmt: skip
    for estimator in estimators:
        for target in (y, np.column_stack([y, y[::-1]])):
            save_model(tmp_path / "m", cross, estimator.fit(X, target))
            model = load_model(tmp_path / "m")
            np.testing.assert_allclose(model.predict(table), estimator.predict(X), rtol=1e-12)
            assert SparsityReport.from_estimator(model).path[0]["n_nonzero"] > 0
            assert "active" in SparsityReport.from_estimator(model).to_text()
    pipeline = make_pipeline(FeatureCross(crosses=cross.crosses, bins=cross.bins), S.Lasso(0.1)).fit(table, y)
    save_model(tmp_path / "m", None, pipeline)
    np.testing.assert_allclose(load_model(tmp_path / "m").predict(table), pipeline.predict(table), rtol=1e-12)
    path = S.ridge_path(X, y, alphas=3)
    save_model(tmp_path / "m", cross, path, point=1)
    np.testing.assert_allclose(load_model(tmp_path / "m").predict(table), path.predict(X, 1), rtol=1e-12)


def test_estimators_that_cannot_be_saved(parts, tmp_path):
    table, cross, _ = parts
    X, y = cross.transform(table), np.arange(400.0)
    with pytest.raises(
        ValueError, match=r"path=Lasso has no coef_ and intercept_; pass the result of regularization_path"
    ):
        save_model(tmp_path / "m", cross, S.Lasso())
    with pytest.raises(ValueError, match=r"path=Perceptron is a classifier without a loss"):
        save_model(tmp_path / "m", cross, Perceptron().fit(X, y > 9))
    scaled = make_pipeline(MaxAbsScaler(), S.Lasso(0.1)).fit(X, y)
    with pytest.raises(ValueError, match=r"path=Pipeline: .* but not MaxAbsScaler"):
        save_model(tmp_path / "m", None, scaled)
    assert list(tmp_path.iterdir()) == []


def test_wrong_point_in_predict(parts, saved):
    table, *_ = parts
    with pytest.raises(ValueError, match="k=12"):
        load_model(saved).predict(table, 12)
