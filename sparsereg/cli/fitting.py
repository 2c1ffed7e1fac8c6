"""`fit` after the table is read: the design, the strength by folds or by held-out rows, and what is said of both."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from sparsereg.cli.console import Terminal
from sparsereg.cli.fit_options import remedies
from sparsereg.cli.prediction import score_name
from sparsereg.cli.ridge_reference import with_ridge
from sparsereg.cli.targets import TargetKind
from sparsereg.cli.training import ColumnRoles, Training
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.data.design import as_design
from sparsereg.data.memory_limit import MemoryLimit
from sparsereg.losses import as_loss, as_path_loss
from sparsereg.report.evidence import Evidence
from sparsereg.report.samples import FoldSample
from sparsereg.results import PathResult
from sparsereg.selection.criteria import information_criterion
from sparsereg.selection.cross_validation import GivenRows, cross_validate_path, make_task
from sparsereg.selection.ending import Ending, is_falling
from sparsereg.selection.engine import Settings
from sparsereg.selection.patience import HeldRows, path_with_patience
from sparsereg.serving.model_file import Model
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path import regularization_path

__all__ = ["fit_model"]

# At most this share of the seconds goes to the choice of the design.
DESIGN_SHARE = 0.3
# The heaviest crosses that are named.
HEAVIEST = 3
# The automatic grid has so many points over a factor of 100 in alpha: 20 a decade.
AUTO_POINTS = 41
WHY_ENDED = {
    "turned": "the path ended where the held-out score had turned.",
    "patience": "the path ended after --patience strengths without a better held-out score.",
    "grid": "the path went to its weakest strength.",
    "max_seconds": "--budget-seconds ended the path before the held-out score had turned; more may predict better.",
    "max_memory": "--max-memory ended the path; with more memory it may predict better.",
    "falling": "--budget-seconds ended the path where the held-out score was falling already.",
    "interrupted": "the path was interrupted; what was finished is kept.",
}


@dataclasses.dataclass(frozen=True)
class _Fit:
    """What is fitted: the rows, encoded by `cross`, the arguments of a path and those of the command line."""

    data: Training
    cross: FeatureCross
    X: Any
    asked: dict[str, Any]
    options: dict[str, Any]
    terminal: Terminal


def fit_model(data: Training, roles: ColumnRoles, options: dict[str, Any], terminal: Terminal) -> Model:
    """Choose the design, encode, fit the path, choose a point."""
    cross = _design(data, roles, options, terminal)
    with terminal.working("Encoding"):
        X = cross.fit_transform(data.rows(data.train))
    factor = None if options["standardize"] else data.penalty_factor(cross, terminal.note)
    asked = {name: options[name] for name in ("l1_ratio", "tol", "standardize", "positive")}
    asked |= {"loss": roles.kind.loss, "sample_weight": data.weights(data.train), "penalty_factor": factor}
    asked["offset"] = data.offsets(data.train)
    meta, fit = _meta(data, roles, options), _Fit(data, cross, X, asked, options, terminal)
    if options["share"] is None and options["criterion"] is None:
        return _by_folds(fit, meta)
    return _by_held_out(fit, meta)


def _design(data: Training, roles: ColumnRoles, options: dict[str, Any], terminal: Terminal) -> FeatureCross:
    if not roles.is_automatic:
        return roles.cross(data.table, terminal.note)
    seconds = DESIGN_SHARE * options["budget_seconds"]
    with terminal.working("Choosing the design"):
        y, weight = data.targets_of_choice(roles.kind)
        choice = roles.choose(data.rows(data.train), y, weight, seconds, terminal.note)
    for note in choice.notes:
        terminal.note(note)
    gained = [block for block in choice.blocks if len(block.fields) > 1]
    best = sorted(gained, key=lambda block: -block.gain)[:HEAVIEST]
    named = "; ".join(f"{' x '.join(block.fields)} +{100 * block.gain:.2f} points" for block in best)
    terminal.note(
        f"{len(gained)} crosses chosen by what they add on held-out rows{f', most by {named}' if best else ''}. "
        "--design main or pairs, --cross and --bin give others."
    )
    terminal.note(f"the design as code: {choice.to_code()}")
    cross: FeatureCross = choice.cross
    return cross


def _meta(data: Training, roles: ColumnRoles, options: dict[str, Any]) -> dict[str, Any]:
    y, weight, offset = data.y[data.train], data.weights(data.train), data.offsets(data.train)
    if roles.kind.classes is not None and roles.kind.loss == "multinomial":
        shares = np.bincount(y.astype(np.int64), weights=weight, minlength=roles.kind.classes.size)
        null: Any = np.log(shares / shares.sum()).tolist()
    else:
        null = as_loss(roles.kind.loss).null_predictor(y, weight, offset)
    shift = roles.offset or roles.exposure
    shifted = {} if shift is None else {"offset": {"column": shift, "log": roles.exposure is not None}}
    return shifted | {
        "target": roles.target,
        "log_target": roles.log_target,
        "weight": roles.weight,
        "train_mean": data.train_mean,
        "null_predictor": null,
        "na": list(options["na"]),
        "rows": int(data.train.size),
    }


def _by_folds(fit: _Fit, meta: dict[str, Any]) -> Model:
    """The strength that predicts best in cross-validation, on a path of all rows."""
    data, cross, X, options, terminal = fit.data, fit.cross, fit.X, fit.options, fit.terminal
    folds = data.folds(options["folds"], options["seed"], options["classes"])
    grid, eps = options["alphas"], options["eps"]
    automatic = grid is None and eps is None
    grid = (AUTO_POINTS if automatic else 100) if grid is None else grid
    with terminal.path("Path and its folds", grid if isinstance(grid, int) else len(grid)) as advance:
        asked = fit.asked | {"patience": options["patience"], "keep_fold_paths": True}
        asked["max_memory"] = options["max_memory"]
        asked["max_seconds"] = max(options["budget_seconds"] - terminal.seconds, 1e-3)
        asked["callback"] = lambda i, n, alpha, n_nonzero, *_: advance(i, n, alpha, n_nonzero)
        eps = "auto" if eps is None else eps
        validation = cross_validate_path(X, data.y, cv=folds, alphas=grid, eps=eps, **asked)
    path, k, stopped = validation.path, validation.k, validation.chosen.stopped
    with terminal.working("Looking at the rows"):
        train = data.sample(X, path)
        assert validation.chosen.fold_paths is not None
        held = FoldSample.of_folds(train, [test for _, test in folds], validation.chosen.fold_paths)
        evidence = Evidence.measure(path, cross, k, train, held)
    if evidence.held is None:
        raise ValueError("the target is the same in all rows; there is nothing to predict.")
    # Beyond the end of a fold its last point stands in `evidence`, and its rising loss in `validation`.
    evidence = Evidence.of_validation(validation.chosen, k, evidence)
    assert evidence.held is not None
    meta |= {"point": k, "seed": options["seed"], "folds": len(folds), "held_out_r2": evidence.held}
    meta |= {"held_out_rows": int(data.y.size), "evidence": evidence.to_dict()}
    meta |= {"remedies": remedies(options, path, stopped)}
    meta |= with_ridge(options, path, evidence, train, folds[0], terminal)
    score = f"{score_name(meta, path.loss)} {evidence.held[k]:.4f} +- {evidence.null_error:.4f}"
    terminal.note(
        f"{len(folds)} folds drawn with seed {options['seed']}: point {k} predicts held-out rows best ({score})"
        f" with {path.n_columns(k):,} of {cross.n_features_out_:,} columns, and is the model's, fitted on all"
        f" {data.y.size:,} rows."
    )
    if stopped == "grid":
        _note_last(path, k, terminal)
    elif stopped in WHY_ENDED and (automatic or stopped == "max_memory"):
        falling = stopped == "max_seconds" and is_falling(validation.chosen.fold_losses)
        terminal.note(WHY_ENDED["falling" if falling else stopped])
    _note_crosses(cross, path, k, terminal)
    return Model(cross, _with_classes(path, options), meta)


def _by_held_out(fit: _Fit, meta: dict[str, Any]) -> Model:
    """The strength that predicts the held-out rows best, which stay out of the fit; of none, that of a criterion."""
    data, cross, X, options, terminal = fit.data, fit.cross, fit.X, fit.options, fit.terminal
    grid, eps = options["alphas"] or 100, options["eps"] or 1e-2
    with terminal.path("Fitting the path", grid if isinstance(grid, int) else len(grid)) as callback:
        if options["patience"] is None or not data.held_out.size:
            asked = fit.asked | {"callback": callback, "max_memory": options["max_memory"]}
            path = regularization_path(X, data.y[data.train], alphas=grid, eps=eps, **asked)
        else:
            path = _with_patience(fit, grid, eps, callback)
    with terminal.working("Looking at the rows"):
        k = _by_criterion(path, fit)
        evidence = data.evidence(cross, path, X, k)
    path = _with_classes(path, options)
    meta |= {"point": evidence.point, "seed": options["seed"], "evidence": evidence.to_dict()}
    meta |= {"remedies": remedies(options, path, path.stopped or "grid")}
    if evidence.held is not None and options["html_file"] is not None:
        meta |= with_ridge(options, path, evidence, data.sample(X, path), data.held_sample(cross, path), terminal)
    if path.stopped is not None:
        terminal.note(WHY_ENDED[path.stopped])
    if evidence.held is None:
        return Model(cross, path, meta)
    model = Model(cross, path, meta | {"held_out_r2": evidence.held, "held_out_rows": data.held_out.size})
    best = evidence.point  # of equal points, that with the strongest penalty
    terminal.note(
        f"{data.held_out.size:,} rows drawn with seed {options['seed']} were held out; point {best} predicts them best "
        f"({score_name(model.meta, path.loss)} {evidence.held[best]:.4f}) and is the model's."
    )
    if path.stopped is None:
        _note_last(path, best, terminal)
    return model


def _by_criterion(path: PathResult, fit: _Fit) -> int | None:
    """The point of least criterion, where one is asked for."""
    criterion = fit.options["criterion"]
    if criterion is None:
        return None
    given = {name: fit.asked[name] for name in ("sample_weight", "offset")}
    found = information_criterion(path, fit.X, criterion=criterion, **given)
    fit.terminal.note(
        f"{criterion.upper()} is least at point {found.k}, with {found.degrees[found.k]:.4g} degrees of"
        f" freedom and {path.n_columns(found.k):,} columns, which is the model's."
    )
    _note_last(path, found.k, fit.terminal)
    return found.k


def _with_patience(fit: _Fit, grid: Any, eps: float, callback: Any) -> PathResult:
    """The path on the rows of the fit, to so many strengths that do not predict the held-out ones better."""
    data, asked, options = fit.data, fit.asked, fit.options
    penalty = {name: asked[name] for name in ("penalty_factor", "standardize", "positive")} | {"fit_intercept": True}
    rows = GivenRows(as_design(fit.X), data.y[data.train], asked["sample_weight"], asked["offset"])
    task, measure, _ = make_task(rows, as_path_loss(asked["loss"]), penalty, Options(asked["tol"]), None)
    kind, held = TargetKind(asked["loss"], options["classes"]), data.held_out
    y, offset = data.y[held], data.offsets(held)
    if task.y.ndim == 2:
        y = kind.indicators(y)
    ending = Ending(patience=options["patience"], memory=MemoryLimit.checked(options["max_memory"]))

    def progress(i: int, n: int, alpha: float, n_nonzero: int, *_: float) -> None:
        callback(i, n, alpha, n_nonzero)

    settings = Settings(grid, eps, ending, progress=progress)
    rows_held = HeldRows(fit.cross.transform(data.table[held]), y, data.weights(held), offset)
    return path_with_patience(task, measure, asked["l1_ratio"], settings, rows_held)


def _with_classes(path: PathResult, options: dict[str, Any]) -> PathResult:
    return dataclasses.replace(path, classes=options["classes"])


def _note_last(path: PathResult, k: int, terminal: Terminal) -> None:
    if k == path.alphas.size - 1 and k > 0:
        terminal.note("the best point is the last of the path; a smaller --eps may predict better still.")


def _note_crosses(cross: FeatureCross, path: PathResult, k: int, terminal: Terminal) -> None:
    """Say which crosses carry weight."""
    parts = [path.point(k, output) for output in range(len(path.outputs))]
    columns, w = (np.concatenate(part) for part in zip(*parts, strict=True))
    blocks = [block for block in cross.blocks_ if len(block.fields) > 1]
    if not blocks or not w.size:
        return
    total = float(np.abs(w).sum())
    shares = [
        (float(np.abs(w[(columns >= block.start) & (columns < block.stop)]).sum()) / total, block.name)
        for block in blocks
    ]
    named = ", ".join(f"{name} {share:.0%}" for share, name in sorted(shares, reverse=True)[:HEAVIEST])
    terminal.note(f"crosses carry {sum(share for share, _ in shares):.0%} of the absolute weight: {named}.")
