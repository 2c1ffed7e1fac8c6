"""glmnet in R, in a process of its own: binary files are exchanged, and R times the call of glmnet alone.

glmnet scales y to unit variance and applies the penalty there, which changes the mix of an elastic net: with s the
deviation of y, the problem of docs/design.md is glmnet's at alpha = l1_ratio / c and lambda = strength * c, where
c = l1_ratio + (1 - l1_ratio) s.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from rivals import Fitted, Matrix, columns, decades

SCRIPT = Path(__file__).with_name("glmnet_path.R")


@dataclass(frozen=True)
class OnDisk:
    """A matrix written for R; the folder goes with the object."""

    folder: tempfile.TemporaryDirectory
    shape: tuple[int, int]


def _rscript() -> str:
    found = shutil.which("Rscript")
    if found is None:
        raise FileNotFoundError("Rscript is not on the PATH")
    return found


def _run(arguments: list[str]) -> str:
    done = subprocess.run([_rscript(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"Rscript ended with {done.returncode}: {reason}")
    return done.stdout


def version() -> str:
    try:
        return _run(["-e", "cat(as.character(packageVersion('glmnet')))"])
    except RuntimeError as error:
        raise ImportError("glmnet is not installed in R") from error


def tolerances(_gap: float) -> list[float]:
    return decades(1e-3, 1e-20)  # on the square of the change of a coefficient


def prepare(X: Matrix, _y: np.ndarray, _l1_ratio: float, _intercept: bool) -> object:
    by_column = columns(X)
    folder = tempfile.TemporaryDirectory(prefix="glmnet-")
    root = Path(folder.name)
    if sp.issparse(by_column):
        by_column.data.tofile(root / "x.bin")
        by_column.indices.astype(np.int32).tofile(root / "i.bin")
        by_column.indptr.astype(np.int32).tofile(root / "p.bin")
    else:
        by_column.ravel(order="F").tofile(root / "x.bin")
    return OnDisk(folder, by_column.shape)


def path(
    X: OnDisk,
    y: np.ndarray,
    alphas: np.ndarray,
    l1_ratio: float,
    tol: float,
    intercept: bool,
    family: str = "gaussian",
) -> Fitted:
    root, (n, p) = Path(X.folder.name), X.shape
    c = l1_ratio + (1.0 - l1_ratio) * (y.std() if family == "gaussian" else 1.0)
    y.tofile(root / "y.bin")
    (alphas * c).tofile(root / "lambda.bin")
    out = _run(
        [str(SCRIPT), str(root), str(n), str(p), repr(float(l1_ratio / c)), repr(tol), str(intercept).upper(), family]
    ).split()
    timed, peak_bytes = (float(out[-3]), float(out[-2])), int(float(out[-1]))
    parts = [np.fromfile(root / f"out_{name}.bin", dtype) for name, dtype in (("x", "f8"), ("i", "i4"), ("p", "i4"))]
    coefs = sp.csc_array((parts[0], parts[1], parts[2]), shape=(p, len(alphas)))
    return Fitted(coefs, np.fromfile(root / "out_a0.bin"), timed=timed, peak_bytes=peak_bytes or None)


def fit(X: OnDisk, y: np.ndarray, alpha: float, l1_ratio: float, tol: float, intercept: bool) -> Fitted:
    return path(X, y, np.array([alpha]), l1_ratio, tol, intercept)
