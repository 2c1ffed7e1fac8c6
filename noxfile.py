#!/usr/bin/env -S uv run --script

# /// script
# dependencies = ["nox>=2024.4.15"]
# ///
"""Chores with one name each: `nox -s tests`, `nox -s lint`, `nox -s docs`, `nox -s kernels`, `nox -s bench`."""

from __future__ import annotations

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "venv"


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types."""
    session.install("-e", ".[lint,test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Python tests and the examples in the docs."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The site, in build/site."""
    session.install("-e", ".[docs]")
    session.run("python", "-m", "sphinx", "-W", "-q", "docs", "build/site")


@nox.session(venv_backend="none")
def kernels(session: nox.Session) -> None:
    """The C kernels under sanitizers."""
    session.run("make", "-C", "tests/c", "clean", "test", external=True)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """The benchmarks against the rivals; arguments are passed on."""
    session.install(".[bench]")
    session.run("python", "benchmarks/run.py", *session.posargs)


if __name__ == "__main__":
    nox.main()
