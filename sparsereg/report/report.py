"""`SparsityReport`: what survived, by strength, by field and cross, by column. It may not know solvers.

It reads the sparse coefficients of a fitted path or model; nothing here is as long as X is wide.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from sparsereg.data.validation import check_number
from sparsereg.report.tables import block_rows, column_rows, path_rows, plain
from sparsereg.report.text import report_text

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.solvers.path import PathResult

__all__ = ["SparsityReport"]

Row = dict[str, Any]

_TABLES = ("path", "blocks", "columns")


@dataclass(frozen=True, eq=False)
class SparsityReport:
    """What survived the penalty, and what it costs to keep.

    Made by `from_path` or `from_estimator`. What is not known, such as the deviance of a bare estimator, is None.

    Attributes
    ----------
    n_columns : int
        Columns of X.
    n_cells : int or None
        Nominal columns: those that the fields and crosses could have. None without a `FeatureCross`.
    point : int
        The point of the path that `blocks` and `columns` describe, counted from 0.
    tol : float or None
        The duality gap asked for, as a share of the target's mean square.
    path : list of dict
        For each strength: point, alpha, n_nonzero, density (of X's columns), deviance_explained, l1_norm, l2_norm,
        dual_gap, relative_gap, certified, n_iter, seconds, df, df_error, and what was handed over as scores. `df` are the
        degrees of freedom of the coefficients (an intercept is 1 more) and `df_error` its standard error, 0 where it is
        exact: the lasso's are its non-zero coefficients, others are worked out from X where that is handed over.
    blocks : list of dict
        For each field and cross: name, fields, n_cells, n_observed, n_nonzero, weight (the sum of the absolute
        coefficients), weight_share (of all weight), df, df_error, shrinkage_factor (df / n_observed: what the penalty leaves of a
        column on average, from 0, nothing, to 1, all) and, where X is handed over, variance_share (of the predictions; negative where it
        works against the others). Empty without a `FeatureCross`.
    columns : list of dict
        The heaviest columns: name, column, coefficient; heaviest first.
    bytes_kept, bytes_dense : int
        What the coefficients of all points take, as they are kept, and if every column of X had one at every point.
    bytes_nominal : int or None
        The same for every nominal column.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import regularization_path
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> report = SparsityReport.from_path(regularization_path(X, [1.0, 3.0, 2.0, 0.0], alphas=3))
    >>> [row["n_nonzero"] for row in report.path]
    [0, 2, 2]
    >>> report.columns[0]["name"]
    'column 1'
    """

    n_columns: int
    n_cells: int | None
    point: int
    tol: float | None
    path: list[Row]
    blocks: list[Row]
    columns: list[Row]
    bytes_kept: int
    bytes_dense: int
    bytes_nominal: int | None

    @classmethod
    def from_path(
        cls,
        path: PathResult,
        cross: FeatureCross | None = None,
        k: int | None = None,
        *,
        top: int = 20,
        scores: Mapping[str, Sequence[float]] | None = None,
    ) -> SparsityReport:
        """Report on a path.

        Parameters
        ----------
        path : PathResult
        cross : FeatureCross, optional
            The fitted transformer that made X. Without it there are no fields and no names.
        k : int, optional
            The point whose survivors are described; -1 is the last. None, the default, is the last as well: the
            weakest penalty, where most survives.
        top : int, default 20
            How many of the heaviest columns to name; more than fit a screen are rarely read.
        scores : mapping of str to sequence of float, optional
            More to say of each strength, such as ``{"held-out R2": [...]}``.

        Returns
        -------
        SparsityReport

        Raises
        ------
        ValueError
            If `k` is not a point of the path, or `cross`, `scores` or `top` do not fit it.
        """
        n_points = path.alphas.size
        scale = path.gap_scale or 1.0
        known: dict[str, Any] = {
            "alpha": path.alphas,
            "deviance_explained": path.deviance_explained,
            "dual_gap": path.dual_gaps,
            "relative_gap": path.dual_gaps / scale,
            "certified": path.certified,
            "n_iter": path.n_iters,
            "seconds": path.seconds,
            **_degrees(path.n_nonzero.tolist(), path.l1_ratio),
        }
        for name, values in (scores or {}).items():
            if len(values) != n_points:
                raise ValueError(f"scores[{name!r}] holds {len(values)} values; expected {n_points}, one a point.")
        return cls._build(path.coefs, known | dict(scores or {}), path.tol, cross, k=k, top=top)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        cross: FeatureCross | None = None,
        k: int | None = None,
        *,
        top: int = 20,
        X: Any = None,
        sample_weight: Any = None,
    ) -> SparsityReport:
        """Report on a fitted `Lasso`, `ElasticNet` or `Ridge`, on a pipeline that ends in one, or on a loaded `Model`.

        Parameters
        ----------
        estimator : estimator with `sparse_coef_`, Pipeline, or Model
            With several targets each of them is a point.
        cross : FeatureCross, optional
            The fitted transformer that made X. A pipeline or a model brings its own.
        k : int, optional
            The point, here target, that is described. None, the default, is the last; of a `Model`, its own point.
        top : int, default 20
            How many of the heaviest columns to name.
        X, sample_weight : optional
            What was fitted on (of a pipeline, what its first step takes). With it come the degrees of freedom, see
            `degrees_of_freedom`, and each block's share of the variance. It may take about as long as some fits.

        Returns
        -------
        SparsityReport

        Raises
        ------
        ValueError
            If there are no sparse coefficients to be found, or X does not fit them.

        Examples
        --------
        >>> import numpy as np
        >>> from sparsereg import Ridge
        >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
        >>> report = SparsityReport.from_estimator(Ridge(alpha=3.0).fit(X, [1.0, 3.0, 2.0, 0.0]), X=X)
        >>> round(report.path[0]["df"], 3), report.path[0]["df_error"]
        (0.5, 0.0)
        """
        if X is None and sample_weight is not None:
            raise ValueError("sample_weight has an effect only with X; pass the X of the fit too.")
        if hasattr(estimator, "path") and hasattr(estimator, "point"):
            if X is not None:
                raise ValueError("X: a saved path does not know its penalty factors; fit an estimator to know its df.")
            own = cross if cross is not None else estimator.cross
            return cls.from_path(estimator.path, own, estimator.point if k is None else k, top=top)
        if hasattr(estimator, "steps"):
            steps = [step for _, step in estimator.steps]
            own = steps[-2] if len(steps) > 1 and hasattr(steps[-2], "blocks_") else None
            X = X if X is None or len(steps) == 1 else estimator[:-1].transform(X)
            cross = own if cross is None else cross
            return cls.from_estimator(steps[-1], cross, k, top=top, X=X, sample_weight=sample_weight)
        if not hasattr(estimator, "sparse_coef_"):
            raise ValueError(
                f"estimator={type(estimator).__name__} has no sparse_coef_; fit a Lasso, ElasticNet or Ridge of this "
                "package first."
            )
        coefs = sp.csc_array(sp.csr_array(estimator.sparse_coef_).T)
        n_targets = coefs.shape[1]
        gradient, scale = getattr(estimator, "gradient_norm_", None), getattr(estimator, "gap_scale_", None)
        tol = getattr(estimator, "tol", None) if gradient is None else None  # ridge's is not one of the gap
        gap = getattr(estimator, "dual_gap_", None)
        known: dict[str, Any] = {
            "alpha": _spread(getattr(estimator, "alpha", None), n_targets),
            "deviance_explained": _spread(getattr(estimator, "deviance_explained_", None), n_targets),
            "dual_gap": _spread(gap, n_targets),
            "relative_gap": [None] * n_targets,
            "certified": [None] * n_targets,
            "n_iter": _spread(getattr(estimator, "n_iter_", None), n_targets),
            "seconds": [None] * n_targets,
            **_degrees(
                [int(coefs[:, [t]].count_nonzero()) for t in range(n_targets)], getattr(estimator, "l1_ratio", 0)
            ),
        }
        if gradient is not None:
            known["gradient_norm"] = _spread(gradient, n_targets)
        if gap is not None and scale is not None:
            relative = np.divide(_spread(gap, n_targets), np.where(np.asarray(scale) > 0, scale, 1.0))
            known |= {"relative_gap": relative, "certified": relative <= tol}
        names = getattr(estimator, "feature_names_in_", None)
        report = cls._build(coefs, known, tol, cross, k=k, top=top, names=names)
        return report if X is None else _with_use(report, estimator, cross, X, sample_weight)

    @classmethod
    def _build(
        cls,
        coefs: sp.csc_array,
        known: Mapping[str, Any],
        tol: float | None,
        cross: FeatureCross | None,
        *,
        k: int | None,
        top: int,
        names: Any = None,
    ) -> SparsityReport:
        n_columns, n_points = coefs.shape
        point = _checked_point(k, n_points)
        check_number("top", top, low=0, integer=True)
        if cross is not None and cross.n_features_out_ != n_columns:
            raise ValueError(
                f"cross makes {cross.n_features_out_} columns but the coefficients have {n_columns}; "
                "pass the FeatureCross that made X."
            )
        place = slice(*coefs.indptr[[point, point + 1]])
        columns, weights = coefs.indices[place].astype(np.int64), coefs.data[place].astype(np.float64)
        columns, weights = columns[weights != 0.0], weights[weights != 0.0]
        n_cells = None if cross is None else sum(block.n_cells for block in cross.blocks_)
        one = n_points * coefs.data.dtype.itemsize
        return cls(
            n_columns=n_columns,
            n_cells=n_cells,
            point=point,
            tol=tol,
            path=path_rows(coefs, known),
            blocks=[] if cross is None else block_rows(cross, columns, weights, known["df"][point] is not None),
            columns=column_rows(columns, weights, top, cross, names),
            bytes_kept=coefs.data.nbytes + coefs.indices.nbytes + coefs.indptr.nbytes,
            bytes_dense=n_columns * one,
            bytes_nominal=None if n_cells is None else n_cells * one,
        )

    def to_text(self, max_rows: int = 15, width: int = 110) -> str:
        """The report as lines of text.

        Parameters
        ----------
        max_rows : int, default 15
            Most rows of the path table, spread evenly, with the first, the last and the described point among them.
        width : int, default 110
            Longest line, in characters; long names of columns are cut in the middle.

        Returns
        -------
        str
        """
        return report_text(self, max_rows, width)

    def to_frame(self, table: str = "path") -> Any:
        """One of the tables as a pandas data frame.

        Parameters
        ----------
        table : {"path", "blocks", "columns"}, default "path"
            By strength, by field and cross, or the heaviest columns.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed.
        ValueError
            If there is no such table.
        """
        if table not in _TABLES:
            raise ValueError(f"table={table!r}: expected one of {', '.join(map(repr, _TABLES))}.")
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                f"to_frame needs pandas: pip install pandas; or use report.{table}, a list of dicts."
            ) from error
        return pd.DataFrame(getattr(self, table))

    def to_json(self, indent: int | None = None) -> str:
        """The report as JSON; what is unknown, or not a finite number, is null.

        Parameters
        ----------
        indent : int, optional
            Spaces a level. None, the default, puts all in one line, for machines.

        Returns
        -------
        str
        """
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _checked_point(k: int | None, n_points: int) -> int:
    if k is None:
        return n_points - 1
    return int(check_number("k", k, low=-n_points, high=n_points - 1, integer=True)) % n_points


def _degrees(counts: Sequence[int], l1_ratio: float) -> dict[str, list[float | None]]:
    """Degrees of freedom as far as coefficients alone tell them: the lasso's are their count."""
    if l1_ratio != 1.0:
        return dict.fromkeys(("df", "df_error"), [None] * len(counts))
    return {"df": [float(count) for count in counts], "df_error": [0.0] * len(counts)}


def _with_use(
    report: SparsityReport, estimator: Any, cross: FeatureCross | None, X: Any, sample_weight: Any
) -> SparsityReport:
    """The report with what the fit used of X: degrees of freedom, whole and by block, and shares of the variance."""
    from sparsereg.linear_model.degrees import (  # scikit-learn takes a second
        degrees_of_every_target,
        variance_shares,
    )

    stops = [report.n_columns] if cross is None else [block.stop for block in cross.blocks_]
    found = degrees_of_every_target(estimator, X, sample_weight, stops)
    path = [row | {"df": one.total, "df_error": one.error} for row, one in zip(report.path, found, strict=True)]
    if cross is None:
        return replace(report, path=path)
    shares = variance_shares(estimator, X, sample_weight, report.point, stops).tolist()
    here = zip(found[report.point].blocks.tolist(), found[report.point].block_errors.tolist(), shares, strict=True)
    blocks = [
        row | {"df": df, "df_error": error, "shrinkage_factor": df / max(row["n_observed"], 1), "variance_share": share}
        for row, (df, error, share) in zip(report.blocks, here, strict=True)
    ]
    return replace(report, path=path, blocks=blocks)


def _spread(value: Any, n_targets: int) -> list[Any]:
    """One value a target, from one for all, one for each, or None."""
    values = np.ravel(np.asarray(value, dtype=object))
    return list(values if values.size == n_targets else np.resize(values, n_targets))


def _finite(value: Any) -> Any:
    """A copy in which NaN and infinities are None."""
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    value = plain(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
