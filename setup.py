"""The two extensions; everything else about the package stands in pyproject.toml."""

import os
import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

if sys.platform == "win32":
    flags = ["/O2", "/std:c11"]
else:
    flags = ["-std=c11", "-O3"]
link: list[str] = []
if os.environ.get("SPARSEREG_DEBUG"):
    flags += ["-O1", "-g"]
if os.environ.get("SPARSEREG_SANITIZE"):  # with LD_PRELOAD, see .ci/sanitize
    link = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags += ["-O0", "-g1", "-fno-omit-frame-pointer", *link]
if os.environ.get("SPARSEREG_COVERAGE"):  # see .ci/coverage
    link = ["--coverage"]
    flags += ["-O0", *link]

names = ("codes", "columns", "factors", "gram", "gram_arena", "groups", "mean_dual", "means", "penalty", "reweigh")
kernels = [f"sr_{name}.c" for name in (*names, "rows", "screen", "small")]
sources = ["sparsereg/_core/kernels.pyx", *(f"src_c/{name}" for name in kernels)]
headers = [f"src_c/{name}" for name in os.listdir("src_c") if name.endswith(".h")]
core = Extension(
    "sparsereg._core.kernels",
    sources,
    include_dirs=["src_c"],
    depends=sorted(headers),
    extra_compile_args=flags,
    extra_link_args=link,
)
strings = Extension(
    "sparsereg._core.strings", ["sparsereg/_core/strings.pyx"], extra_compile_args=flags, extra_link_args=link
)

setup(ext_modules=cythonize([core, strings]))
