"""Tables in Parquet files: the same columns, codes and paths as from one table in memory."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import FeatureCross, ParquetRows, Quantiles, Split, Width, regularization_path
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.disk import DiskRows

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

PARAMETERS = {
    "bins": {"size": Quantiles(4), "place": Width("1/2"), "tags": Split("|")},
    "crosses": [("shop", "day"), ("shop", "size"), ("tags", "day"), ("shop", "day", "flag")],
    "numeric": ["number"],
}


def table(n: int = 2400, seed: int = 0):
    rng = np.random.default_rng(seed)
    shop, day = np.minimum(rng.zipf(1.3, n) - 1, 60), rng.integers(0, 30, n)
    tags = ["|".join(f"t{k}" for k in rng.integers(0, 5, rng.integers(0, 3))) or None for _ in range(n)]
    columns = {
        "shop": [None if k == 9 else f"shop {k}" for k in shop],
        "day": pa.array(np.where(day == 3, None, day).tolist(), pa.int64()),
        "flag": (shop % 2 == 0).tolist(),
        "size": rng.normal(size=n),
        "place": rng.normal(size=n),
        "tags": tags,
        "number": rng.normal(size=n),
        "y": 50.0 + rng.normal(size=n) + 2.0 * (shop < 2) - (day == 5),
        "weight": rng.uniform(0.0, 2.0, n),
    }
    return pa.table(columns)


def write(folder: Path, whole, n_files: int, order: str = "as is") -> str:
    if order == "sorted":
        whole = whole.sort_by([("shop", "ascending"), ("day", "ascending")])
    bounds = np.linspace(0, whole.num_rows, n_files + 1).astype(int)
    if order == "uneven":
        bounds = np.array([0, 1, *bounds[1:]])
    for number, (a, b) in enumerate(pairwise(bounds)):
        pq.write_table(whole.slice(a, b - a), folder / f"log{number}.parquet", row_group_size=400)
    if order == "uneven":
        pq.write_table(whole.slice(0, 0), folder / "log00.parquet")
    return str(folder / "*.parquet")


def read(pattern: str, **options) -> ParquetRows:
    """In parts of about a thousand rows."""
    return ParquetRows(pattern, max_memory=1, **options)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(ParquetRows, "part_rows", property(lambda _: 900))


def names(cross: FeatureCross) -> list[str]:
    return cross.feature_names(np.arange(cross.n_features_out_))


@pytest.mark.parametrize(
    ("n_files", "order", "extra"),
    [
        (1, "as is", {"min_count": 4}),
        (3, "sorted", {"min_count": 30, "max_levels": 20}),
        (2, "uneven", {"missing": "zero"}),
        (2, "uneven", {"min_count": 4}),
    ],
)
def test_the_columns_are_those_of_one_table(tmp_path, n_files, order, extra):
    whole = table().drop_columns(["y", "weight"])
    rows = read(write(tmp_path, whole, n_files, order))
    assert len(rows.parts) >= 3
    wanted = FeatureCross(**PARAMETERS, **extra).fit(whole)
    found = FeatureCross(**PARAMETERS, **extra).fit(rows)
    assert names(found) == names(wanted)
    for mine, theirs in zip(found.describe(), wanted.describe(), strict=True):
        assert (mine["block"], mine["columns"], mine["entries"]) == (
            theirs["block"],
            theirs["columns"],
            theirs["entries"],
        )
    got = sp.vstack(list(found.transform(rows)))
    if order == "as is":
        assert abs(got - wanted.transform(whole)).nnz == 0


@pytest.mark.parametrize(("order", "weight"), [("as is", "weight"), ("sorted", None)])
def test_a_screened_path_is_that_of_one_table(tmp_path, order, weight):
    whole = table()
    if order == "sorted":
        whole = whole.sort_by([("shop", "ascending"), ("day", "ascending")])
    rows = read(write(tmp_path, whole, 2), target="y", weight=weight)
    fields = whole.drop_columns(["y"] if weight is None else ["y", "weight"])
    parameters = PARAMETERS | {"numeric": ["number", "weight"] if weight is None else ["number"]}
    cross = FeatureCross(**parameters)
    encoded = cross.fit_transform(rows, eps=0.1)
    assert isinstance(encoded, DiskRows)
    assert cross.eliminated_length_ > 1
    kept = FeatureCross(**parameters, min_count=cross.eliminated_length_ + 1).fit(fields)
    assert names(cross) == names(kept)
    everything = FeatureCross(**parameters)
    X = everything.fit_transform(fields)
    s = None if weight is None else whole["weight"].to_numpy()
    wanted = regularization_path(X, whole["y"].to_numpy(), sample_weight=s, alphas=30, eps=0.1, tol=1e-9)
    got = regularization_path(encoded, alphas=30, eps=0.1, tol=1e-9)
    np.testing.assert_allclose(got.alphas, wanted.alphas, rtol=1e-11)
    assert got.certified.all()
    np.testing.assert_allclose(got.deviance_explained, wanted.deviance_explained, atol=1e-8)
    assert encoded.n_rounds <= 20
    again = regularization_path(cross.encode(rows, tmp_path / "scratch"), alphas=30, eps=0.1, tol=1e-9)
    np.testing.assert_allclose(again.coefs.data, got.coefs.data, rtol=1e-9)
    reopened = regularization_path(DiskRows(tmp_path / "scratch"), alphas=30, eps=0.1, tol=1e-9)
    assert reopened.coefs.data.tolist() == again.coefs.data.tolist()


def test_a_sample_that_misleads_is_mended(tmp_path, monkeypatch):
    """The first pass takes a threshold from a sample. Where that was too high, both passes are repeated."""
    from sparsereg.crosses import over_parts

    whole = table()
    rows = read(write(tmp_path, whole, 2), target="y")
    wanted = FeatureCross(**PARAMETERS).fit(rows)
    monkeypatch.setattr(over_parts, "GUESS_SHARE", 100.0)
    found = FeatureCross(**PARAMETERS).fit(rows)
    assert names(found) == names(wanted)


@pytest.mark.parametrize(("loss", "offset"), [("poisson", "exposure"), ("huber", None)])
def test_a_sample_of_other_targets_leaves_the_screen_true(tmp_path, monkeypatch, loss, offset):
    """The sample is the first rows of each part, whose targets are smaller here; the null model is that of all rows."""
    from sparsereg.crosses import over_parts

    monkeypatch.setattr(over_parts, "SAMPLE_ROWS", 1600)
    rng, n = np.random.default_rng(0), 7200
    a, b, later = rng.integers(0, 2, n), np.minimum(rng.zipf(1.2, n) - 1, 800), np.arange(n) % 900 >= 400
    log_mean = -1.0 + 1.5 * later + 0.5 * (b == 1) - 0.3 * a
    y = rng.poisson(np.exp(log_mean)) if loss == "poisson" else log_mean + rng.normal(size=n)
    whole = pa.table({"a": a, "b": b, "y": y, "exposure": rng.uniform(0.1, 2.0, n)})
    fields = {"fields": ["a", "b"], "crosses": [("a", "b")]}
    rows = read(write(tmp_path, whole, 8), target="y", offset=offset, log_offset=offset is not None)
    cross = FeatureCross(**fields)
    path = regularization_path(cross.fit_transform(rows, eps=0.05, loss=loss), loss=loss, alphas=20, eps=0.05)
    assert path.certified.all()
    assert cross.eliminated_length_ > 0
    X = FeatureCross(**fields).fit_transform(whole)
    shift = None if offset is None else np.log(whole["exposure"].to_numpy())
    wanted = regularization_path(X, y.astype(float), loss=loss, offset=shift, alphas=20, eps=0.05)
    np.testing.assert_allclose(path.alphas, wanted.alphas, rtol=1e-9)


def test_the_screen_leaves_room_for_residuals_that_grow(tmp_path):
    """Targets that end at a bound, as delays that were cut off do: predictions below all others leave larger residuals
    than the mean does."""
    rng, n = np.random.default_rng(0), 7200
    a, c = rng.integers(0, 10, n), np.minimum(rng.zipf(1.2, n) - 1, 800)
    y = np.where(rng.uniform(size=n) < 0.03, 10.0, 0.5 * rng.normal(size=n) - 4.0 * (a == 0))
    whole = pa.table({"a": a, "c": c, "y": y})
    rows = read(write(tmp_path, whole, 2), target="y")
    cross = FeatureCross(fields=["a", "c"], crosses=[("a", "c")])
    encoded = cross.fit_transform(rows)
    path = regularization_path(encoded)
    assert path.certified.all()
    assert encoded.eliminated_length > 0
    at, shift = Coefficients(*path.point(99)), path.intercepts[99] - encoded.center
    assert encoded.residual_max_abs(at, shift) > 1.2 * encoded.totals.largest


def test_digits_do_not_depend_on_threads(tmp_path):
    pattern = write(tmp_path, table(), 3)
    paths = [
        regularization_path(FeatureCross(**PARAMETERS).fit_transform(read(pattern, n_jobs=n), target="y"), alphas=10)
        for n in (1, 3)
    ]
    assert paths[0].coefs.data.tolist() == paths[1].coefs.data.tolist()


def test_rows_held_out_and_rows_without_a_target(tmp_path):
    whole = table()
    y = whole["y"].to_pylist()
    y[5] = None
    whole = whole.set_column(whole.column_names.index("y"), "y", pa.array(y))
    pattern = write(tmp_path, whole, 2)
    with pytest.raises(ValueError, match=r"partition 0 .*log0.parquet.*row 5 has no 'y'"):
        FeatureCross(**PARAMETERS).fit(read(pattern, target="y"))
    rows = read(pattern, target="y", drop_missing_target=True, held_out=0.25, seed=3)
    cross = FeatureCross(**PARAMETERS).fit(rows)
    fitted, held = cross.encode(rows), cross.encode(rows, held_out=True)
    assert fitted.n_rows + held.n_rows == 2399
    assert 0.2 < held.n_rows / 2399 < 0.3


def test_files_that_changed_or_are_gone_are_named(tmp_path):
    rows = read(write(tmp_path, table(), 2), target="y")
    cross = FeatureCross(**PARAMETERS).fit(rows)
    os.utime(tmp_path / "log1.parquet", ns=(0, 0))
    with pytest.raises(ValueError, match=r"log1.parquet' changed since"):
        cross.encode(rows)
    (tmp_path / "log0.parquet").unlink()
    with pytest.raises(ValueError, match=r"log0.parquet.*cannot be read"):
        cross.fit(rows)


def test_wrong_calls_are_refused(tmp_path):
    whole = table()
    pattern = write(tmp_path, whole, 1)
    for options, message in (
        ({"files": str(tmp_path / "*.txt")}, "matches no file"),
        ({"files": []}, "files is empty"),
        ({"files": str(tmp_path / "none.parquet")}, "cannot be read as Parquet"),
        ({"files": pattern, "target": "z"}, "target='z' is not among"),
    ):
        with pytest.raises(ValueError, match=message):
            ParquetRows(**options)
    rows = read(pattern, target="y")
    for parameters in ({"rare": "pool"}, {"handle_unknown": "error"}, {"hashed": 16}):
        with pytest.raises(ValueError, match=next(iter(parameters))):
            FeatureCross(**PARAMETERS, **parameters).fit(rows)
    with pytest.raises(ValueError, match="eps=0"):
        FeatureCross(**PARAMETERS).fit(rows, eps=0)
    with pytest.raises(ValueError, match="target='y' is for ParquetRows"):
        FeatureCross(**PARAMETERS).fit(whole, target="y")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("keep me")
    cross = FeatureCross(**PARAMETERS).fit(rows)
    with pytest.raises(ValueError, match=r"letter.txt"):
        cross.encode(rows, tmp_path / "other")
    with pytest.raises(ValueError, match="not a complete scratch"):
        DiskRows(tmp_path / "other")
    pq.write_table(whole.drop_columns(["day"]), tmp_path / "z.parquet")
    with pytest.raises(ValueError, match=r"z.parquet' has other columns"):
        read(pattern)


def test_two_passes_over_the_files_and_few_over_the_scratch(tmp_path):
    """Besides, a sample of at most eight parts is looked at beforehand."""
    rng, n = np.random.default_rng(0), 6000
    a, b = rng.integers(0, 12, n), rng.integers(0, 15, n)
    table = pa.table({"a": a, "b": b, "y": rng.normal(size=n) + (a == 3) - 2.0 * (b < 2) * (a > 7)})
    for number in range(12):
        pq.write_table(table.slice(number * 500, 500), tmp_path / f"{number:02}.parquet")
    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ParquetRows, "part_rows", property(lambda _: 500))
        rows = ParquetRows(f"{tmp_path}/*.parquet", target="y", on_part=lambda part: seen.append(part.number))
        encoded = FeatureCross(crosses=[("a", "b")]).fit_transform(rows)
    assert len(rows.parts) == 12
    assert len(seen) == 8 + 2 * 12
    path = regularization_path(encoded)
    assert path.certified.all()
    assert path.n_nonzero[-1] > 20
    assert encoded.n_rounds <= 20
    assert len(seen) == 8 + 2 * 12
