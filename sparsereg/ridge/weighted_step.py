"""The Newton step of a loss with an l2 penalty: ridge's normal equations, whose weights are the curvatures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.ridge.normal_equations import NormalEquations, System
from sparsereg.ridge.preconditioners.choose import choose_preconditioner

__all__ = ["WeightedStep"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class WeightedStep:
    """Solves `(Xc' diag(h) Xc + diag(l2)) d = r`, with X centred by its means under h where there is an intercept.

    Attributes
    ----------
    design : Design
    l2 : float64 array of shape (n_cols,)
        Positive.
    fit_intercept : bool
    max_iter : int
        Most iterations of conjugate gradients.
    """

    design: Design
    l2: Vector
    fit_intercept: bool
    max_iter: int

    def __call__(self, h: Vector, r: Vector, tol: float) -> tuple[Vector, int]:
        """d, to a residual of `tol |r|`, and the iterations. O(entries of X) an iteration; its preconditioner is made
        anew."""
        equations = NormalEquations(self.design, h, self.fit_intercept, self.l2)
        system = System(equations, np.zeros(h.size), 1.0)
        preconditioner = choose_preconditioner(equations, self.l2)(system)
        d, _, iterations = preconditioner.descend(r, tol * float(np.linalg.norm(r)), self.max_iter)
        return d, iterations
