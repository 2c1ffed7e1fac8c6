"""Cross-validation of a path over 100 strengths to alpha_max/100, in units of one path, and beside other packages.

    python benchmarks/validation.py --workloads flights,retail --rivals adelie,scikit-learn,glmnet --time-limit 100

CPU seconds of one thread. Each package has its own default tolerance, and each rival a process of its own that ends
after `--time-limit` CPU seconds. sparsereg is called as a user would, from the CSR; conversion for rivals is not timed.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable

import click
import logistic
import numpy as np
import scipy.sparse as sp
import workloads
from measure import _bytes_of, _peak, _start_of_peak
from rivals import columns, glmnet_r

POINTS, EPS = 100, 1e-2
WARM_UP = 5_000  # rows of a call that is not measured
# cv.glmnet in R, timed there; the folds are those of the rows handed over.
SCRIPT = """
suppressPackageStartupMessages({library(Matrix); library(glmnet)})
a <- commandArgs(trailingOnly = TRUE); n <- as.integer(a[2]); p <- as.integer(a[3])
read <- function(name, kind, size) {f <- file.path(a[1], name); readBin(f, kind, file.info(f)$size / size, size = size)}
X <- new("dgCMatrix", x = read("x.bin", "double", 8), i = read("i.bin", "integer", 4), p = read("p.bin", "integer", 4),
         Dim = c(n, p))
glmnet.control(fdev = 0, devmax = 1)
t <- system.time(cv.glmnet(X, read("y.bin", "double", 8), nlambda = 100, lambda.min.ratio = 0.01, standardize = FALSE,
                           foldid = read("fold.bin", "integer", 4)))
cat(t[["user.self"]] + t[["sys.self"]])
"""


def folds_of(n: int, k: int) -> np.ndarray:
    """The fold of each row, drawn once and for all."""
    return np.random.default_rng(0).permutation(np.arange(n) % k)


def ours(X: sp.csr_array, y: np.ndarray, loss: str, k: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """One path, and its validation."""
    from sparsereg import cross_validate_path, regularization_path

    of = folds_of(len(y), k)
    folds = [(np.flatnonzero(of != fold), np.flatnonzero(of == fold)) for fold in range(k)]
    asked = {"loss": loss, "alphas": POINTS, "eps": EPS}
    return (lambda: regularization_path(X, y, **asked)), (lambda: cross_validate_path(X, y, cv=folds, **asked))


def adelie(X: sp.csr_array, y: np.ndarray, loss: str, k: int) -> float:
    """CPU seconds of cv_grpnet, which draws its folds itself."""
    import adelie

    matrix = adelie.matrix.sparse(columns(X), method="naive", n_threads=1)
    kind = adelie.glm.gaussian(y) if loss == "squared" else adelie.glm.binomial(y)
    asked = {"min_ratio": EPS, "lmda_path_size": POINTS, "n_folds": k, "seed": 0, "progress_bar": False}
    return timed(lambda: adelie.cv_grpnet(matrix, kind, **asked))[0]


def scikit_learn(X: sp.csr_array, y: np.ndarray, loss: str, k: int) -> float:
    """CPU seconds of LassoCV."""
    from sklearn.linear_model import LassoCV
    from sklearn.model_selection import PredefinedSplit

    if loss != "squared":
        raise click.UsageError("scikit-learn is here for --loss squared alone")
    matrix = columns(X)
    return timed(lambda: LassoCV(alphas=POINTS, eps=EPS, cv=PredefinedSplit(folds_of(len(y), k))).fit(matrix, y))[0]


def glmnet(X: sp.csr_array, y: np.ndarray, loss: str, k: int) -> float:
    """CPU seconds of cv.glmnet, as R says."""
    if loss != "squared":
        raise click.UsageError("glmnet is here for --loss squared alone")
    there = glmnet_r.prepare(X, y, 1.0, True)
    folder = there.folder.name
    y.tofile(f"{folder}/y.bin")
    (folds_of(len(y), k) + 1).astype(np.int32).tofile(f"{folder}/fold.bin")
    return float(glmnet_r._run(["-e", SCRIPT, folder, *map(str, there.shape)]).split()[-1])


RIVALS = {"adelie": adelie, "scikit-learn": scikit_learn, "glmnet": glmnet}


def timed(call: Callable[[], object]) -> tuple[float, int]:
    """CPU seconds, and the peak of memory above what was held before."""
    before, start = _start_of_peak(), time.process_time()
    call()
    return time.process_time() - start, _peak() - before


def load(workload: str, loss: str) -> workloads.Data:
    """The workload, with classes where the loss wants them."""
    data = workloads.load(workload)
    return data if loss == "squared" else logistic.classes(workload, data)


def _limited(name: str, workload: str, loss: str, k: int, limit: int, pipe) -> None:  # type: ignore[no-untyped-def]
    data = load(workload, loss)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(limit + used.ru_utime + used.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    pipe.send(RIVALS[name](*data, loss, k))


def limited(name: str, workload: str, loss: str, k: int, limit: int) -> str:
    """A rival's seconds, or that it took more than the limit."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_limited, args=(name, workload, loss, k, limit, there))
    process.start()
    there.close()
    try:
        return f"{here.recv():.3g}"
    except EOFError:
        process.join()
        return f"over {limit}" if process.exitcode in (-24, -9) else f"failed ({process.exitcode})"


@click.command(context_settings={"show_default": True})
@click.option("--workloads", "names", default="crosses,latlon,retail,flights")
@click.option("--rivals", default="adelie,scikit-learn,glmnet", help="Comma-separated, or an empty text for none.")
@click.option("--loss", default="squared", type=click.Choice(["squared", "logistic"]))
@click.option("--folds", default=5)
@click.option("--repeats", default=3, help="Timed calls of sparsereg, in turns; the least counts.")
@click.option("--time-limit", default=100, help="CPU seconds of a rival.")
def main(names: str, rivals: str, loss: str, folds: int, repeats: int, time_limit: int) -> None:
    """Print a table in Markdown, row by row."""
    chosen = [name for name in rivals.split(",") if name]
    print(f"| {loss}, {folds} folds | one path | validation | over a path | peak over X |", end="")
    print("".join(f" {name} |" for name in chosen) + "\n|" + " --- |" * (5 + len(chosen)))
    for name in names.split(","):
        X, y = load(name, loss)
        calls = ours(X, y, loss, folds)
        for call in ours(X[:WARM_UP], y[:WARM_UP], loss, folds):
            call()  # what it imports counts in neither time nor memory
        found = [[timed(call) for call in calls] for _ in range(repeats)]
        path, validation = (min(seconds for seconds, _ in kind) for kind in zip(*found, strict=True))
        memory = max(peak for _, (_, peak) in found) / _bytes_of(X)
        print(f"| {name} | {path:.3g} | {validation:.3g} | {validation / path:.2f} | {memory:.2f} |", end="")
        for rival in chosen:
            print(f" {limited(rival, name, loss, folds, time_limit)} |", end="")
            sys.stdout.flush()
        print()
        sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
