"""Columns and the copies that finer fields hold of them, solved for together. Knows neither X nor the order of a sweep.

A main effect is the sum of its crosses: `x_a = sum_b x_ab = sum_c x_ac`. A function of the level a can be written in the
columns a, ab or ac at no cost but the penalty's, and sweeping over columns or fields moves it from one to another at a
rate of penalty / count. So wherever a field or a column is solved for, its *copies* are solved for with it: besides the
coefficient of a, one number added to those of all ab, and one to those of all ac. Copies meet the data in the same column
x_a and add up there, so a copy costs nothing but its penalty, `pi_m = sum of the penalties of the columns that it moves`:

    min over c  of  1/2 (sum_m c_m)^2 |x_a|^2 + 1/2 sum_m pi_m c_m^2 - sum_m r_m c_m

has the one unknown `d = sum_m c_m`, of stiffness `1 / sum_m 1 / pi_m`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Levels, Matrix, exchange

__all__ = ["Copies", "Rows", "State", "spread", "summed"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """What a sweep knows of the rows: how many, their weights (None: all one) and, with an intercept, the sum of those; and
    X with its columns of other values than 1, if it has any."""

    n: int
    s: Vector | None
    weight_sum: float | None
    valued: tuple[Matrix, NDArray[np.int64]] | None = None


class State:
    """One application under way: g and z field by field, `v = S (X z + z0)` on the rows, z0 the intercept's."""

    def __init__(self, g: Vector, penalty: Vector, v: Vector) -> None:
        self.g, self.penalty = g, penalty
        self.z, self.v = np.zeros(g.size), v

    def rest(self, part: slice) -> Vector:
        """What the right side and the penalty leave to a field, the data aside."""
        left = self.penalty[part] * self.z[part]
        return np.subtract(self.g[part], left, out=left)


def summed(levels: Levels, x: Vector) -> Vector:
    """The sum of x within each level."""
    out = np.zeros(levels.m + 1)
    exchange(x, [], [(levels, out)])
    return out[:-1]


def spread(levels: Levels, x: Vector, onto: Vector) -> None:
    """Adds to each entry of `onto` what its level has in x."""
    exchange(onto, [(levels, np.append(x, 0.0))], [])


@dataclass(frozen=True)
class Copies:
    """A field, or some columns of it, with the copies that finer fields hold of them.

    `at`: their places in the design's order. `held`: for each finer field its part and, of each of its levels, the copy
    that moves it. `pi`: the copies' penalties, the columns' own first; where there are none of their own, `at` is None.
    """

    at: slice | NDArray[np.int64] | None
    held: list[tuple[slice, Levels]]
    pi: list[Vector]
    stiffness: Vector

    @classmethod
    def of(cls, at: slice | NDArray[np.int64] | None, held: list[tuple[slice, Levels]], penalty: Vector) -> Copies:
        pi = [summed(levels, penalty[part]) for part, levels in held]
        if at is not None:
            pi.insert(0, penalty[at])
        return cls(at, held, pi, 1.0 / np.sum([1.0 / one for one in pi], axis=0))

    def pulled(self, state: State, q: Vector) -> tuple[list[Vector], Vector]:
        """The right side of each copy, q being what the columns have of the data; and the pull on their sum."""
        r = [summed(levels, state.rest(part)) - q for part, levels in self.held]
        if self.at is not None:
            r.insert(0, state.g[self.at] - state.penalty[self.at] * state.z[self.at] - q)
        pull: Vector = np.sum([one / pi for one, pi in zip(r, self.pi, strict=True)], axis=0)
        return r, pull

    def move(self, state: State, r: list[Vector], pull: Vector, d: Vector) -> None:
        """Takes d apart into the copies."""
        multiplier = (d - pull) * self.stiffness
        moves = [(one + multiplier) / pi for one, pi in zip(r, self.pi, strict=True)]
        if self.at is not None:
            state.z[self.at] += moves.pop(0)
        for (part, levels), c in zip(self.held, moves, strict=True):
            spread(levels, c, state.z[part])
