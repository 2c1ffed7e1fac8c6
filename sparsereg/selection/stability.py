"""Stability selection: how often each column is selected on halves of the rows. Knows no estimators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.design import Design, as_design
from sparsereg.data.printed import Printed
from sparsereg.data.threads import run, thread_count
from sparsereg.data.validation import check_alphas, check_choice, check_flag, check_number, check_target, check_weights
from sparsereg.losses import Loss, as_loss
from sparsereg.selection.fold_fits import Task
from sparsereg.selection.half_samples import Halves, deal_rows
from sparsereg.solvers.loop import SOLVERS, Options

__all__ = ["StabilitySelection", "stability_selection"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class StabilitySelection(Printed):
    """Selection frequencies over halves of the rows.

    Attributes
    ----------
    frequencies : scipy.sparse.csc_array of shape (p, 1)
        The share of the halves in which a column was among the first q.
    selected : int64 array
        Columns whose frequency reaches `threshold`, the most frequent first.
    threshold : float
    n_columns : float
        q: the mean number of columns selected on a half.
    expected_false : float
        The bound on the expected number of columns in `selected` that are selected on a half no more often than
        a column drawn at random, `q^2 / ((2 threshold - 1) p)` with p observed columns.
    n_halves : int

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import stability_selection
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 50))
    >>> found = stability_selection(X, X[:, 0] + rng.normal(size=200), n_columns=5, n_pairs=10)
    >>> found.selected, found.n_halves, found.frequencies.shape
    (array([0]), 20, (50, 1))
    """

    frequencies: sp.csc_array
    selected: Int
    threshold: float
    n_columns: float
    expected_false: float
    n_halves: int

    def __repr__(self) -> str:
        return (
            f"<StabilitySelection: {self.selected.size} columns in at least {self.threshold:.0%} of {self.n_halves}"
            f" halves, at most {self.expected_false:.3g} false ones expected>"
        )

    def __str__(self) -> str:
        """The most frequent columns, at most 20."""
        found = self.frequencies.tocsc()
        order = np.argsort(-found.data, kind="stable")[:20]
        rows = [
            f"{found.indices[i]:>9} {found.data[i]:>10.2f}{'  selected' if found.indices[i] in self.selected else ''}"
            for i in order.tolist()
        ]
        return "\n".join([repr(self), "   column  frequency", *rows])


def stability_selection(
    X: Any,
    y: Any,
    *,
    loss: str | tuple[str, float] | Loss = "squared",
    n_pairs: int = 25,
    n_columns: int = 20,
    threshold: float = 0.75,
    l1_ratio: float = 1.0,
    alphas: Any = 50,
    eps: float = 1e-2,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    tol: float = 1e-4,
    max_iter: int = 10_000,
    solver: str = "auto",
    random_state: int = 0,
    n_jobs: int | None = None,
) -> StabilitySelection:
    """How often each column enters among the first on random halves of the rows, in complementary pairs.

    Of each pair, one half are rows drawn at random, the other half all other rows (Shah & Samworth 2013). On each half
    a path is followed until it has `n_columns` columns. A column that many halves agree on is seldom chance: the
    expected number of columns selected that are no more likely than a random one is at most
    `q^2 / ((2 threshold - 1) p)`, with q columns on a half and p observed columns (Meinshausen & Buhlmann 2010). Of
    strongly correlated columns each half may take another one, so that none of them is frequent; the elastic net takes
    them together.

    From 200 rows on, halves are made of blocks of rows, dealt at random, anew for every 31 pairs: halves of different
    pairs of a deal have exactly a quarter of the rows in common (balanced half samples), and up to one row in 50 is
    left over. The bound asks of each pair only that it is drawn as random complementary halves are, which it is. On X
    of ones in CSR without weights, with the squared loss, sums over a block are worked out once for all halves.

    Parameters
    ----------
    X, y, loss, sample_weight, fit_intercept, standardize, tol, max_iter, solver
        As in `regularization_path`. Nothing of X is copied where it is a CSR.
    n_pairs : int, default 25
        Pairs of halves.
    n_columns : int, default 20
        Columns at which a path ends. A path that passes this number from one strength to the next ends before.
    threshold : float in (0.5, 1], default 0.75
        The frequency from which on a column is selected.
    l1_ratio : float in (0, 1], default 1.0
    alphas, eps
        The strengths of each path, relative to its own alpha_max if a number.
    random_state : int, default 0
        Draws the halves.
    n_jobs : int, optional
        Halves at a time, in threads; the result is the same.

    Returns
    -------
    StabilitySelection

    Raises
    ------
    ValueError
        For fewer than four rows, and for input that is not finite, of the wrong shape or out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import stability_selection
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 50))
    >>> stable = stability_selection(X, X[:, 0] - 2.0 * X[:, 1] + rng.normal(size=200), n_columns=5)
    >>> np.sort(stable.selected), round(stable.expected_false, 2) <= 1.0
    (array([0, 1]), True)
    """
    for name, value, low in (("n_pairs", n_pairs, 1), ("n_columns", n_columns, 1), ("max_iter", max_iter, 1)):
        check_number(name, value, low=low, integer=True)
    check_number("threshold", threshold, low=0.5, high=1, open_low=True)
    check_number("l1_ratio", l1_ratio, low=0, high=1, open_low=True)
    check_number("tol", tol, low=0)
    check_number("eps", eps, low=0, high=1, open_low=True)
    check_number("random_state", random_state, low=0, integer=True)
    check_choice("solver", solver, SOLVERS)
    penalty = {"fit_intercept": fit_intercept, "standardize": standardize}
    for name, flag in penalty.items():
        check_flag(name, flag)
    design, grid = as_design(X), check_alphas(alphas)
    y, s = check_target(y, design.n_rows), check_weights(sample_weight, design.n_rows)
    if design.n_rows < 4:
        raise ValueError(f"X has {design.n_rows} rows; expected four at least, two for each half.")
    if not (design.is_csr or s is not None):
        s = np.ones(design.n_rows)
    task = Task(design, y, s, None, as_loss(loss), penalty, Options(tol, max_iter, solver))
    sets, n_threads = list[Int](), thread_count(n_jobs)
    for deal in deal_rows(design.n_rows, int(n_pairs), random_state):
        halves = Halves(task, deal, float(l1_ratio), (grid, eps), int(n_columns))
        first, *others = deal.halves
        sets.append(halves.select(first))
        halves.share_sums()
        sets += run(halves.select, [(half,) for half in others], n_threads)
    return _counted(sets, design, float(threshold))


def _counted(sets: list[Int], design: Design, threshold: float) -> StabilitySelection:
    columns, counts = np.unique(np.concatenate(sets), return_counts=True)
    share = counts / len(sets)
    often = np.flatnonzero(share >= threshold)
    selected = columns[often[np.argsort(-share[often], kind="stable")]]
    frequencies = sp.csc_array((share, columns, [0, columns.size]), shape=(design.n_features, 1))
    q = float(counts.sum()) / len(sets)
    bound = q * q / ((2.0 * threshold - 1.0) * design.n_cols)
    return StabilitySelection(frequencies, selected, threshold, q, bound, len(sets))
