"""`Automatic`: the part of `FeatureCross` that chooses a design by a target, for ``crosses="auto"``."""

from __future__ import annotations

from typing import Any, Self

from sparsereg.crosses.auto.choice import CrossChoice, check_limits
from sparsereg.crosses.auto.choose import Limits
from sparsereg.crosses.fitting import OverParts
from sparsereg.crosses.parquet import ParquetRows
from sparsereg.crosses.table import Table

__all__ = ["Automatic"]


class Automatic(OverParts):
    """The choice of a design in `fit`; and the output, which is never a data frame."""

    def _choose(self, X: Any, y: Any) -> None:
        """With ``crosses="auto"``, set `choice_` and `design_`."""
        for name in ("choice_", "design_"):
            if hasattr(self, name):
                delattr(self, name)
        if not self._is_automatic() or isinstance(X, ParquetRows):
            return
        parameters = self.get_params(deep=False)
        if parameters["main_effects"] is not True:
            raise ValueError(
                f"main_effects={parameters['main_effects']!r} does not go with crosses='auto'; leave it out."
            )
        degree, min_count, default = parameters["degree"], parameters["min_count"], Limits()
        limits = check_limits(
            default.degree if degree == 1 else degree,
            default.min_count if min_count == 1 else min_count,
            default.max_columns,
            default.max_seconds,
        )
        self.choice_ = CrossChoice.of(type(self), Table(X), y, parameters | {"crosses": ()}, limits)
        self.design_ = self.choice_.cross

    def set_output(self, *, transform: str | None = None) -> Self:
        """Accept only the default: the output is sparse, never a data frame.

        Parameters
        ----------
        transform : {"default", None}

        Raises
        ------
        ValueError
            If a data frame is asked for.
        """
        if transform not in (None, "default"):
            raise ValueError(
                f"transform={transform!r} requests a data frame, but FeatureCross makes sparse columns, often "
                "millions. Use set_output(transform='default'), and get_feature_names_out() for names."
            )
        super().set_output(transform=transform)  # type: ignore[misc]  # of scikit-learn's TransformerMixin
        return self
