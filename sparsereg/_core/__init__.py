"""The binding to the C kernels of `src_c/`: `kernels` for arrays and matrices, `strings` for text."""

from importlib.util import find_spec

if not all(find_spec(f"{__name__}.{name}") for name in ("kernels", "strings")):
    raise ImportError(
        f"The compiled part of sparsereg is missing from {__path__[0]}: this is a source tree that was not built. Run"
        " `pip install -e .` in it, or leave its directory to import the installed package."
    )
