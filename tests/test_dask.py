"""Rows on a cluster in threads of this process: the same bits as from disk."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsereg import (
    CompactModel,
    FeatureCross,
    Lasso,
    ParquetRows,
    Ridge,
    SparsityReport,
    load_model,
    regularization_path,
    save_model,
)

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
distributed = pytest.importorskip("distributed", reason="the extra [dask] is not installed")

from dask_tables import CROSSES, OPTIONS, rows_of, same, table, write_files

from sparsereg.dask import ElasticNet as DaskElasticNet
from sparsereg.dask import Lasso as DaskLasso
from sparsereg.dask import LogisticRegression as DaskLogistic
from sparsereg.dask import PoissonRegressor as DaskPoisson
from sparsereg.dask import Ridge as DaskRidge
from sparsereg.dask import engine as engine_module
from sparsereg.dask import regularization_path as dask_path
from sparsereg.rows.disk import ThreadEngine


@pytest.fixture(scope="module")
def client():
    """Two workers in threads of this process, which has imported everything already."""
    options = {"threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(n_workers=2, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    write_files(folder)
    return folder


@pytest.mark.parametrize("n_parts", [1, 2, 7])
def test_a_path_has_the_bits_of_one_from_disk(client, files, n_parts):
    cross, rows = FeatureCross(crosses=CROSSES), rows_of(files, n_parts)
    encoded = cross.fit_transform(rows, eps=OPTIONS["eps"])
    wanted = regularization_path(encoded, **OPTIONS)
    other = FeatureCross(crosses=CROSSES)
    found = dask_path(rows, cross=other, client=client, **OPTIONS)
    assert found.certified.all()
    assert other.eliminated_length_ == cross.eliminated_length_ > 0
    assert same(found, wanted)


def test_delayed_tables(client):
    dask = pytest.importorskip("dask")
    pieces = [table().slice(a, 500).to_pandas() for a in range(0, 2000, 500)]
    tables = [dask.delayed(piece) for piece in pieces]
    cross = FeatureCross(crosses=CROSSES, min_count=5)
    found = dask_path(tables, "y", cross=cross, sample_weight="weight", client=client, **OPTIONS)
    assert found.certified.all()
    whole = table()
    X = FeatureCross(crosses=CROSSES).fit_transform(whole.drop_columns(["y", "weight"]))
    y, s = whole["y"].to_numpy(), whole["weight"].to_numpy()
    wanted = regularization_path(X, y, sample_weight=s, **OPTIONS)
    np.testing.assert_allclose(found.alphas, wanted.alphas, rtol=1e-11)
    np.testing.assert_allclose(found.deviance_explained, wanted.deviance_explained, atol=1e-7)


def test_estimators_become_local(client, files):
    with client.as_current():
        model = DaskLasso(alpha=0.02, cross=FeatureCross(crosses=CROSSES), tol=1e-8).fit(f"{files}/*.parquet", "y")
        assert model.client_ is client
        net = DaskElasticNet(alpha=0.05, l1_ratio=0.5).fit(f"{files}/*.parquet", "y", sample_weight="weight")
    whole = table()
    fields = whole.drop_columns(["y"])
    X = FeatureCross(crosses=CROSSES).fit_transform(fields)
    wanted = Lasso(alpha=0.02, tol=1e-8, max_iter=100_000).fit(X, whole["y"].to_numpy())
    local = pickle.loads(pickle.dumps(model.to_local()))
    np.testing.assert_allclose(local.predict(fields), wanted.predict(X), atol=1e-3)
    np.testing.assert_allclose(local.predict(fields), model.predict(fields))
    assert model.dual_gap_ <= 1e-8 * whole["y"].to_numpy().var()
    assert net.sparse_coef_.nnz > 3


def test_ridge_is_that_of_one_table(client, files):
    whole = table()
    fields = whole.drop_columns(["y"])
    for fit_intercept in (True, False):
        model = DaskRidge(
            2.0, cross=FeatureCross(crosses=CROSSES), fit_intercept=fit_intercept, tol=1e-9, client=client
        )
        model.fit(f"{files}/*.parquet", "y")
        X = FeatureCross(crosses=CROSSES).fit_transform(fields)
        wanted = Ridge(2.0, fit_intercept=fit_intercept, tol=1e-10).fit(X, whole["y"].to_numpy())
        np.testing.assert_allclose(model.to_local().predict(fields), wanted.predict(X), atol=1e-6)
        assert model.gradient_norm_ <= 1e-9
        assert model.n_rounds_ >= model.n_iter_ > 3
    with pytest.warns(ConvergenceWarning, match="stopped after 2 iterations"):
        DaskRidge(cross=FeatureCross(), max_iter=2, tol=1e-9, client=client).fit(f"{files}/*.parquet", "y")


@pytest.mark.parametrize("make", [DaskLasso, DaskElasticNet, DaskRidge, DaskLogistic, DaskPoisson])
def test_local_models_are_reported_and_exported(client, tmp_path, make):
    """A report, a model file and a compact model of the same predictions, from every estimator."""
    whole = table()
    y = (whole["y"].to_numpy() > 10.0).astype(np.int64)
    pq.write_table(whole.set_column(whole.column_names.index("y"), "y", pa.array(y)), tmp_path / "log.parquet")
    model = make(cross=FeatureCross(crosses=CROSSES), client=client)
    model.set_params(**({"C": 0.5} if make is DaskLogistic else {"alpha": 0.01}))
    local = model.fit(f"{tmp_path}/log.parquet", "y").to_local()
    fields = whole.drop_columns(["y"]).to_pandas()
    X = local[0].transform(fields)
    report = SparsityReport.from_estimator(local, X=fields, y=y)
    assert "=" in report.columns[0]["name"]
    save_model(tmp_path / "model.npz", local)
    compact = CompactModel.from_model(load_model(tmp_path / "model.npz"))
    wanted = local[-1].predict_proba(X)[:, 1] if make is DaskLogistic else local.predict(fields)
    np.testing.assert_allclose(compact.predict(fields), wanted, rtol=1e-9, atol=1e-12)


def test_errors_name_partition_and_file(client, files, tmp_path):
    for file in files.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    rows = ParquetRows(f"{tmp_path}/*.parquet", target="y")
    (tmp_path / "log3.parquet").unlink()
    with pytest.raises(ValueError, match=r"partition 0.*log3.parquet"):
        dask_path(rows, cross=FeatureCross(), client=client)
    for X, y, message in ((np.eye(3), "y", "expected Parquet files"), (f"{files}/*.parquet", "z", "'z' is not among")):
        with pytest.raises(ValueError, match=message):
            dask_path(X, y, cross=FeatureCross(), client=client)
    with pytest.raises(ValueError, match="alpha=0"):
        DaskLasso(alpha=0, client=client).fit(f"{files}/*.parquet", "y")


class Piece:
    def __init__(self, number: int):
        self.number, self.name = number, f"piece {number}"


@pytest.mark.parametrize("n", [1, 2, 9, 33, 70, 300])
def test_answers_are_combined_as_from_disk_however_many_parts_a_task_has(client, monkeypatch, n):
    monkeypatch.setattr(engine_module, "TASKS_PER_THREAD", 1)
    engine, pieces = engine_module.DaskEngine(client), [Piece(k) for k in range(n)]

    def text(part, shared):
        return f"{part}{shared}"

    def combine(shared, *texts):
        return f"({shared.join(texts)})"

    parts = engine.hold(lambda piece: piece.number, pieces)
    assert parts[0].size == {1: 1, 2: 1, 9: 4, 33: 16, 70: 32, 300: 128}[n]
    assert list(engine.map(text, parts, "!")) == [f"{k}!" for k in range(n)]
    wanted = ThreadEngine().reduce(lambda piece, shared: text(piece.number, shared), combine, pieces, "+")
    assert engine.reduce(text, combine, parts, "+") == wanted
    if n > 2:
        with pytest.raises(ValueError, match="some parts of a task are missing"):
            engine.reduce(text, combine, parts[1:], "+")

        def fails(part, _):
            if part == n // 2:
                raise OSError("gone")
            return ""

        with pytest.raises(RuntimeError, match=rf"piece {n // 2}\b.*gone"):
            engine.reduce(fails, combine, parts, "+")


def test_without_a_client_it_says_so(files):
    with pytest.raises(ValueError, match=r"no current distributed\.Client"):
        DaskLasso().fit(f"{files}/*.parquet", "y")


def test_the_command_line_takes_a_scheduler(client, files, monkeypatch, tmp_path):
    from click.testing import CliRunner

    from sparsereg.cli.commands import cli

    monkeypatch.chdir(tmp_path)
    common = [
        "fit",
        f"{files}/*.parquet",
        "--target",
        "y",
        "--weight",
        "weight",
        "--cross",
        "shop,day",
        "--alphas",
        "15",
    ]
    for extra in (["--scheduler", client.scheduler.address, "--model", "one.npz"], ["--model", "other.npz"]):
        result = CliRunner().invoke(cli, [*common, *extra])
        assert result.exit_code == 0, result.stderr
    assert same(load_model("one.npz").path, load_model("other.npz").path)
