"""What the options of `fit` say of each other, checked before the table is read."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from sparsereg.data.validation import check_alphas, check_number
from sparsereg.losses import as_path_loss
from sparsereg.results import PathResult

__all__ = ["check_fit_options", "given", "remedies"]

_MAX_DEGREE = 3


def given(name: str) -> bool:
    """Whether an option was given on the command line."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def check_fit_options(options: dict[str, Any]) -> None:
    """Raise a ValueError for numbers out of range, and for options that exclude each other."""
    check_number("l1_ratio", options["l1_ratio"], low=0, high=1)
    check_number("tol", options["tol"], low=0)
    if options["eps"] is not None:
        check_number("eps", options["eps"], low=0, high=1, open_low=True)
    if options["alphas"] is not None:
        check_alphas(options["alphas"])
    if options["alphas"] is not None and not isinstance(options["alphas"], int) and options["eps"] is not None:
        raise ValueError("--alphas names the strengths, and --eps where they end; choose one.")
    if options["l1_ratio"] == 0 and not isinstance(options["alphas"], list):
        raise ValueError("--l1-ratio 0 has no strength that removes all columns; name the strengths with --alphas.")
    design, degree = options["design"], options["degree"]
    if design is not None and options["crosses"]:
        raise ValueError(f"--design {design} makes crosses, and --cross names them; choose one.")
    if design == "auto" and degree is not None and degree > _MAX_DEGREE:
        raise ValueError(f"--degree {degree}: crosses that are chosen have at most {_MAX_DEGREE} fields.")
    if design in ("main", "pairs") and degree is not None:
        raise ValueError(f"--design {design} says how many fields are crossed, as --degree does; choose one.")
    if options["share"] is not None and given("folds"):
        raise ValueError("--folds and --validate both choose the strength; choose one.")
    if options["criterion"] is not None and (options["share"] is not None or given("folds")):
        other = "--folds" if given("folds") else "--validate"
        raise ValueError(f"--criterion and {other} both choose the strength; choose one.")
    if options["criterion"] is not None and options["patience"] is not None:
        raise ValueError("--patience needs rows that are held out, and --criterion holds none out; choose one.")
    if options["patience"] is not None and options["share"] == 0:
        raise ValueError("--patience needs rows that are held out, and --validate 0 holds none out; choose one.")
    if options["patience"] is not None and isinstance(options["alphas"], list):
        raise ValueError(
            "--patience ends the path by its held-out score, and --alphas names its strengths; choose one."
        )
    _check_loss(options)


def _check_loss(options: dict[str, Any]) -> None:
    name, log_target = options["loss"], options["log_target"]
    if options["criterion"] is not None and name is not None:
        try:
            as_path_loss(name).fit_term(np.ones(1), None)
        except ValueError:
            raise ValueError(
                f"--criterion needs the likelihood of a distribution, which --loss {name} does not give; leave it out,"
                " so that folds choose the strength."
            ) from None
    if log_target and name not in (None, "squared"):
        raise ValueError(f"--log-target fits squares of the logarithm; leave it out with --loss {name}.")
    if options["offset"] is not None and options["exposure"] is not None:
        raise ValueError("--offset and --exposure both shift the predictions; choose one.")
    link = None if name is None else as_path_loss(name).link
    if options["exposure"] is not None and link != "log":
        raise ValueError("--exposure is for rates, whose loss has a log link; add --loss poisson, gamma or tweedie.")
    if name == "multinomial" and options["positive"]:
        raise ValueError("--positive is for one coefficient a column, and --loss multinomial has one for each class.")
    if name == "multinomial" and options["offset"] is not None:
        raise ValueError(
            "--offset adds the same number for every class, which changes no probability of --loss multinomial; leave"
            " it out."
        )
    if log_target and options["offset"] is not None:
        raise ValueError("--offset adds to the target itself, and --log-target fits its logarithm; choose one.")


def remedies(options: dict[str, Any], path: PathResult, stopped: str) -> dict[str, str]:
    """What to do about checks that failed, in options of the command line."""
    weakest = path.alphas[-1] / path.alphas[0]
    further = f"{weakest / 10:.1g}" if weakest > 1e-3 else f"{weakest / 10:.9f}".rstrip("0")
    strength = f"Fit again with --eps {further}, so that the path goes on."
    if isinstance(options["alphas"], list):
        strength = "Fit again with weaker strengths in --alphas."
    elif stopped == "max_seconds":
        strength = f"Fit again with --budget-seconds {4 * options['budget_seconds']:g}, so that the path goes on."
    elif stopped == "max_memory":
        strength = "Fit again with twice the --max-memory, so that the path goes on."
    elif stopped == "interrupted":
        strength = "Fit again without interrupting it."
    return {
        "certified": "Fit again with a larger --tol, or end the path at a stronger penalty with a larger --eps.",
        "strength": strength,
        "generalises": "Take a stronger penalty, fewer crosses, or a larger --min-count.",
        "outliers": "Look at these rows; take --log-target, --loss huber:DELTA, or leave them out.",
        "support": "Do not quote those columns one by one; fit with a larger --min-count.",
        "decided": "Fit again with a --tol a hundred times smaller, which decides more columns.",
    }
