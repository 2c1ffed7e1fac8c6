"""The working-set loop, for paths and single fits alike: descend, certify, add columns. Knows no estimators.

At one strength: descend over the working set until its own share of the duality gap is small; certify, with a bound or
a gradient for every other column; add the columns that stand in the way of a smaller gap.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.validation import check_choice, check_number
from sparsereg.objective.quadratic import Quadratic
from sparsereg.rows.contract import Coefficients
from sparsereg.solvers.dual_projection import WorkingSetGap, projected_gap
from sparsereg.solvers.newton import newton
from sparsereg.solvers.screening import EliminatedColumns
from sparsereg.solvers.working_set import CHEAP_EPOCHS, MAX_PRODUCTS, Position, WorkingSet, padded

__all__ = ["SOLVERS", "Certificate", "Descent", "Options", "Solution", "WorkingSetGap", "WorkingSetLoop"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

SOLVERS = ("auto", "cd", "prox_gradient")

# Epochs between two looks at the working set's gap: a look costs about as much as an epoch. Where epochs are dear,
# fewer.
EPOCHS_PER_LOOK = 10
COSTLY_EPOCHS_PER_LOOK = 4
# Where the first look at a strength is often enough, it comes after so many; otherwise again once a first one found
# less than this share of the target.
EARLY_LOOK, EARLY_SHARE = 2, 0.1
# A column within this share of its threshold is added too: it would be next.
NEAR = 0.95
# Where Newton steps are cheap and epochs slow, one column enters between two steps, and one for so many active ones.
ACTIVE_PER_ENTERING = 20
# A step counts as cheap too once a descent has taken so many times the epochs that the step takes as long as: far from
# the last strength, where nearly as many columns are active as there are rows, epochs with a step now and then crawl.
EPOCHS_PER_CHEAP = 16
# Where ten epochs leave more than this share of the gap, coordinate descent crawls: a Newton step is tried.
SLOW = 0.3
# Where a step is not cheap, the first one of a descent takes so many products with the Gram matrix at most, each
# further one twice as many: after a few, epochs often do what is left, as the signs that a step holds are not the last.
FEW_PRODUCTS = 20
# A descent ends after so many consecutive looks between which the gap fell by less than 0.1% and the objective by
# rounding only: adding columns may help.
UNCHANGED_LOOKS, SAME_GAP = 30, 0.999
# Steps whose decrease is below this share of |y|^2 are rounding: coordinate descent has nothing left to do.
STEP_ROUNDING = 1e-32
# Projections that do not suffice go on while the gap falls to this share: what is missing then is sweeps, and epochs
# would not bring the dual point nearer.
FURTHER = 0.97
# A step is taken once F falls by this share of what its slope promises; it is halved at most so often.
ARMIJO, MAX_HALVINGS = 1e-4, 40
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
    projects : bool
        Whether losses other than squares may be certified at a better dual point than the scaled residual, which
        coefficients alone do not give away.
    keeps_dual : bool
        Whether solutions hold their dual point.
    deviances : bool
        Whether solutions hold their deviance also where that takes logarithms; else it may be NaN.
    """

    tol: float = 1e-4
    max_iter: int = 10_000
    method: str = "auto"
    rng: np.random.Generator | None = None
    projects: bool = True
    keeps_dual: bool = True
    deviances: bool = True

    @classmethod
    def checked(cls, tol: Any, max_iter: Any, solver: Any) -> Options:
        """As users pass them."""
        check_number("tol", tol, low=0)
        check_number("max_iter", max_iter, low=1, integer=True)
        return cls(tol, max_iter, check_choice("solver", solver, SOLVERS))


