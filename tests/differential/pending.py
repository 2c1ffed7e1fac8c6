"""Known faults that are not mended yet: what of the random problems they excuse. Each entry goes with its fault.

`tests/differential/test_differential.py` runs every problem, and holds each entry to account: as soon as the fault no
longer shows, its test fails and asks for the entry to be taken out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from differential.failure import Failure
from differential.problems import RIDGE, Problem


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


def have(*features: str) -> frozenset[str]:
    return frozenset(features)


PENDING: list[Pending] = [
    Pending("D8", have("weak"), ("left-out score",), is_ridge),
]


def excused(problem: Problem, failure: Failure) -> bool:
    """Whether a fault that is not mended yet explains it."""
    return any(entry.excuses(problem, failure) for entry in PENDING)
