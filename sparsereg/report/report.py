"""`SparsityReport`: whether a path or model is any good, which columns it keeps, and what it rests on.

Only sparse coefficients are read, so memory follows their number and not the width of X. Solvers are not imported.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsereg.data.atomic_write import write_whole
from sparsereg.data.validation import check_number
from sparsereg.report.build import Wishes
from sparsereg.report.evidence import Evidence
from sparsereg.report.export import FORMAT, VERSION, as_frame, as_json, content_from_json
from sparsereg.report.html.page import frame, page
from sparsereg.report.of_estimator import GivenToPath, PassedRows, estimator_content, model_content, path_content
from sparsereg.report.text import report_text

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.results import PathResult
    from sparsereg.selection.results import CrossValidation, ValidatedPath

__all__ = ["SparsityReport"]

Row = dict[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class SparsityReport:
    """Whether a fit is any good, which coefficients are not zero, and what they rest on.

    Made by `from_path` or `from_estimator`. What is not known, such as the deviance explained by an estimator that does
    not state it, is None.

    Attributes
    ----------
    verdict : str
        One or two sentences: what is kept, of how many, and what it explains on rows that the fit never saw.
    checks : list of dict
        id, passed, value, limit, sentence, remedy. Those whose data is not known are left out.
    n_columns : int
        Columns of X.
    n_cells : int or None
        Possible columns: all levels and combinations of the fields and crosses. None without a `FeatureCross`.
    point : int
        The point of the path that `blocks` and `columns` describe, counted from 0.
    one_se : int or None
        The strongest penalty whose held-out loss is within one standard error of the best, compared row by row.
    tol : float or None
        The duality gap asked for, as a share of the target's mean square.
    path : list of dict
        For each strength: point, alpha, n_nonzero, density (n_nonzero / n_columns), deviance_explained, held (the
        held-out score), held_error (the standard error of its difference to the best one), proved_zero and undecided
        (columns that are proved zero at the exact solution, and those that are neither this nor active), l1_norm,
        l2_norm, dual_gap, relative_gap, certified, n_iter, seconds, df, df_error, and `scores`. `df` are the degrees of
        freedom of the coefficients (an intercept is 1 more) and `df_error` their standard error, 0 where exact. For the
        lasso they are the number of non-zero coefficients; otherwise computing them takes X.
    blocks : list of dict
        For each field and cross: name, label, fields, n_cells, n_observed, n_nonzero, n_nonzero_path (at each point),
        median_rows (of its non-zero columns), weight (the sum of the absolute coefficients), weight_share (of the sum
        over all blocks), df, df_error, shrinkage_factor (df / n_observed: 0 where the penalty removes a block, 1 where
        it leaves it alone) and, if X is passed, variance_share (of the predictions; negative where a block counteracts
        the others). Empty without a `FeatureCross`.
    columns, columns_by_weight : list of dict
        The first columns by `rank`, and by absolute coefficient where that is another ranking: name, label, column,
        coefficient, rows (of the fit in which the column is not 0), influence, enters (the first point at which it is
        active), block.
    rank : {"influence", "weight"}
        What ranks `columns` and `lines`. Influence is the absolute coefficient times the standard deviation of the
        column: a large coefficient that rests on one row moves few predictions. It takes a `FeatureCross` or X.
    lines, faint : list
        Coefficients along the path: of the first 12 columns, rows as in `columns` with ``values``; of the next 40, the
        values only.
    panels : list of dict
        For a point that is too strong, the described one and the weakest: mean predictions and observations in tenths
        of the rows, held out and of the fit.
    histograms : list of dict
        Weights by size, with the exact zeros counted apart.
    map : dict or None
        The weights by cell, where a cross of two binned columns is active.
    title, target, loss, score : str
        Words of the report; `score` is "R2" or "deviance explained".
    bytes_kept, bytes_dense : int
        Bytes of the coefficients of all points, as stored, and as a dense array over the columns of X.
    bytes_nominal : int or None
        Bytes of a dense array over all possible columns.
    provenance : dict
        Sizes, seconds, versions, the cross, a hash of the data's shape and names.

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
    verdict: str
    checks: list[Row]
    one_se: int | None
    rank: str
    columns_by_weight: list[Row]
    lines: list[Row]
    faint: list[list[float]]
    panels: list[Row]
    histograms: list[Row]
    map: Row | None
    title: str
    target: str
    loss: str
    score: str
    provenance: Row

    @classmethod
    def from_path(
        cls,
        path: PathResult | CrossValidation | ValidatedPath,
        cross: FeatureCross | None = None,
        k: int | None = None,
        *,
        top: int = 20,
        rank: str = "influence",
        scores: Mapping[str, Sequence[float]] | None = None,
        X: Any = None,
        y: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight: Any = None,
        sample_weight_val: Any = None,
        offset: Any = None,
        offset_val: Any = None,
        references: Mapping[str, Any] | Sequence[Any] = (),
        labels: Mapping[str, str] | None = None,
        title: str | None = None,
        target: str | None = None,
        limits: Mapping[str, float] | None = None,
        evidence: Evidence | None = None,
        output: int = 0,
    ) -> SparsityReport:
        """Report on a path.

        Parameters
        ----------
        path : PathResult, CrossValidation or ValidatedPath
            Validated paths bring the held-out losses of their folds.
        cross : FeatureCross, optional
            The fitted transformer that made X. Without it there are no fields and no names.
        k : int, optional
            The point that `blocks` and `columns` describe; -1 is the last. None, the default, is the point that a
            cross-validation chose, or that predicts the held-out rows best; without these the last one.
        top : int, default 20
            How many of the first coefficients to name.
        rank : {"influence", "weight"}, default "influence"
            By what coefficients are ranked; see the attribute. By weight where the influence is not known.
        scores : mapping of str to sequence of float, optional
            Further values for each strength, such as ``{"fold 1": [...]}``.
        X, y, sample_weight : optional
            The rows of the fit: for the shares of variance, for columns proved zero, and for the rows and influence of
            columns that no cross has counted.
        X_val, y_val, sample_weight_val : optional
            Rows that the fit never saw: for the held-out score of each strength with standard errors, and for
            calibration.
        offset, offset_val : array of shape (n,) or (n, K), optional
            What was added to the predictors in the fit, and what is added for the held-out rows.
        references : mapping of str to fitted estimator, optional
            Whose weights are compared in histograms, such as ``{"ridge": Ridge().fit(X, y)}``.
        labels : mapping of str to str, optional
            Words for fields, such as ``{"arr_delay": "delay on arrival"}``.
        title, target : str, optional
            The heading, and what is predicted, in words.
        limits : mapping of str to float, optional
            Limits of the checks in place of `sparsereg.report.checks.LIMITS`.
        evidence : Evidence, optional
            What was measured on rows before, as in a saved model; in place of X and X_val.
        output : int, default 0
            Whose coefficients are described, if the path has several outputs.

        Returns
        -------
        SparsityReport

        Raises
        ------
        ValueError
            If `k` is not a point of the path, or an argument does not fit it.
        """
        wishes = Wishes.checked(top, rank, limits, labels, (title, target))
        rows = PassedRows(X, y, X_val, y_val, sample_weight, offset, offset_val)
        given = GivenToPath(scores, references, sample_weight_val, evidence, output)
        return cls(**path_content(path, cross, k, wishes, rows, given))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        cross: FeatureCross | None = None,
        k: int | None = None,
        *,
        top: int = 20,
        rank: str = "influence",
        X: Any = None,
        y: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight: Any = None,
        labels: Mapping[str, str] | None = None,
        title: str | None = None,
        target: str | None = None,
        limits: Mapping[str, float] | None = None,
        offset: Any = None,
        offset_val: Any = None,
        output: int = 0,
    ) -> SparsityReport:
        """Report on a fitted linear model of this package, on a pipeline that ends in one, or on a loaded `Model`.

        Parameters
        ----------
        estimator : estimator with `sparse_coef_`, Pipeline, or Model
            With several targets or classes each of them is a point. A `Model` brings its held-out scores and what was
            measured beside its fit.
        cross : FeatureCross, optional
            The fitted transformer that made X. Default: that of the pipeline or model.
        k : int, optional
            The point, here a target or class, that is described. None, the default, is the last; of a `Model`, its own
            point.
        top, rank, labels, title, target, limits
            See `from_path`.
        X, sample_weight : optional
            The training data (of a pipeline, the input of its first step). They add each block's share of the variance
            and, for `Ridge`, `ElasticNet` and `Lasso`, the degrees of freedom, see `degrees_of_freedom`, at the cost of
            about one fit.
        y : optional
            The training targets, which the training score and calibration take.
        X_val, y_val : optional
            Rows that the fit never saw, for a held-out score; of a `Model`, its table.
        offset, offset_val
            See `from_path`.
        output : int, default 0
            The target or class of a `Model` that is described.

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
        rows = PassedRows(X, y, X_val, y_val, sample_weight, offset, offset_val)
        wishes = Wishes.checked(top, rank, limits, labels, (title, target))
        if hasattr(estimator, "path") and hasattr(estimator, "point"):
            return cls(**model_content(estimator, cross, k, wishes, rows, output))
        if output:
            raise ValueError(f"output={output!r}: each target of an estimator is a point; choose it by k.")
        return cls(**estimator_content(estimator, cross, k, wishes, rows))

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
        table : {"path", "blocks", "columns", "checks"}, default "path"
            By strength, by field and cross, the first columns, or the checks.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return as_frame(self.to_dict(), table)

    def to_dict(self) -> Row:
        """The content as a dict of lists and plain values, with ``format`` and ``format_version``."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {"format": FORMAT, "format_version": VERSION, **content}

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
        return as_json(self.to_dict(), indent)

    def to_html(self, *, title: str | None = None) -> str:
        """The report as one HTML document without scripts, which requests nothing.

        Parameters
        ----------
        title : str, optional
            The heading. Default: that of the report.

        Returns
        -------
        str
        """
        return page(self, title)

    def save_html(self, file: str | os.PathLike[str], *, title: str | None = None) -> None:
        """Write `to_html` to a file, whole or not at all.

        Parameters
        ----------
        file : str or path
        title : str, optional
            See `to_html`.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        with write_whole(file) as out:
            out.write(self.to_html(title=title).encode())

    def _repr_html_(self) -> str:
        return frame(self.to_html())

    @classmethod
    def from_json(cls, text: str) -> SparsityReport:
        """Read back what `to_json` wrote.

        Raises
        ------
        ValueError
            If the text is not a report of this format version.
        """
        return cls(**content_from_json(text, set(cls.__dataclass_fields__)))

    def __repr__(self) -> str:
        failed = sum(not check["passed"] for check in self.checks)
        return (
            f"<SparsityReport: point {self.point} of {len(self.path)}, {self.path[self.point]['n_nonzero']:,} of "
            f"{self.n_columns:,} columns, {failed} of {len(self.checks)} checks failed>"
        )
