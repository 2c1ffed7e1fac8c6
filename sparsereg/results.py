"""`PathResult`: the solutions of a model at k strengths, with their certificates. One class for every loss and penalty.

An output is one linear predictor: a single target has one, K targets or classes have K.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.compressed import product
from sparsereg.data.design import as_design
from sparsereg.losses import as_loss

__all__ = ["OutputCoefficients", "PathResult", "SparseCoefficients", "unit_of_gaps"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Points shown when a path is printed.
SHOWN = 10


class OutputCoefficients(Protocol):
    """Coefficients of one output at k strengths over p columns."""

    @property
    def shape(self) -> tuple[int, int]:
        """(p, k)."""

    @property
    def nbytes(self) -> int:
        """Bytes of the array that `tocsc` returns."""

    def counts(self) -> Int:
        """Number of coefficients at each strength."""

    def point(self, k: int) -> tuple[Int, NDArray[Any]]:
        """Columns and coefficients at strength k, `0 <= k`."""

    def tocsc(self) -> sp.csc_array:
        """All coefficients, of shape (p, k)."""


@dataclass(frozen=True, eq=False)
class SparseCoefficients:
    """`OutputCoefficients` held as a CSC array of shape (p, k), one column a strength."""

    array: sp.csc_array

    @property
    def shape(self) -> tuple[int, int]:
        return self.array.shape

    @property
    def nbytes(self) -> int:
        return self.array.data.nbytes + self.array.indices.nbytes + self.array.indptr.nbytes

    def counts(self) -> Int:
        return np.diff(self.array.indptr).astype(np.int64)

    def point(self, k: int) -> tuple[Int, NDArray[Any]]:
        part = slice(*self.array.indptr[[k, k + 1]])
        return self.array.indices[part].astype(np.int64), self.array.data[part]

    def tocsc(self) -> sp.csc_array:
        return self.array


@dataclass(frozen=True, eq=False, repr=False)
class PathResult:
    """Solutions at k strengths over p columns, for K outputs. `print(path)` shows some of the points.

    Attributes
    ----------
    alphas : float64 array of shape (k,)
        Strengths, decreasing.
    l1_ratio : float
        1 for the lasso, 0 for ridge.
    coefs : scipy.sparse.csc_array of shape (p, k), or tuple of K of these
        One column a point. float64 also where X is float32, because the certificates hold for these numbers.
    intercepts : float64 array of shape (k,), or (k, K)
    dual_gaps : float64 array of shape (k,)
        Upper bounds on how far each point is from the minimum, in the units of the objective.
    gap_scale : float
        What gaps are compared with: the weighted mean square of the (centred) target, or for ridge its weighted sum.
    tol : float
        What was asked for: a gap of at most `tol * gap_scale`, or where there are gradient norms, one of at most `tol`.
    n_iters : int64 array of shape (k,)
        Epochs of coordinate descent, steps of proximal gradient, or iterations of a ridge method.
    seconds : float64 array of shape (k,), or None
        Wall time of each point.
    deviance_explained : float64 array of shape (k,), or None
        `1 - deviance / null deviance` on the training rows.
    gradient_norms : float64 array of shape (k,), or None
        Relative gradient of each point, where convergence is judged by it.
    loss, link : str
        "squared" and "identity" for least squares.
    classes : array of shape (n_classes,), or None
        Labels, for a classifier.
    stopped : str or None
        Why the path ended before its last strength: "max_seconds", "max_memory" or "stop_when"; None where it did not.
    settings : dict, or None
        Arguments that the objective had beside the data and the strengths: fit_intercept, standardize, positive,
        penalty_factor, has_offset. None where unknown. Model files do not hold them.
    n_products : int64 array of shape (k,), or None
        How many of `n_iters` were products with the Gram matrix of active columns, in Newton steps.
    methods : tuple of k str, or None
        What each point was found by: "gram_cd" (coordinate descent on the Gram matrix of the working set),
        "residual_cd" (on the residual, once that matrix would be too large), "small_path" (on small data: Newton steps
        on the active columns, several strengths in one call) or "prox_gradient"; with ", projected dual" where the gap
        is that of a better dual point than the scaled residual. "rows_newton" for other losses over rows in parts,
        "newton" for several classes; empty for other losses in memory and several targets, which have one method.
    outputs : tuple of K `OutputCoefficients`
        What `coefs` is made from.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import regularization_path
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> path = regularization_path(X, [1.0, 3.0, 2.0, 0.0], alphas=[0.4, 0.1])
    >>> path.n_nonzero, path.certified
    (array([1, 2]), array([ True,  True]))
    >>> columns, weights = path.point(1)
    >>> columns, path.predict(X, 1).round(1)
    (array([0, 1]), array([1. , 2.6, 2. , 0.4]))
    """

    alphas: Vector
    l1_ratio: float
    coefs: Any
    intercepts: Vector
    dual_gaps: Vector
    gap_scale: float
    tol: float
    n_iters: Int
    seconds: Vector | None = None
    deviance_explained: Vector | None = None
    gradient_norms: Vector | None = None
    loss: str = "squared"
    link: str = "identity"
    classes: NDArray[Any] | None = None
    stopped: str | None = None
    settings: dict[str, Any] | None = None
    n_products: Int | None = None
    methods: tuple[str, ...] | None = None
    outputs: tuple[OutputCoefficients, ...] = field(init=False)

    @property
    def n_features(self) -> int:
        """Number of columns p."""
        return self.outputs[0].shape[0]

    @property
    def certified(self) -> NDArray[np.bool_]:
        """Whether each point is as accurate as was asked for."""
        if self.gradient_norms is not None:
            return self.gradient_norms <= self.tol
        return self.dual_gaps <= self.tol * self.gap_scale

    @property
    def n_nonzero(self) -> Int:
        """Number of coefficients of each point, over all outputs."""
        return np.sum([output.counts() for output in self.outputs], axis=0)

    def n_columns(self, k: int) -> int:
        """Number of columns that have a coefficient at point k, in one output or more."""
        return int(np.unique(self.coef(k).indices).size)

    def point(self, k: int, output: int = 0) -> tuple[Int, NDArray[Any]]:
        """Columns and values of the coefficients of point k (counted from the end if negative), those of one output.

        Raises
        ------
        IndexError
            If there is no such point.
        """
        return self.outputs[output].point(self._index(k))

    def coef(self, k: int) -> sp.csr_array:
        """Coefficients of point k, sparse of shape (K, p), as `sparse_coef_` of an estimator."""
        parts = [self.point(k, output) for output in range(len(self.outputs))]
        columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        indptr = np.cumsum([0, *(part[0].size for part in parts)])
        return sp.csr_array((values, columns, indptr), shape=(len(parts), self.n_features))

    def largest(self, top: int, output: int = 0) -> tuple[Int, Vector]:
        """The `top` columns with the largest absolute coefficient at any point, and their coefficients, (top, k)."""
        coefs = self.outputs[output].tocsc()
        columns, row = np.unique(coefs.indices, return_inverse=True)
        max_abs = np.zeros(columns.size)
        np.maximum.at(max_abs, row, np.abs(coefs.data))
        order = np.argsort(-max_abs)[:top]
        place = np.full(columns.size, -1)
        place[order] = np.arange(order.size)
        place, point = place[row], np.repeat(np.arange(self.alphas.size), np.diff(coefs.indptr))
        lines = np.zeros((order.size, self.alphas.size))
        lines[place[place >= 0], point[place >= 0]] = coefs.data[place >= 0]
        return columns[order].astype(np.int64), lines

    def of_output(self, output: int) -> PathResult:
        """The path of one of several outputs that are fitted apart; itself where there is one."""
        if len(self.outputs) == 1:
            return self
        return replace(self, coefs=self.outputs[output], intercepts=self.intercepts[:, output], classes=None)

    def predict(self, X: Any, k: int = -1) -> Vector:
        """Linear predictors `X w + b0` of point k (the last one by default), of shape (n,), or (n, K).

        Raises
        ------
        IndexError
            If there is no such point.
        ValueError
            If k is no integer, or X has another number of columns than in the fit, or values that are not finite.
        """
        k = self._index(k)
        if (n_features := as_design(X).n_features) != self.n_features:  # `as_design` checks the values too
            raise ValueError(f"X has {n_features} columns; the path was fitted on {self.n_features}.")
        X = X if sp.issparse(X) else np.asarray(X, dtype=np.float64)
        parts = [product(X, *output.point(k)) for output in self.outputs]
        return (np.stack(parts, axis=1) if len(parts) > 1 else parts[0]) + self.intercepts[k]

    def means(self, z: NDArray[Any]) -> NDArray[Any]:
        """What linear predictors stand for: the inverse link of each; probabilities (n, K) where there are classes.

        Of classes without probabilities, as the squared hinge has them, the predictors themselves."""
        if self.link == "softmax":
            e = np.exp(z - z.max(axis=1, keepdims=True))
            return np.asarray(e / e.sum(axis=1, keepdims=True))
        loss = as_loss(self.loss)
        if self.classes is not None and self.link == "logit":
            return np.stack([loss.inverse_link(-z), loss.inverse_link(z)], axis=1)
        return loss.inverse_link(z)

    def labels(self, z: NDArray[Any]) -> NDArray[Any]:
        """The class of each row of linear predictors: the largest, or by the sign of a single one.

        Raises
        ------
        ValueError
            If the path has no classes.
        """
        if self.classes is None:
            raise ValueError("the path was not fitted on classes; it predicts numbers.")
        return np.take(self.classes, z.argmax(axis=1) if z.ndim == 2 else (z > 0.0).astype(np.int64))

    def _index(self, k: Any) -> int:
        n_points = self.alphas.size
        if isinstance(k, bool) or not isinstance(k, Integral):
            expected = f"the number of a point, an integer from 0 to {n_points - 1}"
            raise ValueError(f"k={k!r}: expected {expected}.")  # noqa: TRY004 - like every other check
        if not -n_points <= int(k) < n_points:
            raise IndexError(f"k={k}: the path has {n_points} points, numbered from 0 to {n_points - 1}.")
        return int(k) % n_points

    def __repr__(self) -> str:
        ends = f"alpha {self.alphas[0]:.3g} to {self.alphas[-1]:.3g}" if self.alphas.size else "no alpha"
        outputs = f", {len(self.outputs)} outputs" if len(self.outputs) > 1 else ""
        return f"<{type(self).__name__}: {self.alphas.size} points, {ends}, {self.n_features} columns{outputs}>"

    def __str__(self) -> str:
        """A table of at most ten points: active columns (Df), per cent of the deviance explained (%Dev), strength."""
        n_points, explained = self.alphas.size, self.deviance_explained
        lines = [repr(self), "point        Df" + ("" if explained is None else "    %Dev") + "       alpha"]
        counts = self.n_nonzero
        for k in np.unique(np.linspace(0, n_points - 1, min(n_points, SHOWN)).astype(int)):
            share = "" if explained is None else f"{100 * explained[k]:>8.2f}"
            lines.append(f"{k:>5} {counts[k]:>9,}{share} {self.alphas[k]:>11.4g}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The table of `print(path)` for notebooks."""
        first, head, *rows = str(self).splitlines()
        cells = [["".join(f"<{tag}>{html.escape(word)}</{tag}>" for word in row.split())]
                 for tag, row in (("th", head), *(("td", row) for row in rows))]  # fmt: skip
        table = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
        return f"<p>{html.escape(first)}</p><table>{table}</table>"


def unit_of_gaps(loss: str) -> str:
    """What relative gaps are shares of."""
    return "the target's mean square" if loss == "squared" else "the null model's loss a row"


class _Coefs:
    """The field `coefs` of `PathResult`: set as sparse arrays or `OutputCoefficients`, read as sparse arrays."""

    def __get__(self, path: Any, owner: type) -> Any:
        arrays = tuple(output.tocsc() for output in path.outputs)
        return arrays if len(arrays) > 1 else arrays[0]

    def __set__(self, path: Any, coefs: Any) -> None:
        parts = coefs if isinstance(coefs, tuple) else (coefs,)
        vars(path)["outputs"] = tuple(SparseCoefficients(part) if sp.issparse(part) else part for part in parts)


PathResult.coefs = _Coefs()  # not in the class, where it would be the default of the field
