"""`cross_validate_path`: a path and the held-out loss of each of its points, by folds. Knows no estimators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design, as_design
from sparsereg.data.memory_limit import MemoryLimit
from sparsereg.data.threads import thread_count
from sparsereg.data.validation import (
    check_alphas,
    check_callback,
    check_choice,
    check_flags,
    check_number,
    check_outputs,
    check_penalty_factor,
    check_target,
    check_vector,
    check_weights,
)
from sparsereg.losses import Loss, Multinomial, as_loss, as_path_loss
from sparsereg.objective.targets import check_classes, refuse_positive
from sparsereg.rows.partitioned import PartitionedRows
from sparsereg.selection.class_folds import ClassTask, labels_of, make_class_measure
from sparsereg.selection.ending import TURNED, Ending, turned_after
from sparsereg.selection.engine import Settings, validate
from sparsereg.selection.fold_fits import Task
from sparsereg.selection.folds import make_folds
from sparsereg.selection.measures import Measure, make_measure, refuse_labels_wanted
from sparsereg.selection.output_folds import TargetsTask, make_targets_measure
from sparsereg.selection.results import CrossValidation
from sparsereg.selection.rows_folds import RowsTask, validate_rows
from sparsereg.selection.rules import check_rule
from sparsereg.selection.walk import Progress
from sparsereg.solvers.loop import Options

__all__ = ["GivenRows", "check_ending", "check_ratios", "check_relax", "cross_validate_path", "make_task"]


def cross_validate_path(
    X: Any,
    y: Any = None,
    *,
    loss: str | tuple[str, float] | Loss = "squared",
    cv: Any = 5,
    groups: Any = None,
    scoring: Any = None,
    rule: Any = "min",
    l1_ratio: Any = 1.0,
    alphas: Any = 100,
    eps: float | str = 1e-2,
    sample_weight: Any = None,
    offset: Any = None,
    penalty_factor: Any = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    positive: bool = False,
    tol: float = 1e-4,
    max_iter: int = 10_000,
    solver: str = "auto",
    max_seconds: float | None = None,
    max_columns: int | None = None,
    max_memory: int | None = None,
    patience: int | None = None,
    relax: bool = False,
    keep_fold_paths: bool = False,
    n_jobs: int | None = None,
    callback: Progress | None = None,
) -> CrossValidation:
    """A path on all rows with the held-out loss of every point, by K folds, and the point that a rule chooses.

    The objective is that of `regularization_path`, in each fold over its training rows. No copy of X is made. Folds are
    solved to `tol`, but with `eps="auto"` and `tol` of 1e-4 or more to a gap of 1e-3 (or `tol`) where X has more than
    50,000 entries: what remains is far below the differences between folds.

    Parameters
    ----------
    X, y, loss, sample_weight, offset, penalty_factor, fit_intercept, standardize, positive, tol, max_iter, solver
        As in `regularization_path`, also of several targets and, with ``loss="multinomial"``, of several classes.
        Weights count in the fits and in the held-out losses.
        Rows in parts are solved one fold after the other, and have the mean deviance only.
    cv : int, splitter of scikit-learn, or iterable of (train, test), default 5
        A number means so many folds of consecutive rows, or of labels of the losses "logistic", "multinomial" and
        "squared_hinge" stratified ones, as in scikit-learn: shuffle rows that are sorted, with
        `KFold(5, shuffle=True)`. Splitters for groups and for time series are taken as they are.
        For rows in parts: a number, of folds whose rows are drawn from all parts; or for each fold the numbers of the
        parts that it holds out. A static screen of the columns must be for a smaller `eps` then, by the share of the
        rows that train.
    groups : array of shape (n,), optional
        Handed to the splitter.
    scoring : str or callable, optional
        A scorer of scikit-learn, whose negative is the loss. Default: the mean deviance on the held-out rows, which is
        the mean squared error for the squared loss, of several targets their mean. Where y holds probabilities of two
        classes, scorers by name are refused, as these compare labels, and a function sees the probabilities; of more
        classes all are.
    rule : {"min", "1se", "1se-rows", "1se-unpaired"}, "within x%", or callable, default "min"
        "min" takes the point of least mean loss over the folds. "1se" takes the strongest penalty whose mean
        difference to that point is at most the standard error of this difference over the folds, or of a single one
        over its rows. "1se-rows" is over the rows of all folds, for few folds of many rows. "1se-unpaired" compares
        with the standard error of the best point's own loss, as glmnet does. "within 2%" takes the fewest columns among
        points whose mean loss is at most 2% above the least. A function gets a `ValidatedPath` and returns the number
        of a point. No named rule chooses a weaker penalty than the best point.
    l1_ratio : float in [0, 1], or a list of these, default 1.0
        With a list, the path whose best point has the least mean loss is chosen first, then a point on it.
    alphas : int or array, default 100
        Number of points, or the strengths.
    eps : float in (0, 1] or "auto", default 1e-2
        The smallest strength over the largest. "auto" goes on, in the steps of `alphas` points over a factor of 100,
        until the mean held-out loss has turned for good: its least value is a tenth of `alphas` points back (a factor
        of 1.6 in alpha, and three points at least) and the last one is worse by more than a paired standard error, or
        it is twice as far back (four times where the first point is the best); and columns have entered since its least
        value, or none are left, or that is `alphas` points back; of equal least values the last counts, where that is
        nearer. A fold whose own loss has its least value twice as far back stops by itself; its loss is taken to go on
        rising as it did since its least value, and if the best point comes later, the fold is solved on, so that every
        fold measures it. The end is at the latest alpha_max/100,000.
    max_seconds : float, optional
        Wall time for each path after which no further strength is begun.
    max_columns : int, optional
        Non-zero coefficients on all rows at which the path ends.
    max_memory : int, optional
        Bytes of arrays held after a strength at which the path ends: coefficients of all strengths and folds that are
        kept, Gram matrices, cached products, columns that were written, vectors over rows and columns. X, targets,
        weights and the rows of the folds do not count, nor does work space within a strength. Default: no limit, as
        the Gram matrices that folds share have one of their own; see "The end of the path" in the guide to choosing.
    patience : int, optional
        Points without a better mean held-out loss after which the path ends, in place of the rule of ``eps="auto"``.
    relax : bool, default False
        Fit the columns of each point again without the l1 term, in the folds too: the least loss there is for the
        lasso, ridge for the elastic net. Where that has no minimum, as for columns that tell two classes apart, ridge
        at the same alpha takes its place, with a warning. Not with `positive`, nor for rows in parts.
    keep_fold_paths : bool, default False
        Keep the folds' coefficients, sparse, as `fold_paths`.
    n_jobs : int, optional
        Threads for taking X in and for solving folds side by side, by scikit-learn's convention. They share X. The
        result is the same to the last digit.
    callback : callable, optional
        Called as `callback(i, n_points, alpha, n_nonzero, mean_loss, seconds, seconds_left)` after each strength;
        `seconds_left` supposes that all points take equally long.

    Returns
    -------
    CrossValidation
        An interrupt (Ctrl-C) ends the path: finished strengths are kept, with a warning.

    Raises
    ------
    ValueError
        For input that is not finite, of the wrong shape or out of range; the message names it.

    Warns
    -----
    ConvergenceWarning
        When points are not certified within `max_iter`.
    UserWarning
        When the training rows of folds lack a class. These folds are fitted on the classes that they have, and give the
        others probability 0, which counts as 2.2e-16 in the log loss; their intercepts are minus infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import cross_validate_path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> y = X[:, 0] - 2.0 * X[:, 1] + rng.normal(size=200)
    >>> validation = cross_validate_path(X, y, rule="1se")
    >>> validation.path.point(validation.k)[0]
    array([ 0,  1,  9, 13])
    """
    options = Options.checked(tol, max_iter, solver)
    flags = {"fit_intercept": fit_intercept, "standardize": standardize, "positive": positive}
    check_flags(**flags, keep_fold_paths=keep_fold_paths, relax=relax)
    check_relax(relax, positive, isinstance(X, PartitionedRows))
    check_callback(callback, "i, n_points, alpha, n_nonzero, mean_loss, seconds, seconds_left")
    grid, n_threads = check_alphas(alphas), thread_count(n_jobs)
    ratios, rule = check_ratios(l1_ratio), check_rule(rule)
    ending = with_patience(check_ending(eps, (max_seconds, max_columns, max_memory), grid), patience)
    how = Settings(grid, eps, ending, n_threads, keep_fold_paths, callback, rule)
    if isinstance(X, PartitionedRows):
        given = {"y": y, "sample_weight": sample_weight, "offset": offset, "groups": groups, "scoring": scoring}
        over = RowsTask.of(X, as_loss(loss), given, {"penalty_factor": penalty_factor} | flags, options)
        return CrossValidation.of([validate_rows(over, cv, ratio, how) for ratio in ratios], rule)
    design = as_design(X, n_threads=n_threads)
    s = check_weights(sample_weight, design.n_rows)
    penalty = {"penalty_factor": check_penalty_factor(penalty_factor, design.n_features)} | flags
    task, measure, target = make_task(GivenRows(design, y, s, offset), as_path_loss(loss), penalty, options, scoring)
    task = replace(task, relax=bool(relax))
    folds = make_folds(cv, X, target.y, _groups(groups, design.n_rows), target.is_class)
    return CrossValidation.of([validate(task, folds, measure, ratio, how) for ratio in ratios], rule)


def _groups(groups: Any, n_rows: int) -> dict[str, Any]:
    """What a splitter gets beside X and y."""
    if groups is not None and np.ndim(groups) == 0:
        raise ValueError(f"groups={groups!r}: expected one group for each of the {n_rows} rows of X, or None.")
    return {} if groups is None else {"groups": groups}


class SplitBy(NamedTuple):
    """What a splitter sees of the targets, and whether they are classes, whose shares it keeps."""

    y: NDArray[Any]
    is_class: bool


class GivenRows(NamedTuple):
    """The design, and beside it what the caller gave for each row, of which the weights are checked."""

    design: Design
    y: Any
    s: NDArray[np.float64] | None
    offset: Any


def make_task(
    rows: GivenRows, loss: Loss | Multinomial, penalty: dict[str, Any], options: Options, scoring: Any
) -> tuple[Task, Measure, SplitBy]:
    """What is fitted, what is measured, and by what rows are split."""
    n_rows = rows.design.n_rows
    if isinstance(loss, Multinomial):
        refuse_positive(penalty["positive"])
        y, classes = check_classes(rows.y, n_rows)
        offset = None if rows.offset is None else check_outputs("offset", rows.offset, *y.shape)
        parts: Any = (rows.design, y, rows.s, offset, loss, penalty, options)
        of_classes = ClassTask(*parts, classes=classes)
        labels = labels_of(y)
        return of_classes, make_class_measure(scoring, y, classes), SplitBy(y.argmax(axis=1), labels is not None)
    if loss.quadratic and np.ndim(rows.y) == 2:  # several targets
        refuse_positive(penalty["positive"])
        y = check_outputs("y", rows.y, n_rows)
        offset = None if rows.offset is None else check_outputs("offset", rows.offset, *y.shape)
        targets = TargetsTask(rows.design, y, rows.s, offset, loss, penalty, options)
        return targets, make_targets_measure(scoring), SplitBy(y, is_class=False)
    y = check_target(rows.y, n_rows)
    offset = None if rows.offset is None else check_vector("offset", rows.offset, n_rows)
    task = Task(rows.design, y, rows.s, offset, loss, penalty, options)
    if loss.link == "logit" and isinstance(scoring, str) and not is_class(y):
        refuse_labels_wanted(scoring)
    return (
        task,
        make_measure(scoring, loss),
        SplitBy(y, loss.name == "squared_hinge" or (loss.link == "logit" and is_class(y))),
    )


def check_relax(relax: bool, positive: bool, in_parts: bool = False) -> None:
    """ValueError for what cannot be fitted again."""
    if relax and in_parts:
        raise ValueError("relax=True was passed beside rows in parts, which do not take it; leave it out.")
    if relax and positive:
        raise ValueError("relax=True with positive=True is not supported; set one of them to False.")


def check_ratios(l1_ratio: Any) -> list[float]:
    """One l1_ratio or several."""
    ratios = [l1_ratio] if np.ndim(l1_ratio) == 0 else list(l1_ratio)
    if not ratios:
        raise ValueError("l1_ratio is empty; expected a number in [0, 1] or a list of these.")
    return [float(check_number("l1_ratio", ratio, low=0, high=1)) for ratio in ratios]


def check_ending(eps: Any, budgets: tuple[Any, Any, Any], grid: int | NDArray[np.float64]) -> Ending:
    """When a path ends; `budgets` are `max_seconds`, `max_columns` and `max_memory`."""
    max_seconds, max_columns, max_memory = budgets
    turned = 0
    if isinstance(eps, str):
        check_choice("eps", eps, ("auto",), "a number in (0, 1]")
        turned = turned_after(grid) if isinstance(grid, int) else TURNED
    else:
        check_number("eps", eps, low=0, high=1, open_low=True)
    if max_seconds is not None:
        check_number("max_seconds", max_seconds, low=0, open_low=True)
    if max_columns is not None:
        check_number("max_columns", max_columns, low=1, integer=True)
    seconds, columns = (np.inf if limit is None else float(limit) for limit in (max_seconds, max_columns))
    return Ending(turned, seconds, columns, memory=MemoryLimit.checked(max_memory))


def with_patience(ending: Ending, patience: Any) -> Ending:
    """The same after so many points without a better one, in place of the rule of `eps="auto"`; None: as it was."""
    if patience is None:
        return ending
    return replace(ending, turned=0, patience=check_number("patience", patience, low=1, integer=True))


def is_class(y: NDArray[np.float64]) -> bool:
    """Whether targets are classes 0 and 1, not shares of them."""
    return bool(np.isin(y, (0.0, 1.0)).all())
