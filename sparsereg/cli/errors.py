"""Errors of the command line: one line each, without a traceback."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import polars as pl

from sparsereg.cli.score import end_output

__all__ = ["Commands"]

# How checks of parameters begin; each is the option of that name.
_PARAMETER = re.compile(r"^(l1_ratio|alphas|eps|tol|min_count|degree|top)=")
# A loss as Python has it, with a parameter or without.
_LOSS = re.compile(r"loss=(?:\('(\w+)', ([\d.]+)\)|'([\w:.]+)')")


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Print errors that a user can correct in one line on the standard error, and exit with a non-zero status."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        where = f" (see: {error.ctx.command_path} --help)" if error.ctx is not None else ""
        raise click.UsageError(_one_line(error.format_message()) + where) from None
    except BrokenPipeError:  # whoever reads the output has read enough, such as `head`; click would exit with 1
        end_output()
        raise click.exceptions.Exit(0) from None
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        raise click.ClickException(_one_line(what)) from error
    except ImportError as error:  # of a library that an extra brings: see `import_optional`
        raise click.ClickException(_one_line(str(error))) from error
    except MemoryError as error:
        raise click.ClickException("there is not enough memory; use fewer crosses or wider bins.") from error
    except KeyboardInterrupt:  # click would exit with 1
        click.echo("Aborted!", err=True)
        raise click.exceptions.Exit(130) from None
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise click.ClickException(_one_line(str(error))) from error


class Commands(click.Group):
    """A group whose errors, and those of its commands, take one line."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments of the group itself."""
        with _one_line_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _one_line_errors():
            return super().invoke(ctx)


def _one_line(text: str) -> str:
    """The text in command-line words; in one line, which a terminal gets wrapped at words."""
    text = _PARAMETER.sub(lambda match: f"--{match[1].replace('_', '-')} ", " ".join(text.split()))
    text = _LOSS.sub(lambda match: f"--loss {match[3] or f'{match[1]}:{match[2]}'}", text)
    width = shutil.get_terminal_size().columns - 1
    return textwrap.fill(text, max(width, 20), initial_indent=" " * 7)[7:] if sys.stderr.isatty() else text
