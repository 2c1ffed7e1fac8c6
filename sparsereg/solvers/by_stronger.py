"""One strength by way of stronger ones: where coordinate descent from 0 crawls. Knows no estimators.

From 0, far below the largest strength, hundreds of columns join at once; where they are dependent, as one-hot factors
with their crosses are, descent then takes steps of constant size. Along a path few join at a time, and a solution is
near the next one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sparsereg.objective.quadratic import Quadratic
from sparsereg.solvers.loop import Options, Solution
from sparsereg.solvers.path_solver import PathSolver

__all__ = ["LEAST_EPOCHS", "solve_by_stronger"]

# Strengths a decade, from this share of the largest on, and the most.
PER_DECADE, FIRST, MOST = 4, 0.3, 40
# With fewer epochs at hand a fit from 0 takes them all.
LEAST_EPOCHS = 1000


def solve_by_stronger(
    quadratic: Quadratic, l1_ratio: float, options: Options, alpha: float, tol: float
) -> Solution | None:
    """The solution at alpha, on to a smaller `tol` as `solve_closely` does; its epochs are those of all strengths, at
    most `options.max_iter`. None where alpha is among the largest strengths."""
    solver, epochs = PathSolver(quadratic, l1_ratio, options), 0
    first = FIRST * solver.alpha_max()
    if not 0.0 < alpha < first < np.inf:
        return None
    strengths = np.geomspace(first, alpha, min(2 + int(PER_DECADE * (np.log10(first) - np.log10(alpha))), MOST))
    solver.options = replace(options, max_iter=max(options.max_iter // strengths.size, 1))
    for strength in strengths[:-1].tolist():
        epochs += solver.solve(strength).epochs
    found = solver.solve_closely(alpha, tol)
    return found._replace(epochs=epochs + found.epochs)
