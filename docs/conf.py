"""The site: `sphinx-build -W docs build/site`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

os.environ["COLUMNS"] = "100"  # of help texts

import click
import numpy as np
import pandas as pd

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
    """A report of generated houses."""
    rng = np.random.default_rng(0)
    n = 20_000
    houses = pd.DataFrame({"latitude": rng.normal(37.7, 0.05, n), "longitude": rng.normal(-122.3, 0.05, n)})
    houses["kind"] = rng.choice(["flat", "house", "villa"], n, p=[0.6, 0.35, 0.05])
    centre = np.hypot(houses["latitude"] - 37.72, houses["longitude"] + 122.32)
    price = 5 + 3 * np.exp(-((centre / 0.03) ** 2)) + 2.0 * (houses["kind"] == "villa") + rng.normal(size=n)
    minute = sparsereg.Width("1/60")
    cross = sparsereg.FeatureCross(
        bins=dict.fromkeys(["latitude", "longitude"], minute), crosses=[("latitude", "longitude")]
    )
    train, test = slice(0, 16_000), slice(16_000, n)
    X, held = cross.fit_transform(houses[train]), cross.transform(houses[test])
    y, z = price[train].to_numpy(), price[test].to_numpy()
    path = sparsereg.regularization_path(X, y, eps=2e-3, alphas=60, tol=1e-7)
    best = int(np.argmin([np.mean((z - path.predict(held, k)) ** 2) for k in range(path.alphas.size)]))
    report = sparsereg.SparsityReport.from_path(
        path, cross, best, X=X, y=y, X_val=held, y_val=z, title="Prices of generated houses", target="price"
    )
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
