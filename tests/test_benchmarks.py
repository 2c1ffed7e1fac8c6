"""The benchmarks' machinery: a row comes back whatever a rival does; ratios, ridge's certificate, instruction
counts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

for needed in ("psutil", "click", "rich"):
    pytest.importorskip(needed)

pytestmark = pytest.mark.usefixtures("benchmarks")

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

BROKEN = """
import os, time
import numpy as np
from rivals import Fitted

def version(): return "1"
def tolerances(gap): return [1e-1, 1e-2]
def prepare(X, y, l1_ratio, intercept): return X

def path(X, y, alphas, l1_ratio, tol, intercept):
    print("last words", flush=True)
    {body}
    return Fitted(np.zeros((X.shape[1], len(alphas))), np.full(len(alphas), y.mean()))
"""


@pytest.fixture
def benchmarks(monkeypatch):
    """The folder on the path, and nothing of it in memory afterwards."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = str(getattr(sys.modules[name], "__file__", None))
        if name.startswith("rivals") or file.startswith(str(BENCHMARKS)):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("body", "required", "status", "detail"),
    [
        ("raise RuntimeError('no way')", 1e-3, "error", "RuntimeError: no way"),
        ("os._exit(3)", 1e-3, "crashed", "path at tol 1e-01; exit code 3; last words"),
        ("while True: time.time()", 1e-3, "time limit", "path at tol 1e-01"),
        ("", 1e-3, "not reached", None),
        ("", 1.0, "ok", None),
    ],
)
def test_a_row_comes_back(tmp_path, monkeypatch, body, required, status, detail):
    package = tmp_path / "rivals"
    package.mkdir()
    original = BENCHMARKS / "rivals" / "__init__.py"
    extended = f"{original.read_text()}\nRIVALS['broken'] = 'broken'\n__path__.append({str(original.parent)!r})\n"
    (package / "__init__.py").write_text(extended)
    (package / "broken.py").write_text(BROKEN.format(body=body))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SPARSEREG_BENCH_CACHE", str(tmp_path))
    from child import Child
    from tasks import Spec

    child = Child(Spec("smoke_wide", "broken", points=3, required=required), time_limit=1.0, say=lambda _: None)
    try:
        row = child.row()
        again = child.again() if status == "ok" else row
    finally:
        child.end()
    assert row["status"] == status
    assert row.get("detail") == detail
    assert again["status"] == status
    if status in ("ok", "not reached"):
        assert row["reached"] > 1e-3
        assert 0.0 <= row["seconds"] < 1.0
        assert row["tol"] == (1e-1 if status == "ok" else 1e-2)


def test_ratios_are_to_the_fastest_rival_that_got_there():
    import table

    common = {
        "workload": "a",
        "task": "path",
        "l1_ratio": 1.0,
        "alpha": 0.0,
        "intercept": True,
        "required": 1e-4,
        "by": "gap",
        "held_out": False,
        "variant": "plain",
    }
    common |= {
        "points": 100,
        "eps": 1e-2,
        "cpu": "c",
        "cores": "2",
        "system": "s",
        "python": "3",
        "numpy": "2",
        "scipy": "1",
    }
    common |= {"when": "today", "version": "1"}
    times = {"sparsereg": (1.0, 0.5), "b": (4.0, 4.0), "c": (3.0, 5.0)}
    rows = [
        common | {"rival": rival, "status": "ok", "seconds": wall, "cpu_seconds": cpu}
        for rival, (wall, cpu) in times.items()
    ]
    rows.append(common | {"rival": "d", "status": "not reached", "seconds": 0.1, "cpu_seconds": 0.1})
    table.add_ratios(rows)
    assert [row.get("ratio") for row in rows] == [3.0, 0.75, 1.0, None]
    assert [row.get("cpu_ratio") for row in rows] == [8.0, 1.0, 0.8, None]
    text = table.markdown(rows, "python run.py")
    assert "| **sparsereg 1** | **1 (3.0x / 8.0x)** |" in text
    assert "| d 1 | not reached |" in text
    as_read = table.from_text({key: str(value) for key, value in rows[0].items()})
    assert as_read == rows[0]


def test_ridge_gradient_is_the_objectives():
    import certificate

    rng = np.random.default_rng(0)
    X, y, w, h = rng.standard_normal((30, 4)), rng.standard_normal(30), rng.standard_normal(4), 1e-5

    def objective(w):
        r = y - X @ w
        return 0.5 * np.sum((r - r.mean()) ** 2) + 0.5 * 3.0 * w @ w

    slopes = [(objective(w + h * e) - objective(w - h * e)) / (2 * h) for e in np.eye(4)]
    expected = np.linalg.norm(slopes) / np.linalg.norm(X.T @ (y - y.mean()))
    assert certificate.ridge_gradient(X, y, w, 3.0, True) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("l1_ratio", "intercept"), [(1.0, True), (1.0, False), (0.7, True)])
