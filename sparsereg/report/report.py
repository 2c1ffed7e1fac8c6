"""`SparsityReport`: the non-zero coefficients of a path or model, counted by strength, by field and cross, by column.

Only sparse coefficients are read, so memory follows their number and not the width of X. Solvers are not imported.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsereg.data.validation import check_choice, check_number
from sparsereg.report.sources import FittedPoints
from sparsereg.report.tables import block_rows, column_rows, path_rows, plain
from sparsereg.report.text import report_text

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.results import PathResult

__all__ = ["SparsityReport"]

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class SparsityReport:
    """Which coefficients are not zero, and what storing them costs. Made by `from_path` or `from_estimator`.

    What is not known, such as the deviance explained by an estimator that does not state it, is None.

    Attributes
    ----------
    n_columns : int
        Columns of X.
    n_cells : int or None
        Possible columns: all levels and combinations of the fields and crosses. None without a `FeatureCross`.
    point : int
        The point of the path that `blocks` and `columns` describe, counted from 0.
    tol : float or None
        The duality gap asked for, as a share of the target's mean square.
    path : list of dict
        For each strength: point, alpha, n_nonzero, density (n_nonzero / n_columns), deviance_explained, l1_norm,
        l2_norm, dual_gap, relative_gap, certified, n_iter, seconds, df, df_error, and `scores`. `df` are the
        degrees of freedom of the coefficients (an intercept is 1 more) and `df_error` their standard error, 0 where
        exact. For the lasso they are the number of non-zero coefficients; otherwise computing them takes X.
    blocks : list of dict
        For each field and cross: name, fields, n_cells, n_observed, n_nonzero, weight (the sum of the absolute
        coefficients), weight_share (of the sum over all blocks), df, df_error, shrinkage_factor (df / n_observed: 0
        where the penalty removes a block, 1 where it leaves it alone) and, if X is passed, variance_share (of the
        predictions; negative where a block counteracts the others). Empty without a `FeatureCross`.
    columns : list of dict
        The largest coefficients in absolute value, in decreasing order: name, column, coefficient.
    bytes_kept, bytes_dense : int
        Bytes of the coefficients of all points, as stored, and as a dense array over the columns of X.
    bytes_nominal : int or None
        Bytes of a dense array over all possible columns.

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
        output: int = 0,
    ) -> SparsityReport:
        """Report on a path.

        Parameters
        ----------
        path : PathResult
        cross : FeatureCross, optional
            The fitted transformer that made X. Without it there are no fields and no names.
        k : int, optional
            The point that `blocks` and `columns` describe; -1 is the last. None, the default, is the last as well: the
            weakest penalty, where most coefficients are non-zero.
        top : int, default 20
            How many of the largest coefficients to name.
        scores : mapping of str to sequence of float, optional
            Further values for each strength, such as ``{"held-out R2": [...]}``.
        output : int, default 0
            Whose coefficients are described, if the path has several outputs.

        Returns
        -------
        SparsityReport

        Raises
        ------
        ValueError
            If `k` is not a point of the path, or `cross`, `scores` or `top` do not fit it.
        """
        return cls._build(FittedPoints.of_path(path, scores or {}, output), cross, k, top)

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
            The fitted transformer that made X. Default: that of the pipeline or model.
        k : int, optional
            The point, here a target, that is described. None, the default, is the last; of a `Model`, its own point.
        top : int, default 20
            How many of the largest coefficients to name.
        X, sample_weight : optional
            The training data (of a pipeline, the input of its first step). They add the degrees of freedom, see
            `degrees_of_freedom`, and each block's share of the variance, at the cost of about one fit.

        Returns
        -------
        SparsityReport

        Raises
        ------
        ValueError
            If the estimator has no `sparse_coef_`, or X has other columns than its coefficients.

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
        names = None
        if hasattr(estimator, "steps"):
            steps = [step for _, step in estimator.steps]
            own = steps[-2] if len(steps) > 1 and hasattr(steps[-2], "blocks_") else None
            names = None if own is not None or cross is not None else _names_of_output(estimator)
            X = X if X is None or len(steps) == 1 else estimator[:-1].transform(X)
            cross = own if cross is None else cross
            estimator = steps[-1]
        fitted = FittedPoints.of_estimator(estimator, names)
        report = cls._build(fitted, cross, k, top)
        return report if X is None else report._with_degrees_of_freedom(estimator, cross, X, sample_weight)

    @classmethod
    def _build(cls, fitted: FittedPoints, cross: FeatureCross | None, k: int | None, top: int) -> SparsityReport:
        coefs = fitted.coefs
        n_columns, n_points = coefs.shape
        point = -1 if k is None else int(check_number("k", k, low=-n_points, high=n_points - 1, integer=True))
        point %= n_points
        check_number("top", top, low=0, integer=True)
        if cross is not None and cross.n_features_out_ != n_columns:
            raise ValueError(
                f"cross makes {cross.n_features_out_} columns but the coefficients have {n_columns}; "
                "pass the FeatureCross that made X."
            )
        columns, values = coefs.point(point)
        columns, values = columns[values != 0.0], values[values != 0.0].astype(np.float64)
        n_cells = None if cross is None else sum(block.n_cells for block in cross.blocks_)
        bytes_per_column = n_points * coefs.point(point)[1].dtype.itemsize
        df_is_count = fitted.values["df"][point] is not None
        return cls(
            n_columns=n_columns,
            n_cells=n_cells,
            point=point,
            tol=fitted.tol,
            path=path_rows(coefs, fitted.values),
            blocks=[] if cross is None else block_rows(cross, columns, values, df_is_count),
            columns=column_rows(columns, values, top, cross, fitted.names),
            bytes_kept=coefs.nbytes,
            bytes_dense=n_columns * bytes_per_column,
            bytes_nominal=None if n_cells is None else n_cells * bytes_per_column,
        )

    def _with_degrees_of_freedom(
        self, estimator: Any, cross: FeatureCross | None, X: Any, sample_weight: Any
    ) -> SparsityReport:
        """A copy with degrees of freedom, of all columns and by block, and each block's share of the variance."""
        # Imported here: scikit-learn takes a second.
        from sparsereg.linear_model.degrees import degrees_of_every_target, variance_shares

        stops = [self.n_columns] if cross is None else [block.stop for block in cross.blocks_]
        degrees = degrees_of_every_target(estimator, X, sample_weight, stops)
        path = [row | {"df": one.total, "df_error": one.error} for row, one in zip(self.path, degrees, strict=True)]
        if cross is None:
            return replace(self, path=path)
        shares = variance_shares(estimator, X, sample_weight, self.point, stops).tolist()
        own = degrees[self.point]
        by_block = zip(self.blocks, own.blocks.tolist(), own.block_errors.tolist(), shares, strict=True)
        blocks = [
            row
            | {"df": df, "df_error": error, "shrinkage_factor": df / max(row["n_observed"], 1), "variance_share": share}
            for row, df, error, share in by_block
        ]
        return replace(self, path=path, blocks=blocks)

    def to_text(self, max_rows: int = 15, width: int | None = None) -> str:
        """The report as lines of text.

        Parameters
        ----------
        max_rows : int, default 15
            Most rows of the path table: the first, the last, the described point, and others at even distances.
        width : int, optional
            Longest line, in characters; at least 40. Long names are cut in the middle; columns that do not fit are left
            out. Default: the width of the terminal, but at most 110.

        Returns
        -------
        str
        """
        if width is None:
            width = max(40, min(110, shutil.get_terminal_size((110, 24)).columns))
        check_number("width", width, low=40, integer=True)
        return report_text(self, max_rows, width)

    def to_frame(self, table: str = "path") -> Any:
        """One of the tables as a pandas data frame.

        Parameters
        ----------
        table : {"path", "blocks", "columns"}, default "path"
            By strength, by field and cross, or the largest coefficients.

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
        check_choice("table", table, ("path", "blocks", "columns"))
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                f"to_frame needs pandas: pip install pandas; or use report.{table}, a list of dicts."
            ) from error
        return pd.DataFrame(getattr(self, table))

    def to_json(self, indent: int | None = None) -> str:
        """The report as JSON; unknown values, NaN and infinities are null.

        Parameters
        ----------
        indent : int, optional
            Spaces a level. None, the default, writes one line.

        Returns
        -------
        str
        """
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _names_of_output(pipeline: Any) -> Any:
    """Names of the columns that the last step of a pipeline is fitted on; None if its steps do not tell."""
    with suppress(AttributeError, ValueError):
        return pipeline[:-1].get_feature_names_out()


def _finite(value: Any) -> Any:
    """A copy in which NaN and infinities are None."""
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    value = plain(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
