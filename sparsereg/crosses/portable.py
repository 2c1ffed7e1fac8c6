"""`Portable`: a `FeatureCross` as code (its repr), and its fitted state as plain arrays for files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sparsereg.crosses.fitted import FittedColumns
from sparsereg.crosses.layout import Layout
from sparsereg.crosses.rules import rule_from_dict
from sparsereg.crosses.specification import check_choices
from sparsereg.crosses.stored import check_json

__all__ = ["Portable"]

# Errors of reading JSON text and arrays that no cross wrote.
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


class Portable(FittedColumns):
    """The part of `FeatureCross` that converts it to text and arrays, and back from arrays."""

    bins: Mapping[Any, Any] | None
    get_params: Callable[..., dict[str, Any]]
    design_: Any
    _keep: Callable[[Layout, Sequence[str], bool], None]

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Code that makes the same unfitted cross: the parameters that differ from the defaults, never shortened."""
        default, given = _canonical(type(self)().get_params(deep=False)), _canonical(self.get_params(deep=False))
        arguments = [f"{name}={value!r}" for name, value in given.items() if not _same(value, default[name])]
        return f"{type(self).__name__}({', '.join(arguments)})"

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Parameters and fitted state as plain arrays, for ``numpy.savez`` and loading without pickle.

        Returns
        -------
        dict of str to ndarray
            Integers, bytes and JSON text; no objects.
        """
        check_is_fitted(self, "n_features_out_")
        parameters = self._parameters()
        parameters["bins"] = [[_plain(key), rule.to_dict()] for key, rule in (parameters["bins"] or {}).items()]
        parameters["dtype"] = np.dtype(self.dtype).name
        parameters["hashed"] = None if self._hashing is None else self._hashing.width
        spec = {"parameters": parameters, "names": self._names_in, "named": self._named}
        return {"cross": np.array(json.dumps(spec, default=_plain)), **self._layout.to_arrays()}

    def _is_automatic(self) -> bool:
        crosses = self.get_params(deep=False)["crosses"]
        return isinstance(crosses, str) and crosses == "auto"

    def _parameters(self) -> dict[str, Any]:
        """The parameters, with those that ``crosses="auto"`` chose."""
        if not self._is_automatic():
            return self.get_params(deep=False)
        if not hasattr(self, "design_"):
            raise ValueError(
                "crosses='auto' is chosen by a target, on a table in memory: call fit(table, y), and use design_ for"
                " rows in parts and for plan."
            )
        parameters: dict[str, Any] = self.design_.get_params(deep=False)
        return parameters

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """A fitted FeatureCross from the result of `to_arrays`.

        Parameters
        ----------
        arrays : mapping of str to ndarray

        Returns
        -------
        FeatureCross
            With the same transform.

        Raises
        ------
        ValueError
            If an array is missing, or a parameter is wrong.
        """
        try:
            spec = json.loads(str(arrays["cross"]))
            check_json(
                spec,
                {"parameters": {"bins": [(list,)], "crosses": [(list,)]}, "names": [(str,)], "named": (bool,)},
                "cross",
            )
            parameters = spec["parameters"]
            parameters["bins"] = {key: rule_from_dict(rule) for key, rule in parameters["bins"]} or None
            parameters["crosses"] = [tuple(cross) for cross in parameters["crosses"]]
            parameters["dtype"] = np.dtype(parameters["dtype"]).type
            cross = cls(**parameters)
            check_choices(cross.get_params(deep=False))
            layout = Layout.from_arrays(arrays)
            columns = {*(levels.column for levels in layout.levels.values()), *layout.numbers}
            if not columns <= set(spec["names"]) or len(set(spec["names"])) < len(spec["names"]):
                raise ValueError(f"the columns {spec['names']} do not fit the fields.")
            cross._keep(layout, spec["names"], spec["named"])
        except _DAMAGE as error:
            raise ValueError(f"arrays do not hold a FeatureCross: {str(error) or type(error).__name__}.") from error
        return cross


def _canonical(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters in one form each: lists of fields, a list of tuples for `crosses`, the name of the dtype."""
    plain = {name: _plain(value) for name, value in parameters.items()}
    plain["bins"] = plain["bins"] or None
    plain["dtype"] = np.dtype(plain["dtype"]).name
    if isinstance(plain["crosses"], list):
        plain["crosses"] = [tuple(cross) if isinstance(cross, list) else cross for cross in plain["crosses"]]
    return plain


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays as Python objects, and sequences as lists, also inside lists and dicts."""
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {_plain(key): part for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(part) for part in value]
    return value


def _same(value: Any, default: Any) -> bool:
    # The types are compared because True == 1 and False == 0.
    return type(value) is type(default) and bool(value == default)
