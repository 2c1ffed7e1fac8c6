"""Other losses on a cluster in threads of this process, and dask frames: the same as on one machine."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from sparsereg import FeatureCross, ParquetRows, regularization_path

pytest.importorskip("pyarrow")
distributed = pytest.importorskip("distributed", reason="the extra [dask] is not installed")

import pyarrow.parquet as pq
from dask_tables import CROSSES, losses_table, same

from sparsereg import LogisticRegression, PoissonRegressor
from sparsereg.dask import LogisticRegression as DaskLogistic
from sparsereg.dask import PoissonRegressor as DaskPoisson
from sparsereg.dask import regularization_path as dask_path

OPTIONS = {"alphas": 12, "eps": 0.05, "tol": 1e-6}
TARGETS = ["clicked", "count", "share", "offset"]


@pytest.fixture(scope="module")
def client():
    options = {"threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(n_workers=2, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One file a target, in four parts: the other targets are no fields."""
    folder = tmp_path_factory.mktemp("losses")
    for target, kept in (("clicked", []), ("count", ["offset"]), ("share", [])):
        (folder / target).mkdir()
        dropped = [name for name in TARGETS if name not in (target, *kept)]
        whole = losses_table().drop_columns(dropped)
        for number in range(4):
            pq.write_table(whole.slice(number * 500, 500), folder / target / f"{number}.parquet")
    return folder


@pytest.mark.parametrize(
    ("target", "loss", "extra"),
    [("count", "poisson", {"offset": "offset"}), ("share", "logistic", {"sample_weight": "weight"})],
)
def test_a_path_has_the_bits_of_one_from_disk(client, files, target, loss, extra):
    names = {"weight": extra.get("sample_weight"), "offset": extra.get("offset")}
    rows = ParquetRows(f"{files}/{target}/*.parquet", target=target, **names)
    cross = FeatureCross(crosses=CROSSES)
    wanted = regularization_path(cross.fit_transform(rows, eps=0.05, loss=loss), loss=loss, **OPTIONS)
    found = dask_path(
        rows.files, target, cross=FeatureCross(crosses=CROSSES), loss=loss, client=client, **extra, **OPTIONS
    )
    assert found.certified.all()
    assert same(found, wanted)
    whole = losses_table()
    X = FeatureCross(crosses=CROSSES).fit_transform(whole.select(rows.names))
    vectors = {
        "sample_weight": whole["weight"].to_numpy() if "sample_weight" in extra else None,
        "offset": whole["offset"].to_numpy() if "offset" in extra else None,
    }
    memory = regularization_path(X, whole[target].to_numpy(), loss=loss, **vectors, **OPTIONS)
    np.testing.assert_allclose(found.alphas, memory.alphas, rtol=1e-9)
    np.testing.assert_allclose(found.deviance_explained, memory.deviance_explained, atol=1e-4)


def test_estimators_become_local(client, files):
    whole = losses_table()
    with client.as_current():
        logistic = DaskLogistic(0.5, cross=FeatureCross(crosses=CROSSES), tol=1e-8)
        logistic.fit(f"{files}/clicked/*.parquet", "clicked", "weight")
        poisson = DaskPoisson(0.01, cross=FeatureCross(crosses=CROSSES), tol=1e-8)
        poisson.fit(f"{files}/count/*.parquet", "count", offset="offset")
        soft = DaskLogistic(0.5).fit(f"{files}/share/*.parquet", "share")
    fields = whole.drop_columns([*TARGETS, "weight"])
    X, s = FeatureCross(crosses=CROSSES).fit_transform(fields), whole["weight"].to_numpy()
    assert logistic.classes_.tolist() == ["no", "yes"]
    assert soft.classes_.tolist() == [0, 1]
    wanted = LogisticRegression(C=0.5, l1_ratio=1.0, tol=1e-8, max_iter=100_000)
    wanted.fit(X, np.array(whole["clicked"].to_pylist()), s)
    local = pickle.loads(pickle.dumps(logistic.to_local()))
    np.testing.assert_allclose(local.predict_proba(fields), wanted.predict_proba(X), atol=1e-3)
    assert (logistic.predict(fields) == local.predict(fields)).all()
    np.testing.assert_allclose(logistic.predict_proba(fields), local.predict_proba(fields))
    fields = losses_table().drop_columns([*TARGETS])
    X = FeatureCross(crosses=CROSSES).fit_transform(fields)
    counts = PoissonRegressor(alpha=0.01, l1_ratio=1.0, tol=1e-8, max_iter=100_000)
    counts.fit(X, whole["count"].to_numpy(), offset=whole["offset"].to_numpy())
    np.testing.assert_allclose(poisson.to_local().predict(fields), counts.predict(X), rtol=2e-3)
    with pytest.raises(ValueError, match="two values"):
        DaskLogistic(client=client).fit(f"{files}/count/*.parquet", "count")


def test_a_dask_frame(client):
    frames = pytest.importorskip("dask.dataframe")
    whole = losses_table().drop_columns(["share", "count", "offset"]).to_pandas()
    frame = frames.from_pandas(whole, npartitions=4)
    fields = {"crosses": CROSSES, "fields": ["shop", "day", "kind"]}
    found = dask_path(frame, "weight", cross=FeatureCross(**fields), client=client, **OPTIONS)
    X = FeatureCross(**fields).fit_transform(whole)
    wanted = regularization_path(X, whole["weight"].to_numpy(), **OPTIONS)
    np.testing.assert_allclose(found.alphas, wanted.alphas, rtol=1e-9)
    model = DaskLogistic(0.5, client=client).fit(frame, "clicked", "weight")
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.dual_gap_ <= 1e-4
