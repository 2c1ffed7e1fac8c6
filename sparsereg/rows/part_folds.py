"""Folds of rows in parts: each fold is some parts, or rows drawn inside every part. Knows no penalties and no solvers.

A question to the training rows of a fold is asked with weights of 0 on those held out: nothing is copied, and rows stay
where they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparsereg.rows.partition import Partition, Question
from sparsereg.rows.partitioned import PartitionedRows

__all__ = ["FoldRows", "FoldRule"]


@dataclass(frozen=True)
class FoldRule:
    """Which rows are held out in which fold.

    Attributes
    ----------
    n_folds : int
    parts : tuple of tuples of int, or None
        The numbers of the parts that each fold holds out; None: rows are drawn, each for one fold.
    seed : int
    """

    n_folds: int
    parts: tuple[tuple[int, ...], ...] | None = None
    seed: int = 0

    def divided(self, part: Partition, fold: int) -> Partition:
        """The part with weights on its training rows only, and `held` on those held out."""
        s = np.ones(part.n_rows) if part.s is None else part.s
        if self.parts is None:
            draw = np.random.default_rng([self.seed, part.number]).integers(0, self.n_folds, part.n_rows)
            out = draw == fold
        else:
            out = np.full(part.n_rows, part.number in self.parts[fold])
        return replace(part, s=np.where(out, 0.0, s), held=np.where(out, s, 0.0))


@dataclass(frozen=True)
class InFold(Question):
    """A question to the rows of a fold that train, or to those held out."""

    question: Question
    rule: FoldRule
    fold: int
    held_out: bool

    def answer(self, part: Partition) -> Any:
        divided = self.rule.divided(part, self.fold)
        if self.held_out:
            divided = replace(divided, s=divided.held, held=None)
        return self.question.answer(divided)

    def combine(self, one: Any, other: Any) -> Any:
        return self.question.combine(one, other)


class FoldRows(PartitionedRows):
    """The training rows of a fold, or those held out; parameters as of `PartitionedRows`, which has all of them."""

    def __init__(self, rows: PartitionedRows, rule: FoldRule, fold: int, held_out: bool = False) -> None:
        self.rows, self.rule, self.fold, self.held_out = rows, rule, fold, held_out
        super().__init__(rows.parts, rows.engine, rows.n_features, rows.center, rows.eliminated_length)

    def ask(self, question: Question) -> Any:
        return super().ask(InFold(question, self.rule, self.fold, self.held_out))

    def about(self, center: float) -> PartitionedRows:
        return FoldRows(self.rows.about(center), self.rule, self.fold, self.held_out)
