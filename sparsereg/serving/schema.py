"""`check_schema`: a JSON value against a JSON Schema, for the keywords that this package's schemas use.

Standard library only: the command ``sparsereg score`` starts without NumPy.
"""

from __future__ import annotations

import json
import re
from os.path import dirname, join
from typing import Any

__all__ = ["check_schema", "read_schema"]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
# Keywords that check nothing.
_SILENT = {"$schema", "$defs", "title", "description"}


def read_schema(name: str) -> dict[str, Any]:
    """A schema that the package holds, such as ``compact``."""
    # importlib.resources takes 30 ms to import.
    with open(join(dirname(__file__), f"{name}.schema.json"), encoding="utf-8") as file:
        return dict(json.load(file))


def check_schema(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, at: str = "it") -> None:
    """Raise a ValueError, with the place in the value, unless `value` is valid under `schema`.

    Examples
    --------
    >>> check_schema([1, "a"], {"type": "array", "items": {"type": "integer"}})
    Traceback (most recent call last):
    ...
    ValueError: it[1]='a' is not of type integer.
    """
    root = schema if root is None else root
    for keyword in schema.keys() - _SILENT:
        if keyword not in _KEYWORDS:
            raise NotImplementedError(f"the keyword {keyword!r}")
    for check in dict.fromkeys(_KEYWORDS[keyword] for keyword in schema.keys() - _SILENT):
        check(value, schema, root, at)


def _ref(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> None:
    check_schema(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)


def _type(value: Any, schema: dict[str, Any], _: dict[str, Any], at: str) -> None:
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kinds = {kind for name in names for kind in _TYPES[name]}
    if type(value) not in kinds:
        raise ValueError(f"{at}={_short(value)} is not of type {' or '.join(names)}.")


def _const(value: Any, schema: dict[str, Any], _: dict[str, Any], at: str) -> None:
    choices = schema["enum"] if "enum" in schema else [schema["const"]]
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise ValueError(f"{at}={_short(value)} is not {' or '.join(map(repr, choices))}.")


def _properties(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> None:
    if not isinstance(value, dict):
        return
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    if absent := [name for name in schema.get("required", ()) if name not in value]:
        raise ValueError(f"{at} has no {absent[0]!r}.")
    for name, part in value.items():
        if name not in known and others is False:
            raise ValueError(f"{at} has {_short(name)}, which is not known.")
        inner = known.get(name, others)
        if isinstance(inner, dict):
            check_schema(part, inner, root, f"{at}[{_short(name)}]")


def _items(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> None:
    if not isinstance(value, list):
        return None
    low, high = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not low <= len(value) <= high:
        raise ValueError(f"{at} has {len(value)} items.")
    inner = schema.get("items", {})
    if inner.keys() == {"type", "minimum"} and set(map(type, value)) <= set(_TYPES[inner["type"]]):
        # Long lists of numbers: one comparison for all.
        return _minimum(min(value, default=inner["minimum"]), inner, root, at)
    if (
        inner.keys() == {"type"}
        and isinstance(inner["type"], str)
        and set(map(type, value)) <= set(_TYPES[inner["type"]])
    ):
        return None
    for place, item in enumerate(value):
        check_schema(item, inner, root, f"{at}[{place}]")
    return None


def _any_of(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> None:
    reasons = []
    for choice in schema["anyOf"]:
        try:
            return check_schema(value, choice, root, at)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(f"{at} is none of what it may be: {' '.join(reasons)}")


def _minimum(value: Any, schema: dict[str, Any], _: dict[str, Any], at: str) -> None:
    if isinstance(value, (int, float)) and value < schema["minimum"]:
        raise ValueError(f"{at}={value} is below {schema['minimum']}.")


def _pattern(value: Any, schema: dict[str, Any], _: dict[str, Any], at: str) -> None:
    if isinstance(value, str) and not re.search(schema["pattern"], value):
        raise ValueError(f"{at}={_short(value)} does not match {schema['pattern']}.")


_KEYWORDS = {
    "$ref": _ref,
    "type": _type,
    "const": _const,
    "enum": _const,
    "properties": _properties,
    "required": _properties,
    "additionalProperties": _properties,
    "items": _items,
    "minItems": _items,
    "maxItems": _items,
    "anyOf": _any_of,
    "minimum": _minimum,
    "pattern": _pattern,
}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
