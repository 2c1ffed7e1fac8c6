"""The working-set loop, for paths and single fits alike: descend, certify, add columns. Knows no estimators.

At one strength: descend over the working set until its own share of the duality gap is small; certify, with a bound or
a gradient for every other column; add the columns that stand in the way of a smaller gap.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.certificate import combine_gap, squared_fenchel_gap
from sparsereg.objective.quadratic import Quadratic
from sparsereg.penalties import GapTerms
from sparsereg.rows.contract import Coefficients
from sparsereg.solvers.newton import newton
from sparsereg.solvers.working_set import WorkingSet

__all__ = ["SOLVERS", "Certificate", "Options", "Solution", "WorkingSetGap", "WorkingSetLoop"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

SOLVERS = ("auto", "cd", "prox_gradient")

# Epochs between two looks at the working set's gap: a look costs about as much as an epoch.
EPOCHS_PER_LOOK = 10
# The working set's own gap is brought to this share of the target, so that bounds on the others may cost the rest.
INNER_SHARE = 0.3
# A column within this share of its threshold is added too: it would be next.
NEAR = 0.95
# Where ten epochs leave more than this share of the gap, coordinate descent crawls: a Newton step is tried, of at most
# so many products with the Gram matrix.
SLOW = 0.3
MAX_PRODUCTS = 50
# Steps whose decrease is below this share of |y|^2 are rounding: coordinate descent has nothing left to do.
STEP_ROUNDING = 1e-32
# Gaps below this share of |y|^2 differ by rounding.
GAP_ROUNDING = 1e-12


@dataclass(frozen=True)
class Options:
    """How a solver runs.

    Attributes
    ----------
    tol : float
        Target of `dual_gap / gap_scale`.
    max_iter : int
        Most epochs at one strength.
    method : {"auto", "cd", "prox_gradient"}
        "cd" is coordinate descent, on the Gram matrix of the working set while that is small, and on the residual
        afterwards; "auto" is "cd".
    rng : numpy.random.Generator or None
        Visit coordinates in random order instead of cyclically.
    """

    tol: float = 1e-4
    max_iter: int = 10_000
    method: str = "auto"
    rng: np.random.Generator | None = None


@dataclass(frozen=True)
class Solution:
    """Coefficients at one strength with their certificate.

    Attributes
    ----------
    coef : Coefficients
        Non-zero ones.
    columns : int array of shape (coef.w.size,)
        Their numbers in X; `coef` has the numbers of the observed columns at that time.
    intercept : float
    dual_gap : float
        Upper bound on `F - min F`, in the units of F.
    epochs : int
    deviance : float
        Twice the loss `sum_i s_i loss_i`, less what no predictor could avoid; for squares `|r|_s^2`, centred.
    """

    coef: Coefficients
    columns: NDArray[Any]
    intercept: float
    dual_gap: float
    epochs: int
    deviance: float


@dataclass(frozen=True)
class WorkingSetGap:
    """The working set's part of a certificate, and its gradient c."""

    terms: GapTerms
    squared_residual: float
    squared_shift: float
    c: Vector

    def __call__(self, outside: float) -> float:
        """The gap of `S F`, with `outside` the largest bound of the other columns over its threshold."""
        return combine_gap(self.terms, squared_fenchel_gap(self.squared_residual), outside) + 0.5 * self.squared_shift


@dataclass(frozen=True)
class Certificate:
    """A gap of `S F` at some coefficients, and the columns that stand in the way of a smaller one."""

    gap: float
    squared_residual: float
    new: Int


class WorkingSetLoop(ABC):
    """One quadratic objective, at one strength after the other.

    Parameters
    ----------
    quadratic : Quadratic
    l1_ratio : float
    options : Options
    working_set : WorkingSet
    """

    def __init__(self, quadratic: Quadratic, l1_ratio: float, options: Options, working_set: WorkingSet) -> None:
        self.quadratic, self.l1_ratio, self.options = quadratic, l1_ratio, options
        self.working_set = working_set
        self._crawls = False  # whether ten epochs were once not enough

    def _run(self, target: float, max_epochs: int) -> tuple[int, Certificate]:
        """Until the gap of `S F` is at most `target`, nothing changes, or the epochs are used up."""
        epochs = 0
        while True:
            done, stalled, own = self._descend(target, max_epochs - epochs)
            epochs += done
            found = self._certify(own, target)
            self._add(found.new)
            if found.gap <= target or (stalled and not found.new.size) or epochs >= max_epochs:
                return epochs, found

    @abstractmethod
    def _certify(self, own: WorkingSetGap, target: float) -> Certificate:
        """The duality gap at the working set's coefficients, true for all columns, and what to add."""

    @abstractmethod
    def _add(self, cols: Int) -> None:
        """Add columns to the working set."""

    def _descend(self, target: float, max_epochs: int) -> tuple[int, bool, WorkingSetGap]:
        """Until the working set's own gap is a share of the target. Returns the epochs, whether only rounding was left,
        and that gap."""
        working_set, epochs = self.working_set, 0
        null_deviance = self.quadratic.null_deviance
        gap, own = np.inf, None
        if self._crawls and max_epochs > EPOCHS_PER_LOOK and working_set.newton_is_cheap():
            epochs = newton(working_set, 1)  # where the support stays, that is all there is to do
            own = self._own_gap()
            gap = own(0.0)
        while epochs < max_epochs and gap > INNER_SHARE * target:
            limit = min(EPOCHS_PER_LOOK, max_epochs - epochs)
            done = working_set.descend(limit, STEP_ROUNDING * null_deviance, self._order())
            epochs += done
            own = self._own_gap()
            if done < limit:
                return epochs, True, own
            before, gap = gap, own(0.0)
            if gap <= INNER_SHARE * target:
                break
            if before <= gap <= GAP_ROUNDING * null_deviance:
                return epochs, True, own
            self._crawls = True
            if gap > SLOW * before and epochs < max_epochs:
                epochs += newton(working_set, min(MAX_PRODUCTS, max_epochs - epochs))
                own = None
        return epochs, False, own or self._own_gap()

    def _own_gap(self) -> WorkingSetGap:
        working_set, quadratic = self.working_set, self.quadratic
        c = at = working_set.gradient()
        squared_shift = 0.0
        if working_set.unpenalized.size:
            squared_shift, at = quadratic.project_out(working_set.unpenalized, c, working_set.cols)
        terms = quadratic.penalty.gap_terms(working_set.w, at, working_set.l1, working_set.l2)
        return WorkingSetGap(terms, working_set.squared_residual(c), squared_shift, c)

    def _order(self) -> Int:
        m, rng = self.working_set.m, self.options.rng
        return np.arange(m) if rng is None else rng.permutation(m)

    def _nearest(self, cols: Int, magnitude: Vector, threshold: float, limit: int) -> Int:
        """Those of `cols` over their threshold, or nearly; at most `limit`, the nearest first."""
        near = np.flatnonzero(magnitude > NEAR * threshold)
        if near.size > limit:
            near = near[np.argpartition(-magnitude[near], limit)[:limit]]
        return cols[near]

    def _solution(self, coef: Coefficients, gap: float, epochs: int, squared_residual: float) -> Solution:
        quadratic = self.quadratic
        return Solution(
            coef,
            quadratic.rows.columns[coef.cols],
            quadratic.intercept(coef, self._products_sum(coef)),
            gap / quadratic.weight_sum,
            epochs,
            squared_residual,
        )

    def _products_sum(self, coef: Coefficients) -> float | None:  # noqa: ARG002
        """`s' X w` where it is known."""
        return None
