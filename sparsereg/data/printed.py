"""`Printed`: results that notebooks show as `print` does."""

from __future__ import annotations

import html

__all__ = ["Printed"]


class Printed:
    """Results with a short `repr` and a longer `str`; a notebook shows the latter, in the columns that it has."""

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"
