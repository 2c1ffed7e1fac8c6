"""Elements of a page, built as a tree and written by the standard library, which escapes all text and attributes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias
from xml.etree import ElementTree as ET

__all__ = ["Child", "Node", "breakable", "h", "name_of", "prose", "shortened", "to_html"]

Node: TypeAlias = ET.Element
Child: TypeAlias = "Node | str | None"

_MINUS, _THIN = "\u2212", "\u202f"
_SUPERSCRIPTS = str.maketrans("0123456789-", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b")


def h(tag: str, *children: Child | Iterable[Child], **attributes: object) -> Node:
    """An element. Children are elements, texts, None, or iterables of these; ``class_`` is the attribute class, and
    other underscores are hyphens. An attribute of None is left out."""
    node = ET.Element(tag)
    for key, value in attributes.items():
        if value is not None:
            node.set("class" if key == "class_" else key.replace("_", "-"), str(value))
    for child in children:
        for part in [child] if child is None or isinstance(child, (str, ET.Element)) else child:
            _append(node, part)
    return node


def _append(node: Node, part: Child) -> None:
    if part is None:
        return
    if not isinstance(part, str):
        node.append(part)
    elif len(node):
        node[-1].tail = (node[-1].tail or "") + part
    else:
        node.text = (node.text or "") + part


def to_html(node: Node) -> str:
    """The element as HTML text."""
    return ET.tostring(node, encoding="unicode", method="html")


def prose(text: str) -> str:
    """Plain text of numbers as people set it: a minus sign, a thin space before %, powers of ten."""

    def power(match: re.Match[str]) -> str:
        digits, exponent = match.group(1), str(int(match.group(2)))
        tens = f"10{exponent.translate(_SUPERSCRIPTS)}"
        return tens if digits == "1" else f"{digits}\u00d7{tens}"

    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)e([-+]\d+)", power, text)
    text = re.sub(r"(?<![\w\)\]-])-(?=\d)", _MINUS, text)
    text = re.sub(r"\bR2\b", "R\u00b2", text)
    return re.sub(r"(?<=\d)%", f"{_THIN}%", text)


def name_of(text: str) -> str:
    """A name from the data as one line: control characters and marks of direction are written out."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def breakable(name: str) -> list[Child]:
    """A name that may be broken after underscores, where a narrow column must break it."""
    parts = re.split("(?<=_)(?=.)", name)
    return [child for part in parts for child in (part, h("wbr"))][:-1]


def shortened(name: str, length: int) -> str:
    """A name of at most `length` characters, cut in the middle."""
    name = name_of(name)
    if len(name) <= length:
        return name
    tail = (length - 1) // 2
    return f"{name[: length - 1 - tail]}\u2026{name[-tail:]}"
