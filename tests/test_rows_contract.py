"""One contract for rows wherever they are: in threads, in files, in a fold, on a cluster; answered as in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_partitioned import N_CODES, data, part_of, pieces_of

from sparsereg import regularization_path
from sparsereg.data.design import as_design
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.disk import ThreadEngine, load_partition, save_partition
from sparsereg.rows.memory import MemoryRows
from sparsereg.rows.part_folds import FoldRows, FoldRule
from sparsereg.rows.partitioned import PartitionedRows

CENTER = 9.5
KINDS = ["threads", "disk", "fold", "dask"]


@pytest.fixture(scope="module")
def client():
    """Two workers in threads of this process."""
    distributed = pytest.importorskip("distributed", reason="the extra [dask] is not installed")
    options = {"threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(n_workers=2, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def place(request, tmp_path):
    """`place(kind, parts)`: the parts as rows of a kind."""

    def rows(kind: str, parts: list[Any]) -> PartitionedRows:
        p = parts[0].n_cols
        if kind == "disk":
            for number, part in enumerate(parts):
                save_partition(tmp_path, number, part)
            parts = [load_partition(tmp_path, number, part.n_codes) for number, part in enumerate(parts)]
        if kind == "fold":
            X, y, s = data(weighted=parts[0].s is not None, n=50)
            other = replace(part_of(X, 3.0 * y, s, np.arange(50)), number=len(parts))
            whole = PartitionedRows([*parts, other], ThreadEngine(2), p, CENTER)
            return FoldRows(whole, FoldRule(1, ((other.number,),)), 0)
        if kind != "dask":
            return PartitionedRows(parts, ThreadEngine(2), p, CENTER)
        from sparsereg.dask.engine import DaskEngine, EncodedPart

        client = request.getfixturevalue("client")
        held = [EncodedPart(f"{k}", client.submit(list, [part], pure=False)) for k, part in enumerate(parts)]
        return PartitionedRows(held, DaskEngine(client), p, CENTER)

    return rows


def parts_of(X, y, s, n_parts: int, order: str) -> list[Any]:
    kind = np.uint32 if n_parts == 2 else np.uint16
    pieces = pieces_of(y, n_parts, order)
    return [replace(part_of(X, y, s, rows, kind), number=number) for number, rows in enumerate(pieces)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["as is", "sorted", "uneven"])
@pytest.mark.parametrize("n_parts", [1, 2, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_contract_is_answered_as_in_memory(place, n_parts, weighted, order, kind):
    X, y, s = data(weighted)
    rows = place(kind, parts_of(X, y, s, n_parts, order))
    whole = MemoryRows(as_design(X), y - CENTER, s)
    seen = np.argsort(whole.columns)  # observed columns of the design, by their number in X
    own = whole.columns[seen].astype(np.int64)
    if kind != "fold":  # which counts rows of weight 0 too
        assert (rows.n_rows, rows.nnz, rows.max_row_length) == (whole.n_rows, whole.nnz, whole.max_row_length)
        np.testing.assert_array_equal(rows.lengths(own), whole.lengths(seen))
    assert rows.weight_sum == pytest.approx(whole.weight_sum, rel=1e-14)
    assert rows.max_weight == whole.max_weight
    for mine, theirs in zip(rows.moments(own), whole.moments(seen), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)
    for j in (0, int(own[-1])):
        if j >= N_CODES or (s is None and kind != "fold"):
            assert rows.extent(j) == whole.extent(int(np.flatnonzero(whole.columns == j)[0]))
    at = np.array([3, 40, own.size - 1, 11])
    w = np.random.default_rng(1).normal(size=4)
    for coef, other, base in ((None, None, 0.7), (Coefficients(own[at], w), Coefficients(seen[at], w), 0.3)):
        for target in (True, False):
            got, wanted = rows.gradients(coef, base, own, target), whole.gradients(other, base, seen, target)
            np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-9)
        assert rows.squared_residual(coef, base) == pytest.approx(whole.squared_residual(other, base), rel=1e-12)
        assert rows.residual_max_abs(coef, base) >= whole.residual_max_abs(other, base) * (1 - 1e-12)
    got, wanted = rows.products(own[at], own), whole.products(seen[at], seen)
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize(("n_parts", "order"), [(1, "as is"), (2, "sorted"), (7, "uneven")])
def test_paths_have_the_same_bits_wherever_the_parts_are(place, n_parts, order, loss):
    X, y, s = data(weighted=True)
    y = y if loss == "squared" else (y > np.median(y)).astype(float)
    paths = [
        regularization_path(place(kind, parts_of(X, y, s, n_parts, order)), loss=loss, alphas=10, tol=1e-6)
        for kind in ("threads", "disk", "dask")
    ]
    assert paths[0].certified.all()
    for path in paths[1:]:
        assert path.coefs.data.tobytes() == paths[0].coefs.data.tobytes()
        assert path.intercepts.tobytes() == paths[0].intercepts.tobytes()