def test_the_gap_is_recomputed_at_a_projected_dual_point(l1_ratio, intercept):
    """Nearly solved, with correlated columns: a bound on the distance to the minimum, and much closer than the scaled
    residual."""
    import certificate

    from sparsereg import regularization_path

    rng = np.random.default_rng(0)
    codes = [rng.integers(k, size=1000) for k in (30, 20)]
    codes.append(codes[0] * 20 + codes[1])
    X = sp.hstack([sp.csr_array((np.ones(1000), (np.arange(1000), c))) for c in codes]).tocsr()
    y = X @ rng.normal(size=X.shape[1]) + rng.normal(size=1000)
    y -= y.mean()
    alphas = certificate.alpha_max(X, y, l1_ratio) * np.array([0.1, 1e-3])
    options = {"l1_ratio": l1_ratio, "alphas": alphas, "fit_intercept": intercept}
    found, best = (regularization_path(X, y, tol=tol, **options) for tol in (1e-4, 1e-11))
    rest = (alphas, l1_ratio, intercept)
    loose = certificate.certify(X, y, (found.coefs, found.intercepts), *rest)
    close = certificate.certify(X, y, (best.coefs, best.intercepts), *rest)
    assert (loose.objective - close.objective <= loose.gap + 1e-12).all()
    assert (loose.relative_gap <= 2e-4).all()


def test_going_beyond_thresholds_costs_a_share_of_the_gap_that_is_good_enough(monkeypatch):
    """Thresholds are violated by next to nothing: a gap that is good enough is found, however far projections might go
    beyond them."""
    import certificate

    monkeypatch.setattr(certificate, "MARGIN", 0.1)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 60)) + rng.normal(size=(400, 1))
    y = X @ rng.normal(size=60) + rng.normal(size=400)
    alphas = certificate.alpha_max(X, y, 1.0) * np.array([0.03])
    from sparsereg import regularization_path

    found = regularization_path(X, y, alphas=alphas, tol=1e-12)
    coefs = found.coefs.copy()
    coefs.data *= 1.0 + 1e-6
    certified = certificate.certify(X, y, (coefs, found.intercepts), alphas, 1.0, True, good_gap=1e-6)
    assert certified.relative_gap[0] <= 1e-6


@pytest.mark.parametrize("variant", ["standardize", "factors", "weights"])
def test_variants_are_the_same_problem_for_rivals_and_sparsereg(variant):
    """sparsereg's answer to the keywords is certified on the columns and weights that rivals get."""
    import certificate
    import synthetic
    import variants

    from sparsereg import regularization_path

    X, y = synthetic.crosses(2_000, (40, 12, 6, 4, 2), seed=1)
    problem = variants.make(variant, variants.with_numbers((X, y)))
    scaled = problem.scaled()
    alphas = certificate.alpha_max(scaled, y, 1.0, problem.weights) * np.array([0.3, 0.03])
    path = regularization_path(problem.X, y, alphas=alphas, tol=1e-9, **problem.ours)
    coefs = problem.on_scaled(path.coefs)
    found = certificate.certify(scaled, y, (coefs, path.intercepts), alphas, 1.0, True, problem.weights)
    assert (found.relative_gap <= 1e-8).all()
    assert abs(problem.on_columns(coefs) - path.coefs).max() <= 1e-12
    plain = certificate.certify(problem.X, y, (path.coefs, path.intercepts), alphas, 1.0, True)
    assert plain.relative_gap[1] > 1e-4


def test_the_logistic_gap_bounds_the_distance_to_the_minimum():
    import certificate
    import logistic
    import synthetic

    from sparsereg import regularization_path

    data = logistic.classes("small", synthetic.crosses(2_000, (40, 12, 6, 4, 2), seed=1))
    alphas = certificate.alpha_max(*data, 1.0) * np.array([0.5, 0.02])
    loose, close = (regularization_path(*data, loss="logistic", alphas=alphas, tol=tol) for tol in (1e-2, 1e-10))
    scale = logistic.null_loss(data[1])
    best, small = logistic.certify(data, close.coefs, close.intercepts, alphas)
    values, gaps = logistic.certify(data, loose.coefs, loose.intercepts + 0.01, alphas)
    assert (small / scale <= 1e-7).all()
    assert (gaps >= values - best).all()
    assert (values - best > 1e-6 * scale).all()
    assert (gaps < 0.05 * scale).all()
    shares = logistic.explained(data, close.coefs, close.intercepts)
    assert 0.0 < shares[0] < shares[1] < 1.0


