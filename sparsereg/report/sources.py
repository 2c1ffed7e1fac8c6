"""`FittedPoints`: what a `SparsityReport` needs of a fitted path or estimator. Solvers are not imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from sparsereg.results import OutputCoefficients, PathResult, SparseCoefficients

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross

__all__ = ["FittedPoints", "check_cross", "path_of"]

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
    def of_path(cls, path: PathResult, scores: Any, output: int) -> FittedPoints:
        """The points of a path, with a dict of further scores of each; the coefficients are those of one output."""
        n_points, coefs = path.alphas.size, path.outputs[output]
        unknown = [None] * n_points
        if not isinstance(scores, Mapping):
            kind = type(scores).__name__
            raise ValueError(f"scores={kind}: expected a dict of names to one number a point.")  # noqa: TRY004
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
            **_degrees_of_freedom(coefs.counts().tolist(), 0.0 if _penalises_rows(path) else path.l1_ratio),
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
            **_degrees_of_freedom(counts, _ratio_of_columns(estimator)),
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


def _penalises_rows(path: PathResult) -> bool:
    """Whether a column's coefficients for all targets are penalised together, so that df is no count."""
    return len(path.outputs) > 1 and path.loss == "squared"


def _ratio_of_columns(estimator: Any) -> float:
    """The l1_ratio, chosen or given; 0 where rows of coefficients are penalised together, whose df is no count."""
    if getattr(estimator, "penalises_rows", False):
        return 0.0
    return _number(estimator, "l1_ratio_", "l1_ratio", default=0.0)


def check_cross(cross: FeatureCross | None, n_columns: int) -> None:
    """Raise a ValueError unless it is a fitted cross that makes so many columns, or None."""
    if cross is None:
        return
    if not hasattr(cross, "n_features_out_"):
        raise ValueError(f"cross={type(cross).__name__}: expected the fitted FeatureCross that made X, or None.")
    if cross.n_features_out_ != n_columns:
        raise ValueError(
            f"cross makes {cross.n_features_out_} columns but the coefficients have {n_columns}; "
            "pass the FeatureCross that made X."
        )


def path_of(fitted: Any) -> PathResult:
    """A fitted linear model as a path of one point, with an output for each of its targets or classes.

    Raises
    ------
    ValueError
        If it is not fitted, or a classifier without a loss.
    """
    name = type(fitted).__name__
    loss = getattr(fitted, "path_loss", None)
    if hasattr(fitted, "classes_") and loss is None:
        raise ValueError(
            f"{name} is a classifier without a loss that this package knows; take one such as LogisticRegression, or"
            " keep the model with joblib or skops."
        )
    if not (hasattr(fitted, "coef_") and hasattr(fitted, "intercept_")):
        raise ValueError(
            f"{name} has no coef_ and intercept_; pass the result of regularization_path, or a fitted linear model."
        )
    coef = fitted.sparse_coef_ if hasattr(fitted, "sparse_coef_") else np.atleast_2d(fitted.coef_)
    coefs = sp.csc_array(sp.csr_array(coef).T)
    n_outputs = coefs.shape[1]
    intercepts = np.broadcast_to(np.asarray(fitted.intercept_, dtype=np.float64).ravel(), (n_outputs,))
    norms = getattr(fitted, "gradient_norm_", None)
    return PathResult(
        alphas=np.array([_number(fitted, "alpha_", "alpha")]),
        l1_ratio=_number(fitted, "l1_ratio_", "l1_ratio", default=0.0),
        coefs=tuple(coefs[:, [output]] for output in range(n_outputs)),
        intercepts=intercepts.copy() if n_outputs == 1 else intercepts[None].copy(),
        dual_gaps=np.array([_number(fitted, "dual_gap_")]),
        gap_scale=np.nan,
        tol=_number(fitted, "tol"),
        n_iters=np.array([_number(fitted, "n_iter_", default=0)], dtype=np.int64),
        gradient_norms=None if norms is None else np.array([np.max(norms)], dtype=np.float64),
        classes=getattr(fitted, "classes_", None),
        **dict(zip(("loss", "link"), loss or ("squared", "identity"), strict=True)),
    )


def _number(fitted: Any, *names: str, default: float = np.nan) -> float:
    """The first of some attributes, of several targets the largest; `default` where none is a number."""
    for name in names:
        value = getattr(fitted, name, None)
        value = np.max(value) if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" else value
        if isinstance(value, Real):
            return float(value)
    return default


def _loss_of(estimator: Any) -> str:
    """Its loss; of one whose loss has no name, that of all others."""
    try:
        return str(getattr(estimator, "path_loss", ("squared",))[0])
    except ValueError:
        return "other"
