"""The site: `sphinx-build -W docs build/site`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # of the gallery's tables
os.environ["COLUMNS"] = "100"  # of help texts

import click
import numpy as np
from gallery_tables import california

import sparsereg
import sparsereg.plot
from sparsereg.cli.commands import cli

project = "sparsereg"
copyright = "The sparsereg developers"
release = version = sparsereg.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["generated/*.md", "gallery"]
html_theme = "furo"
html_title = f"sparsereg {release}"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f5fa8", "color-brand-content": "#1f5fa8"},
    "dark_css_variables": {"color-brand-primary": "#8ab4e8", "color-brand-content": "#8ab4e8"},
    "source_repository": "https://github.com/sparsereg/sparsereg/",
    "source_branch": "main",
    "source_directory": "docs/",
}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# Links to files of the repository are right there and lead nowhere on the site; types of attributes are no links.
suppress_warnings = ["myst.xref_missing", "ref.python"]
nitpicky = False
autosummary_generate = True
templates_path = ["templates"]
default_role = "literal"
autodoc_typehints = "none"
autodoc_member_order = "groupwise"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": "/plot_",
    "download_all_examples": False,
    "show_memory": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
}

html_extra_path = ["generated/extra"]

GROUPS = {
    "Feature crosses": ("crosses",),
    "Estimators": ("linear_model",),
    "Paths and strengths": ("solvers", "results", "selection"),
    "Reports and plots": ("report", "plot"),
    "Files, serving, comparing": ("serving",),
}


def write_names(folder: Path) -> None:
    """The public names, by the part of the package that they come from."""
    groups: dict[str, list[str]] = {title: [] for title in [*GROUPS, "More"]}
    for name in sparsereg.__all__:
        place = sparsereg._MODULES[name].split(".")[0]
        groups[next((title for title, places in GROUPS.items() if place in places), "More")].append(name)
    blocks = [
        "Reference\n=========\n\nAll names of ``sparsereg``, by what they are about.\n\n.. currentmodule:: sparsereg\n"
    ]
    displays = [f"plot.{name}" for name in sparsereg.plot.__all__ if name not in sparsereg.__all__]
    for title, names in (groups | {"Displays": displays}).items():
        if names:
            table = ".. autosummary::\n   :toctree: api\n\n" + "".join(f"   {name}\n" for name in names)
            blocks.append(f"{title}\n{'-' * len(title)}\n\n{table}")
    (folder / "reference.rst").write_text("\n".join(blocks), encoding="utf-8")


def write_commands(folder: Path) -> None:
    """The help texts of the command line."""
    parts = []
    for name in sorted(cli.commands):
        command = cli.commands[name]
        if name == "score":
            from sparsereg.cli.score import make_parser

            text = make_parser().format_help()
        else:
            with click.Context(command, info_name=f"sparsereg {name}", max_content_width=100) as context:
                text = command.get_help(context)
        parts.append(f"## sparsereg {name}\n\n```text\n{text}\n```\n")
    (folder / "commands.md").write_text("\n".join(parts), encoding="utf-8")


def write_report(folder: Path) -> None:
    """A report on house values in California."""
    houses = california()
    value = np.log(houses["median_house_value"].to_numpy())
    minute = sparsereg.Width("1/60")
    bins = dict.fromkeys(["latitude", "longitude"], minute) | {"median_income": sparsereg.Quantiles(20)}
    fields = ["latitude", "longitude", "median_income", "ocean_proximity"]
    crosses = [("latitude", "longitude"), ("ocean_proximity", "median_income")]
    cross = sparsereg.FeatureCross(fields=fields, bins=bins, crosses=crosses)
    held = np.random.default_rng(0).random(len(houses)) < 0.2
    X, y, X_val, y_val = cross.fit_transform(houses[~held]), value[~held], cross.transform(houses[held]), value[held]
    path = sparsereg.regularization_path(X, y, eps=2e-5, tol=1e-7)
    report = sparsereg.SparsityReport.from_path(
        path, cross, X=X, y=y, X_val=X_val, y_val=y_val, target="the log value", title="House values in California",
        references={"ridge": sparsereg.Ridge(alpha=1.0).fit(X, y)},
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    report.save_html(folder / "example_report.html")


generated = Path(__file__).parent / "generated"
generated.mkdir(exist_ok=True)
write_report(generated / "extra")
write_names(generated)
write_commands(generated)


def skip_foreign(_app: Any, _what: str, name: str, member: Any, skip: bool, _options: Any) -> bool | None:
    """Methods of scikit-learn's and Python's base classes are documented there."""
    home = getattr(member, "__module__", None) or getattr(getattr(member, "fget", None), "__module__", "") or ""
    foreign = home.split(".")[0] in ("sklearn", "builtins", "typing", "enum") or name.endswith("_request")
    return True if skip or foreign else None


def quote_names(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """A bare name that ends in an underscore would be a link."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((".. ", ">>>", "...")):
            head, text = re.fullmatch(r"(\s*(?::[^:`]+:)?)(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
            lines[i] = head + re.sub(r"(?<![`\w.])([a-z]\w*_)(?![`\w])", r"``\1``", text)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("autodoc-process-docstring", quote_names, priority=900)  # after napoleon
