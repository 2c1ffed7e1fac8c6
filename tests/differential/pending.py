"""Faults of issue 14 that are not mended yet: what of the random problems they excuse. Each entry goes with its fault.

`tests/differential/test_differential.py` runs every problem, and holds each entry to account: as soon as the fault no
longer shows, its test fails and asks for the entry to be taken out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from differential.failure import Failure
from differential.problems import RIDGE, Problem

WRONG = ("false certificate", "silent miss", "silent claim above tol", "coefficients", "gradient", "left-out score")


@dataclass(frozen=True)
class Pending:
    """A fault, the features that show it, the kinds of failure it makes; `where`: anything else it needs."""

    fault: str
    features: frozenset[str]
    kinds: tuple[str, ...]
    where: Callable[[Problem], bool] = lambda _: True

    def excuses(self, problem: Problem, failure: Failure) -> bool:
        return self.features <= problem.features and failure.kind in self.kinds and self.where(problem)


def is_ridge(problem: Problem) -> bool:
    return problem.entry in RIDGE


def is_lasso(problem: Problem) -> bool:
    return not is_ridge(problem)


def have(*features: str) -> frozenset[str]:
    return frozenset(features)


def is_iterated(problem: Problem) -> bool:
    return is_ridge(problem) and problem.solver == "cg"


PENDING: list[Pending] = [
    Pending("N8, degrees of freedom", have(), ("degrees of freedom",), lambda p: is_lasso(p) and p.l1_ratio < 1),
    Pending("D2", have("free", "nearly"), WRONG, is_ridge),
    Pending("D8", have("weak"), ("left-out score",), is_ridge),
    Pending("seed 245, a warning too many", have("far", "origin", "positive"), ("needless warning",), is_ridge),
]


def excused(problem: Problem, failure: Failure) -> bool:
    """Whether a fault that is not mended yet explains it."""
    return any(entry.excuses(problem, failure) for entry in PENDING)
