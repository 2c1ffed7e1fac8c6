"""The two extensions; everything else about the package stands in pyproject.toml."""

import os
import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

if sys.platform == "win32":
    flags = ["/O2", "/std:c11"]
else:
    flags = ["-std=c11", "-O3"]
if os.environ.get("SPARSEREG_DEBUG"):
    flags += ["-O1", "-g"]

sources = ["sparsereg/_core.pyx", "src_c/sr_columns.c", "src_c/sr_gram.c", "src_c/sr_rows.c", "src_c/sr_screen.c"]
headers = [f"src_c/{name}" for name in os.listdir("src_c") if name.endswith(".h")]
core = Extension("sparsereg._core", sources, include_dirs=["src_c"], depends=sorted(headers), extra_compile_args=flags)
strings = Extension("sparsereg._strings", ["sparsereg/_strings.pyx"], extra_compile_args=flags)

setup(ext_modules=cythonize([core, strings]))