def test_the_logistic_gap_is_recomputed_at_projected_probabilities():
    """Nearly solved, with correlated columns: below the minimum, and much closer to it than scaled probabilities."""
    import certificate
    import logistic

    from sparsereg import regularization_path

    rng = np.random.default_rng(0)
    codes = [rng.integers(k, size=1000) for k in (30, 20)]
    codes.append(codes[0] * 20 + codes[1])
    X = sp.hstack([sp.csr_array((np.ones(1000), (np.arange(1000), c))) for c in codes]).tocsr()
    y = (rng.random(1000) < 1.0 / (1.0 + np.exp(-X @ rng.normal(size=X.shape[1])))).astype(np.float64)
    alphas = certificate.alpha_max(X, y, 1.0) * np.array([0.3, 0.1, 3e-3, 1e-3])
    options, scale = {"loss": "logistic", "alphas": alphas}, logistic.null_loss(y)
    best = regularization_path(X, y, tol=1e-11, **options)
    least = logistic.objectives((X, y), best.coefs, best.intercepts, alphas)
    for tol, gain in ((1e-1, 50.0), (1e-3, 10.0), (1e-5, 1.0)):
        found = regularization_path(X, y, tol=tol, **options)
        point = (X, y), found.coefs, found.intercepts, alphas
        values, scaled = logistic.certify(*point, good_gap=np.inf)
        _, projected = logistic.certify(*point, good_gap=0.0)
        assert (values - projected <= least + 1e-12 * scale).all()
        assert (projected <= scaled).all()
        assert (projected / scale <= 2.0 * tol).all()
        assert gain * projected[-1] <= scaled[-1]


def test_the_loosest_good_tolerance_is_found():
    import measure

    tols, tried = [10.0**-k for k in range(11)], []

    def found(tol):
        tried.append(tol)
        return {"tol": tol}

    for least in tols:
        assert measure.loosest(tols, found, lambda row, least=least: row["tol"] <= least) == (True, {"tol": least})
    assert measure.loosest(tols, found, lambda _: False) == (False, {"tol": tols[-1]})
    assert len(tried) < 0.6 * len(tols) ** 2


def test_instructions_are_those_of_the_object_itself():
    import instructions

    profile = (
        "ob=/a/kernels.so\nfn=f\n0 100\ncob=/b/numpy.so\ncfn=g\ncalls=3 0\n0 7000\n0 11\nob=/b/numpy.so\nfn=g\n0 7000\n"
    )
    spent = instructions.by_object(profile)
    assert spent == {"/a/kernels.so": 111, "/b/numpy.so": 7000}
    assert instructions.parts(spent) == {"kernels": 111, "everything else": 7000, "total": 7111}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kernels": 0.5, "everything else": -0.2, "total": 0.09}, []),
        ({"kernels": 0.0, "everything else": 0.0, "total": 0.11}, ["a: total is SLOWER by more than 10%"]),
        ({"kernels": 0.2, "everything else": np.nan, "total": np.nan}, ["a: kernels is SLOWER by more than 10%"]),
        ({"kernels": np.nan, "everything else": np.nan, "total": np.nan}, []),
    ],
)
def test_instructions_are_judged_in_sum_or_by_part(changes, said):
    import instructions

    assert instructions.verdict("a", changes) == said


def test_bounds_are_below_every_path_and_close_to_a_good_one(tmp_path, monkeypatch):
    import depth
    import synthetic
    import variants

    from sparsereg import regularization_path

    monkeypatch.setenv("SPARSEREG_BENCH_CACHE", str(tmp_path))
    data, held = depth.split(synthetic.crosses(2_000, (40, 12, 6, 4, 2), seed=1))
    good = regularization_path(*data, alphas=depth.n_points(1e-2), eps=1e-2, tol=1e-7)
    F = depth.objectives(data, good.coefs, good.intercepts, good.alphas, 1.0)
    scale = np.var(data[1])
    for _ in range(2):  # the second time from the file
        below = (F - depth.lower_bounds("small", variants.make("plain", data), good.alphas, 1.0, True)) / scale
        assert (below >= -1e-12).all()
        assert below.max() <= 2 * depth.TIGHT
    assert (depth.objectives(data, 1.1 * good.coefs, good.intercepts, good.alphas, 1.0)[1:] > F[1:]).all()
    score = depth.held_out_r2(held, good.coefs, good.intercepts)
    by_hand = 1.0 - np.mean((held[1] - good.predict(held[0], 20)) ** 2) / np.var(held[1])
    assert score[20] == pytest.approx(by_hand, abs=1e-12)


def test_the_held_out_end_is_where_r2_is_best(tmp_path, monkeypatch):
    import depth
    import workloads

    monkeypatch.setenv("SPARSEREG_BENCH_CACHE", str(tmp_path))
    end = depth.held_out_end("smoke_crosses", 1.0, True)
    (X, y), held = depth.split(workloads.load("smoke_crosses"))

    def score(eps: float) -> float:
        from sparsereg import regularization_path

        path = regularization_path(X, y, alphas=2, eps=eps)
        return depth.held_out_r2(held, path.coefs, path.intercepts)[-1]

    assert depth.DEEPEST <= end < 1
    assert score(end) > max(score(3 * end), score(end / 3))
