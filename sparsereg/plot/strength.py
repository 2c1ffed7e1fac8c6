"""`StrengthDisplay`: how well each strength predicts, and how many columns it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sparsereg.plot.figure import BLUE, GREY, ORANGE, as_frame, axes_of, mark_points, strength_axis
from sparsereg.report.evidence import Evidence
from sparsereg.report.samples import Sample

if TYPE_CHECKING:
    from sparsereg.results import PathResult

__all__ = ["StrengthDisplay"]


class StrengthDisplay:
    """Scores on training and held-out rows above, active columns below, against the strength.

    Parameters
    ----------
    alphas : array of shape (k,)
    train, held, held_error : array of shape (k,), optional
        Scores, and the standard error of each held-out score.
    active : array of shape (k,), optional
        Numbers of columns.
    point, one_se : int, optional
        Points to mark.
    score : str, default="deviance explained"
        What the scores are.

    Attributes
    ----------
    figure_, axes_ : of matplotlib, after `plot`
    train_line_, held_line_ : Line2D, or None
    band_, active_area_ : PolyCollection, or None

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import regularization_path
    >>> from sparsereg.plot import StrengthDisplay
    >>> X, y = np.eye(6), np.array([1.0, 2.0, 3.0, 5.0, 0.0, 1.0])
    >>> display = StrengthDisplay.from_path(regularization_path(X, y, alphas=5), X, y)
    >>> display.point
    4
    """

    def __init__(
        self,
        *,
        alphas: Any,
        train: Any = None,
        held: Any = None,
        held_error: Any = None,
        active: Any = None,
        point: int | None = None,
        one_se: int | None = None,
        score: str = "deviance explained",
    ) -> None:
        self.alphas = np.asarray(alphas, dtype=np.float64)
        parts = (None if part is None else np.asarray(part, dtype=np.float64) for part in (train, held, held_error))
        self.train, self.held, self.held_error = parts
        self.active = None if active is None else np.asarray(active)
        self.point, self.one_se, self.score = point, one_se, score

    @classmethod
    def from_path(
        cls,
        path: PathResult,
        X_val: Any = None,
        y_val: Any = None,
        *,
        sample_weight_val: Any = None,
        offset_val: Any = None,
        output: int = 0,
    ) -> Self:
        """The scores of a path, on rows of the fit as the path states them, and on held-out rows.

        Parameters
        ----------
        path : PathResult
        X_val, y_val, sample_weight_val, offset_val : optional
            Rows that the fit never saw. The band is one standard error of the difference to the best point.
        output : int, default=0
            Whose coefficients, if the path has several outputs.

        Raises
        ------
        ValueError
            If the rows do not fit the path, or it was fitted with an offset and theirs is not given.
        """
        found: dict[str, Any] = {}
        if X_val is not None:
            held = Sample.of("X_val", X_val, y_val, sample_weight_val, path, output, offset=offset_val)
            seen = Evidence.measure(path, None, None, None, held, output)
            if seen.held is not None:
                found = {"held": seen.held, "held_error": seen.held_error, "point": seen.best, "one_se": seen.one_se}
        return cls(alphas=path.alphas, train=path.deviance_explained, active=path.outputs[output].counts(), **found)

    @classmethod
    def from_estimator(cls, estimator: Any) -> Self:
        """The scores of a fitted `RidgeCV`, `LassoCV` or `ElasticNetCV` over its strengths.

        Parameters
        ----------
        estimator : RidgeCV, LassoCV or ElasticNetCV
            With one target.

        Raises
        ------
        ValueError
            If it holds no scores of strengths, or those of several targets.
        """
        if (validation := getattr(estimator, "validation_", None)) is not None:
            return cls.from_cv_results(validation)
        scores = getattr(estimator, "cv_scores_", None)
        if scores is None or np.ndim(scores) != 1:
            raise ValueError(
                f"estimator={type(estimator).__name__} holds no scores of one target over strengths; fit a RidgeCV, "
                "LassoCV or ElasticNetCV with one target."
            )
        alphas = np.ravel(np.asarray(estimator.alphas, dtype=np.float64))
        order = np.argsort(-alphas, kind="stable")
        errors = getattr(estimator, "cv_score_error_", None)
        return cls(
            alphas=alphas[order], held=np.asarray(scores)[order],
            held_error=None if errors is None else np.asarray(errors)[order],
            point=int(np.flatnonzero(alphas[order] == estimator.alpha_)[0]), score="cross-validated score",
        )  # fmt: skip

    @classmethod
    def from_cv_results(cls, validation: Any) -> Self:
        """The losses of a `CrossValidation`, of the chosen l1_ratio, as negative scores.

        Parameters
        ----------
        validation : CrossValidation
            What `cross_validate_path` returns. The band is one standard error of the difference to the best point.
        """
        chosen = validation.chosen
        return cls(
            alphas=chosen.alphas, held=-chosen.mean_losses, held_error=chosen.differences[1],
            active=chosen.n_nonzero, point=validation.k, one_se=chosen.choose("1se"),
            score="negative held-out loss",
        )  # fmt: skip

    def plot(
        self, axes: Any = None, *, line_kw: Mapping[str, Any] | None = None, label_kw: Mapping[str, Any] | None = None
    ) -> Self:
        """Draw scores above and active columns below.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes, optional
            Default: a new figure.
        line_kw, label_kw : dict, optional
            For the lines, and for their names.

        Returns
        -------
        StrengthDisplay
            Itself.
        """
        upper, lower = self.axes_ = axes_of(axes, (2, 1), (7.0, 5.0), sharex=True, height_ratios=(2, 1))
        self.figure_ = upper.figure
        self.train_line_ = self._line(upper, self.train, "training", ORANGE, line_kw, label_kw)
        self.held_line_ = self._line(upper, self.held, "held out", BLUE, line_kw, label_kw)
        self.band_ = self.active_area_ = None
        if self.held is not None and self.held_error is not None:
            low, high = self.held - self.held_error, self.held + self.held_error
            self.band_ = upper.fill_between(self.alphas, low, high, color=BLUE, alpha=0.18, lw=0)
        upper.set_ylabel(self.score)
        if self.active is not None:
            self.active_area_ = lower.fill_between(self.alphas, 0, self.active, color=GREY, alpha=0.25, lw=0)
            lower.set_yscale("symlog", linthresh=1)
            lower.set_ylim(bottom=0)
            lower.set_ylabel("active columns")
        for ax in (upper, lower):
            strength_axis(ax, self.alphas)
        self.point_line_, self.one_se_line_ = mark_points(upper, self.alphas, self.point, self.one_se)
        mark_points(lower, self.alphas, self.point, self.one_se)
        upper.set_xlabel("")
        return self

    def _line(
        self,
        ax: Any,
        values: Any,
        name: str,
        color: str,
        line_kw: Mapping[str, Any] | None,
        label_kw: Mapping[str, Any] | None,
    ) -> Any:
        if values is None:
            return None
        (line,) = ax.plot(self.alphas, values, **({"color": color, "lw": 1.8, "label": name} | dict(line_kw or {})))
        above = name == "training"
        ax.annotate(
            name, (self.alphas[-1], values[-1]), (4, 4 if above else -4), textcoords="offset points", color=color,
            va="bottom" if above else "top", annotation_clip=False, **({"fontsize": 8} | dict(label_kw or {})),
        )  # fmt: skip
        return line

    def frame(self) -> Any:
        """What is drawn, as a pandas data frame: a row a strength."""
        parts = {name: getattr(self, name) for name in ("train", "held", "held_error", "active")}
        return as_frame({"alpha": self.alphas} | {name: part for name, part in parts.items() if part is not None})
