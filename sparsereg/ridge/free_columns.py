"""Columns without penalty, solved exactly given the others: what is left is bounded by the penalty of these."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.direct import NEWTON_STEPS, Inverse, combined_rows, small_inverse
from sparsereg.ridge.normal_equations import NormalEquations, RidgeSolution, System
from sparsereg.ridge.preconditioners.two_level import GRAM_PASSES, MAX_HEAVY
from sparsereg.ridge.slabs import SPARSE_PENALTY, CenteredSlabs

__all__ = ["FreeColumns"]

Vector = NDArray[np.float64]

# The second step restores what the first loses to rounding.
STEPS = 2


@dataclass(frozen=True)
class FreeColumns:
    """The columns without penalty that vary, and the inverse of their Gram."""

    cols: NDArray[np.int64]
    inverse: Inverse

    @classmethod
    def of(cls, equations: NormalEquations) -> FreeColumns | None:
        """None where they depend on each other, or are so many that their Gram costs more than a solution."""
        design = equations.design
        cols = np.flatnonzero((equations.factor == 0.0) & (equations.diagonal > 0.0))
        if not cols.size:
            return cls(cols, np.copy)
        per_row = float(design.lengths(cols).sum()) / design.n_rows
        pairs = design.n_rows * min(per_row**2, cols.size**2 / SPARSE_PENALTY)
        if cols.size > MAX_HEAVY or pairs > GRAM_PASSES * design.nnz:
            return None
        inverse, certifies = small_inverse(CenteredSlabs(equations, cols).gram(), 0.0)
        return cls(cols, inverse) if certifies else None

    def solved(self, system: System, solution: RidgeSolution) -> RidgeSolution:
        """The solution after steps in these columns, with a gap, which gradients alone do not give.

        With d the next such step and `c = H d` on the other columns, P their penalty, the gap is at most
        `(|P^-1/2 g| + |P^-1/2 c|)^2 + g' d`."""
        w, g = solution.w, system.gradient(solution.w)
        for _ in range(STEPS):
            w = w + self.step(g)
            g = system.gradient(w)
        penalized = system.penalty > 0.0
        root = np.sqrt(system.penalty[penalized])
        step = self.step(g)
        coupled = system.times(step)[penalized]
        length = float(np.linalg.norm(g[penalized] / root) + np.linalg.norm(coupled / root))
        return replace(system.solution(w, solution.n_iter, g), dual_gap=length**2 + max(float(g @ step), 0.0))

    def by_rows(self, system: System, inverse: Inverse) -> RidgeSolution:
        """The solution by the kernel of the other columns; `inverse` is that of `K + alpha` (see `direct`).

        With B of these columns, `(K + alpha) t + B u = S^1/2 y` and `B' t = 0`."""
        equations, root = system.equations, system.equations.root_weights
        B = np.concatenate(list(CenteredSlabs(equations, self.cols).rows()))
        solved = inverse(B)
        schur = small_inverse(B.T @ solved, 0.0)[0]
        t, e, w, steps = np.zeros(root.size), root * system.y, np.zeros(equations.factor.size), 0
        while steps < NEWTON_STEPS:
            steps += 1
            step = inverse(e)
            u = schur(B.T @ (t + step))
            t_new, w_new = t + step - solved @ u, w.copy()
            w_new[self.cols] += u
            w_new[system.penalty > 0.0] = combined_rows(equations, t_new)[system.penalty > 0.0]
            z = equations.product(w_new)
            e_new = root * (system.y - z + equations.mean(z)) - system.alpha * t_new
            if not np.linalg.norm(e_new) < np.linalg.norm(e):
                break
            t, e, w = t_new, e_new, w_new
        return self.solved(system, system.solution(w, steps))

    def step(self, g: Vector) -> Vector:
        """To the minimum over these columns."""
        out = np.zeros(g.size)
        out[self.cols] = self.inverse(g[self.cols])
        return out
