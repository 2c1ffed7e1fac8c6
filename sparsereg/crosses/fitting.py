"""`OverParts`: the part of `FeatureCross` that fits and encodes rows in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sparsereg.crosses.over_parts import PartsFit, Screen, fit_parts
from sparsereg.crosses.parquet import ParquetRows
from sparsereg.crosses.parts_plan import FitPlan, TableParts
from sparsereg.crosses.portable import Portable
from sparsereg.crosses.scratch import Scratch, encode_part, own_columns
from sparsereg.crosses.specification import Specification
from sparsereg.data.validation import check_number
from sparsereg.losses import as_loss
from sparsereg.rows.disk import DiskRows, save_partition

__all__ = ["OverParts"]


class OverParts(Portable):
    """Fitting in two passes over `ParquetRows`, and encoding them into a scratch folder."""

    transform: Callable[[Any], Any]
    eliminated_length_: int

    def _fit_parts(self, rows: TableParts, screen: Screen | None, scratch: Scratch | None = None) -> PartsFit:
        """Both passes; what the second one encodes is kept in the scratch."""
        if screen is not None:
            check_number("eps", screen.eps, low=0, high=1, open_low=True)
        parameters = self._parameters()
        self._refuse(parameters, screen is not None)
        spec = Specification.resolve(parameters, rows.names, True)
        found = fit_parts(spec, rows, screen, None if scratch is None else scratch.keep_codes)
        self._keep(found.layout, rows.names, True)
        self.eliminated_length_ = found.eliminated_length
        return found

    @staticmethod
    def _refuse(parameters: dict[str, Any], screened: bool) -> None:
        """ValueError for parameters that need to know every level."""
        if parameters["hashed"] is not None:
            raise ValueError("hashed is not for rows in parts, which need no hashing; leave it out.")
        if not screened and parameters["min_count"] == 1:
            return
        for name, value in (("rare", "pool"), ("handle_unknown", "error")):
            if parameters[name] == value:
                raise ValueError(
                    f"{name}={value!r} needs every level, which rows in parts do not keep; leave it out, or fit without"
                    " target and with min_count=1."
                )

    def _fit_rows(self, rows: ParquetRows, target: str | None, eps: float, loss: Any) -> None:
        """`fit` of `ParquetRows`."""
        rows = rows if target is None else rows.with_target(target)
        self._fit_parts(rows, Screen(eps, loss=as_loss(loss)) if rows.target else None)

    def encode(self, rows: ParquetRows, scratch: Any = None, held_out: bool = False) -> DiskRows:
        """The rows as codes of the columns, in a scratch folder: 2 bytes an entry, 4 beyond 65,536 columns.

        Parameters
        ----------
        rows : ParquetRows
        scratch : str or path, optional
            A folder, made if need be, which stays. None, the default, makes a temporary one, which is deleted with the
            rows.
        held_out : bool, default=False
            The rows that `rows` holds out, instead of those to fit.

        Returns
        -------
        DiskRows
            The argument of `regularization_path`.

        Raises
        ------
        ValueError
            If a file changed or cannot be read, or the folder holds other files.
        """
        place, plan, columns = Scratch.at(scratch), FitPlan.of_layout(self._layout), own_columns(self._layout)
        found = rows.engine.map(encode_part, rows.parts, plan, self._layout, columns, held_out)
        s_sum = sy_sum = 0.0
        for number, part in enumerate(found):
            save_partition(place.folder, number, part)
            s, sy = part.target_sums()
            s_sum, sy_sum = s_sum + s, sy_sum + sy
        return self._finish(place, rows, sy_sum / (s_sum or 1.0))

    def _fit_transform_parts(
        self,
        rows: ParquetRows,
        target: str | None = None,
        eps: float = 1e-2,
        loss: Any = "squared",
        scratch: Any = None,
        screen: Screen | None = None,
    ) -> DiskRows:
        """Fitted and encoded in two passes together."""
        rows = rows if target is None else rows.with_target(target)
        screen = screen or (Screen(eps, loss=as_loss(loss)) if rows.target else None)
        place = Scratch.at(scratch)
        found = self._fit_parts(rows, screen, place)
        for _ in place.renumber(found, len(rows.parts)):
            pass
        return self._finish(place, rows, found.mean)

    def _finish(self, place: Scratch, rows: ParquetRows, center: float) -> DiskRows:
        length = getattr(self, "eliminated_length_", 0)
        facts = {"center": float(center), "eliminated_length": int(length), "files": rows.sizes()}
        return place.finish(rows, self._layout, facts, rows.engine.n_threads)

    def _transform_parts(self, rows: TableParts) -> Iterator[Any]:
        columns = list(dict.fromkeys(np.array(FitPlan.of_layout(self._layout).read, dtype=object).tolist()))
        for part in rows.parts:
            yield self.transform(part.read(columns).native)
