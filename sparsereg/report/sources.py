"""`FittedPoints`: what a `SparsityReport` needs of a fitted path or estimator. Solvers are not imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from sparsereg.results import OutputCoefficients, PathResult, SparseCoefficients

__all__ = ["FittedPoints", "path_of"]

Values = dict[str, Any]


@dataclass(frozen=True)
class FittedPoints:
    """Coefficients of k points, strengths of a path or targets of an estimator, and what is known of each point.

    Attributes
    ----------
    coefs : OutputCoefficients of shape (p, k)
    values : dict of str to sequence of length k
        Such as alpha and the duality gap; None where unknown.
    tol : float or None
        The duality gap asked for, as a share of the target's mean square.
    names : sequence of str or None
        Names of the p columns.
    loss : str
        A key of `LOSSES`.
    """

    coefs: OutputCoefficients
    values: Values
    tol: float | None
    names: Sequence[str] | None = None
    loss: str = "squared"

    @classmethod
    def of_path(cls, path: PathResult, scores: Mapping[str, Sequence[float]], output: int) -> FittedPoints:
        """The points of a path, with further scores of each; the coefficients are those of one output."""
        n_points, coefs = path.alphas.size, path.outputs[output]
        unknown = [None] * n_points
        for name, score in scores.items():
            if len(score) != n_points:
                raise ValueError(f"scores[{name!r}] holds {len(score)} values; expected {n_points}, one a point.")
        values: Values = {
            "alpha": path.alphas,
            "deviance_explained": unknown if path.deviance_explained is None else path.deviance_explained,
            "dual_gap": path.dual_gaps,
            "relative_gap": path.dual_gaps / (path.gap_scale or 1.0),
            "certified": unknown if np.isnan(path.gap_scale) else path.certified,
            "n_iter": path.n_iters,
            "seconds": unknown if path.seconds is None else path.seconds,
            **_degrees_of_freedom(coefs.counts().tolist(), path.l1_ratio),
        }
        if path.gradient_norms is not None:
            return cls(coefs, values | {"gradient_norm": path.gradient_norms} | dict(scores), None, loss=path.loss)
        return cls(coefs, values | dict(scores), path.tol, loss=path.loss)

    @classmethod
    def of_estimator(cls, estimator: Any, names: Sequence[str] | None = None) -> FittedPoints:
        """The targets of a fitted estimator, one point each; `names` of its columns, if it does not know them."""
        if not hasattr(estimator, "sparse_coef_"):
            raise ValueError(
                f"estimator={type(estimator).__name__} has no sparse_coef_; fit a Lasso, ElasticNet or Ridge of this "
                "package first."
            )
        coefs = SparseCoefficients(sp.csc_array(sp.csr_array(estimator.sparse_coef_).T))
        n_targets = coefs.shape[1]

        def per_target(name: str) -> list[Any]:
            value = np.ravel(np.asarray(getattr(estimator, name, None), dtype=object))
            return list(value if value.size == n_targets else np.resize(value, n_targets))

        counts = [int(np.count_nonzero(coefs.point(target)[1])) for target in range(n_targets)]
        values: Values = {
            "alpha": per_target("alpha_" if hasattr(estimator, "alpha_") else "alpha"),
            "deviance_explained": per_target("deviance_explained_"),
            "dual_gap": per_target("dual_gap_"),
            "relative_gap": [None] * n_targets,
            "certified": [None] * n_targets,
            "n_iter": per_target("n_iter_"),
            "seconds": [None] * n_targets,
            **_degrees_of_freedom(counts, getattr(estimator, "l1_ratio", 0)),
        }
        tol = getattr(estimator, "tol", None)
        if hasattr(estimator, "gradient_norm_"):
            values["gradient_norm"], tol = per_target("gradient_norm_"), None  # ridge's tolerance is on the gradient
        return cls(coefs, values, tol, getattr(estimator, "feature_names_in_", names), _loss_of(estimator))


def _degrees_of_freedom(counts: Sequence[int], l1_ratio: float) -> dict[str, list[float | None]]:
    """Degrees of freedom where they follow from the coefficients alone: the lasso's are its non-zero coefficients."""
    if l1_ratio != 1.0:
        return dict.fromkeys(("df", "df_error"), [None] * len(counts))
    return {"df": [float(count) for count in counts], "df_error": [0.0] * len(counts)}


def path_of(estimator: Any) -> PathResult:
    """A fitted linear model with one target, or two classes, as a path of one point, whose rows can be looked at.

    Raises
    ------
    ValueError
        If it has several targets or classes, or is a classifier without a loss.
    """
    coefs = sp.csc_array(sp.csr_array(estimator.sparse_coef_).T)
    loss, link = getattr(estimator, "path_loss", ("squared", "identity"))
    if coefs.shape[1] != 1 or (hasattr(estimator, "classes_") and loss == "squared"):
        raise ValueError(
            f"X_val: {type(estimator).__name__} has several targets or classes; held-out rows are looked at for one "
            "target. Leave X_val out, or fit one target."
        )

    def number(*names: str, default: float) -> float:
        values = [getattr(estimator, name) for name in names if hasattr(estimator, name)]
        return float(np.ravel(values[0])[0]) if values and np.ravel(values[0])[0] is not None else default

    return PathResult(
        alphas=np.array([number("alpha_", "alpha", default=np.nan)]),
        l1_ratio=number("l1_ratio_", "l1_ratio", default=0.0),
        coefs=coefs,
        intercepts=np.array([number("intercept_", default=0.0)]),
        dual_gaps=np.array([number("dual_gap_", default=np.nan)]),
        gap_scale=np.nan,
        tol=number("tol", default=np.nan),
        n_iters=np.array([number("n_iter_", default=0)], dtype=np.int64),
        loss=loss,
        link=link,
        classes=getattr(estimator, "classes_", None),
    )


def _loss_of(estimator: Any) -> str:
    """Its loss; of one whose loss has no name, that of all others."""
    try:
        return str(getattr(estimator, "path_loss", ("squared",))[0])
    except ValueError:
        return "other"