class Solution(NamedTuple):
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
    dual : Coefficients or None
        Those whose residual is the dual point of `dual_gap`, or for other losses as `loss_gap_at` has it; None: `coef`.
    products : int
        How many of the epochs were products with a Gram matrix, in Newton steps.
    method : str
        What the coefficients were found by.
    """

    coef: Coefficients
    columns: NDArray[Any]
    intercept: float
    dual_gap: float
    epochs: int
    deviance: float
    dual: Coefficients | None = None
    products: int = 0
    method: str = ""


class Certificate(NamedTuple):
    """A gap of `S F` at some coefficients, and columns in the way of a smaller one; `dual` as in `WorkingSetGap`."""

    gap: float
    squared_residual: float
    new: Int
    dual: Position | None = None


class Descent:
    """The minimum of a quadratic objective over the working set.

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
        self.products = 0  # in Newton steps, at all strengths so far
        self._crawls = False  # whether ten epochs were once not enough
        self._looks_early = True  # whether the first look at a strength comes early
        self.enters = False  # whether columns enter a few at a time from the first epoch on
        self._last_alphas, self._before_last = (np.inf, np.inf), self.working_set.copied_position()
        self._projects = quadratic.rows.in_memory and quadratic.penalty.kernel is not None

    def _descend(self, target: float, max_epochs: int, dual: Position | None = None) -> tuple[int, bool, WorkingSetGap]:
        """Until the working set's own gap suffices. Returns the epochs, whether only rounding was left, and that gap.

        `dual`: the last dual point, if only added columns may violate it: the coefficients may then be good enough
        already."""
        working_set, null_deviance = self.working_set, self.quadratic.null_deviance
        epochs, since, unchanged, slow, own, least = 0, 0, 0, self.enters, None, np.inf
        products, working_set.cheap_epochs = FEW_PRODUCTS, CHEAP_EPOCHS
        if self._crawls and max_epochs > EPOCHS_PER_LOOK and working_set.newton_is_cheap():
            epochs, c = self._newton(1)  # where the support stays, that is all there is to do
            own = self._own_gap(c)
        if dual is not None:
            own = self._look(target, dual)
        gap = before = own.inner if own else np.inf
        while epochs < max_epochs and not (own and own.suffices(target)):
            working_set.cheap_epochs = max(CHEAP_EPOCHS, epochs // EPOCHS_PER_CHEAP)
            enters = slow and working_set.newton_is_cheap()
            limit = min(1 if enters else self._epochs_per_look(not epochs), max_epochs - epochs)
            order = self._entering() if enters else self._order()
            done = working_set.descend(limit, STEP_ROUNDING * null_deviance, order)
            epochs, since = epochs + done, since + done
            if done < limit:
                return epochs, True, self._own_gap()
            own = self._look(target)
            if epochs == limit < EPOCHS_PER_LOOK:
                self._looks_early = own.suffices(target if limit <= EARLY_LOOK else EARLY_SHARE * target)
            last, gap = gap, own.inner
            if own.suffices(target):
                break
            if last <= gap <= GAP_ROUNDING * null_deviance:
                return epochs, True, own
            if slow or np.isinf(gap):  # the objective tells whether more epochs are of use
                value = working_set.value()
                same = value >= least - GAP_ROUNDING * null_deviance and gap >= SAME_GAP * last
                unchanged, least = unchanged + 1 if same else 0, value
                if unchanged >= UNCHANGED_LOOKS or (same and np.isinf(gap)):
                    return epochs, True, own
            self._crawls = True
            if since >= EPOCHS_PER_LOOK or enters:
                if (np.isinf(gap) or gap > SLOW * before) and epochs < max_epochs:
                    c = own.c if own.dual is None else None
                    most = MAX_PRODUCTS if working_set.newton_is_cheap() else products
                    spent, c = self._newton(min(most, max_epochs - epochs), c, stuck=slow)
                    slow, products = True, min(2 * products, MAX_PRODUCTS)
                    epochs, own = epochs + spent, None
                before, since = gap, 0
        return epochs, False, own or self._own_gap()

    def _extrapolate(self, alpha: float) -> None:
        """Where epochs are dear, begin on the line through the last two solutions, if F is lower there: solutions are
        piecewise linear in alpha. Coefficients that would change sign begin at 0. O(an epoch)."""
        ws, (last, before_last), before = self.working_set, self._last_alphas, self._before_last
        if alpha == last:
            return
        self._last_alphas, self._before_last = (alpha, last), ws.copied_position()
        if not (alpha < last < before_last < np.inf and ws.epoch_is_costly):
            return
        here, value = ws.position(), ws.value()
        ws.move_beyond(before, (last - alpha) / (before_last - last))
        if not ws.value() < value:
            ws.move_to(here)

    def _newton(self, max_products: int, c: Vector | None = None, stuck: bool = False) -> tuple[int, Vector | None]:
        """Newton steps, counted; `c`: the gradient here, returned: that at the end, where they are known."""
        spent, c = newton(self.working_set, max_products, c, stuck)
        self.products += spent
        return spent, c

    def _epochs_per_look(self, first: bool) -> int:
        ws = self.working_set
        if not ws.epoch_is_costly:
            return EPOCHS_PER_LOOK
        if not (first and self._looks_early):
            return COSTLY_EPOCHS_PER_LOOK
        # The model of a loss on the residual: an epoch takes longer than the step, and often is enough.
        return 1 if ws.is_model and not ws.gram_entries else EARLY_LOOK

    def _entering(self) -> Int:
        """The columns at 0 whose steps would lower the objective most, for Newton steps to go on with; or all.

        Few at a time: of correlated columns most that are over their threshold no longer are once the first are in."""
        ws, penalty = self.working_set, self.quadratic.penalty
        over = np.where(ws.w == 0.0, np.maximum(penalty.dual_magnitude(ws.gradient()) - ws.l1, 0.0), 0.0)
        gain = np.divide(over * over, ws.sq + ws.l2, out=np.zeros_like(over), where=over > 0.0)
        best = np.argsort(-gain, kind="stable")[: 1 + np.count_nonzero(ws.w) // ACTIVE_PER_ENTERING]
        best = best[gain[best] > STEP_ROUNDING * self.quadratic.null_deviance]
        return best if best.size else self._order()

    def _look(self, target: float, dual: Position | None = None) -> WorkingSetGap:
        """The working set's own gap, at a better dual point where it does not suffice at the residual."""
        own = self._own_gap()
        if own.suffices(target) or not self._projects:
            return own
        found = projected_gap(self.working_set, own, target, dual)
        while found.dual is not None and not found.suffices(target):
            further = projected_gap(self.working_set, own, target, found.dual)
            if not further.inner < FURTHER * found.inner:
                break
            found = further
        return found

    def _own_gap(self, c: Vector | None = None) -> WorkingSetGap:
        """`c`: the gradient here, where it is known."""
        working_set, quadratic = self.working_set, self.quadratic
        if c is None and not working_set.unpenalized.size:
            terms, squared_residual, c = working_set.measured()
            return WorkingSetGap(terms, squared_residual, 0.0, c)
        c = at = working_set.gradient() if c is None else c
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
        (near,) = (magnitude > NEAR * threshold).nonzero()
        if near.size > limit:
            near = near[np.argpartition(-magnitude[near], limit)[:limit]]
        return cols[near]

    def _solution(self, coef: Coefficients, found: Certificate, epochs: int, products: int = 0) -> Solution:
        quadratic, name = self.quadratic, self.working_set.name
        dual = found.dual if self.options.keeps_dual else None
        return Solution(
            coef,
            quadratic.rows.columns[coef.cols],
            quadratic.intercept(coef, self._products_sum(coef)),
            found.gap / quadratic.weight_sum,
            epochs,
            found.squared_residual,
            None if dual is None else self.working_set.coefficients(dual.w),
            products,
            name if found.dual is None else f"{name}, projected dual",
        )

    def _products_sum(self, coef: Coefficients) -> float | None:  # noqa: ARG002
        """`s' X w` where it is known."""
        return None


class WorkingSetLoop(Descent, ABC):
    """One quadratic objective, at one strength after the other; parameters as for `Descent`."""

    _many_rounds = False  # whether the last strength took more than one

    def _run(self, target: float, max_epochs: int) -> tuple[int, Certificate]:
        """Until the gap of `S F` is at most `target`, nothing changes, or the epochs are used up."""
        epochs, rounds, dual, last = 0, 0, None, np.inf
        rounding = GAP_ROUNDING * self.quadratic.null_deviance
        soon = self.working_set.epoch_is_costly and not self.quadratic.rows.round_is_costly
        while True:
            limit = max_epochs - epochs
            if not epochs and soon:  # a few show which columns are to be added
                limit = min(COSTLY_EPOCHS_PER_LOOK, limit)
            done, stalled, own = self._descend(target, limit, dual)
            epochs += done
            found, dual = self._certify_and_add(own, target)
            # Where the working set's own gap is rounding, a certificate no better than the last one stays as it is.
            stalled |= epochs > done and own.inner <= rounding and found.gap >= last
            last = found.gap
            self._many_rounds = rounds > 0
            rounds += 1
            if found.gap <= target or (stalled and not found.new.size) or epochs >= max_epochs:
                return epochs, found

    def _certify_and_add(self, own: WorkingSetGap, target: float) -> tuple[Certificate, Position | None]:
        """At the dual point of `own`, so that displacements are measured between dual points; then back.

        Returns that dual point too where columns were added, for projections to go on from."""
        if own.dual is None:
            found = self._certify(own, target)
            self._add(found.new)
            return found, None
        working_set = self.working_set
        before = working_set.position()
        working_set.move_to(own.dual)
        try:
            found = self._certify(own, target)._replace(dual=own.dual)
        except EliminatedColumns:
            working_set.move_to(before)
            raise
        self._add(found.new)
        dual = self.working_set.position() if found.new.size else None
        self._back_to(before, working_set)
        return found, dual

    def _back_to(self, before: Position, of: WorkingSet) -> None:
        """From a dual point to a position of an earlier working set; the columns added since are at 0."""
        now = self.working_set
        if now.m == before.w.size:
            now.move_to(before)
        elif now is of:
            now.return_to(before)
        else:  # without its Gram matrix, whose state that was
            now.set_w(padded(before.w, now.m))

    @abstractmethod
    def _certify(self, own: WorkingSetGap, target: float) -> Certificate:
        """The duality gap at the working set's coefficients, true for all columns, and what to add.

        Raises EliminatedColumns."""

    @abstractmethod
    def _add(self, cols: Int) -> None:
        """Add columns to the working set."""
