"""`fit` on Parquet files that need not fit into memory: in parts, on this machine or on a cluster."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from glob import has_magic
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.cli.console import Terminal
from sparsereg.cli.prediction import score_name
from sparsereg.cli.tables import CsvFormat
from sparsereg.cli.targets import TWO_CLASSES, TargetKind, choose_loss
from sparsereg.cli.training import ColumnRoles
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.over_parts import Screen, forecast
from sparsereg.crosses.parquet import ParquetRows
from sparsereg.crosses.specification import Specification
from sparsereg.data.atomic_write import write_whole
from sparsereg.data.optional import import_optional
from sparsereg.losses import as_loss
from sparsereg.report.words import bytes_in_words
from sparsereg.results import PathResult
from sparsereg.rows.disk import DiskRows
from sparsereg.rows.part_folds import FoldRule
from sparsereg.rows.partition_loss import Losses
from sparsereg.rows.partitioned import PartitionedRows
from sparsereg.selection.cross_validation import cross_validate_path
from sparsereg.serving.model_file import Model
from sparsereg.solvers.checkpoint import Checkpoint
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path import strengths_of, trace
from sparsereg.solvers.rows_path import RowsSolver, ScreenedColumns
from sparsereg.solvers.rows_problem import RowsProblem, make_rows_problem

__all__ = ["TablePath", "fit_in_parts", "for_parts", "in_parts"]

Vector = NDArray[np.float64]

# Entries a second and thread while encoding, and while a pass reads the scratch; passes over the scratch.
ENCODED, STREAMED, ROUNDS = 25e6, 200e6, 20


# The rows that train in a fold may weigh less than their share by so much.
FOLD_MARGIN = 0.9
# Parts whose targets say which loss suits them.
TARGET_PARTS = 8


class TablePath(click.Path):
    """A file that exists, or a pattern of files."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        return Path(value) if has_magic(str(value)) else super().convert(value, param, ctx)


def in_parts(file: Path, options: dict[str, Any]) -> bool:
    """Whether these are files to be fitted in parts."""
    asked = [name for name in ("max_memory", "scratch", "scheduler") if options[name] is not None]
    if has_magic(str(file)) or file.suffix.lower() in (".parquet", ".pq"):
        return bool(asked) or has_magic(str(file))
    if asked not in ([], ["max_memory"]):
        raise ValueError(f"{file}: --scratch and --scheduler are for Parquet files; convert it.")
    return False


def for_parts(options: dict[str, Any]) -> dict[str, Any]:
    """The options with the defaults of files in parts: a share of the rows is held out, unless folds are asked for."""
    source = click.get_current_context().get_parameter_source
    given = {name for name in options if source(name) is click.core.ParameterSource.COMMANDLINE}
    for name in ("design", "budget_seconds", "patience", "criterion"):
        if name in given:
            raise ValueError(f"--{name.replace('_', '-')} needs the table in memory; leave it out for files in parts.")
    by_folds = "folds" in given
    defaults = {"share": 0.0 if by_folds else 0.1, "alphas": 100, "eps": 1e-2}
    options = options | {"folds": options["folds"] if by_folds else None}
    return options | {name: value for name, value in defaults.items() if options[name] is None}


@dataclass
class Encoded:
    """Rows to fit and rows held out, with their cross."""

    cross: FeatureCross
    rows: PartitionedRows
    held_out: PartitionedRows | None


def fit_in_parts(file: Path, roles: ColumnRoles, options: dict[str, Any], terminal: Terminal) -> Model:
    """The model of `fit`, from files that are read in parts."""
    files = ParquetRows(
        str(file),
        target=roles.target,
        weight=roles.weight,
        max_memory=options["max_memory"],
        n_jobs=-1,
        log_target=roles.log_target,
        drop_missing_target=True,
        held_out=options["share"],
        seed=options["seed"],
        offset=roles.offset or roles.exposure,
        log_offset=roles.exposure is not None,
    )
    kind = choose_loss(options["loss"], _target(files, roles), CsvFormat(), roles.log_target, terminal.note)
    if kind.loss == "multinomial":
        raise ValueError("--loss multinomial needs the rows in memory; files in parts have numbers and two classes.")
    files, roles = replace(files, classes=_classes(kind)), replace(roles, kind=kind)
    cross = _cross(files, roles, terminal)
    screen = None if options["standardize"] else _screen(kind.loss, options)
    spec = Specification.resolve(cross.get_params(deep=False), files.names, True)
    _announce(files, forecast(spec, files, screen), kind.loss, options, terminal)
    call = json.dumps([repr(cross), asdict(files.targets), kind.loss, (screen.eps, screen.alpha) if screen else None])
    if options["scheduler"] is None:
        encoded = _on_this_machine(files, cross, screen, options["scratch"], call, terminal)
    else:
        encoded = _on_a_cluster(files, cross, screen, options["scheduler"], terminal)
    solver = _solver(encoded, kind.loss, options, terminal)
    if options["folds"] is not None:
        return _by_folds(encoded, solver, roles, options, terminal)
    path = _path(solver, options, call + json.dumps(files.sizes()), terminal)
    return _chosen(encoded, solver.problem, replace(path, classes=kind.classes), roles, options, terminal)


def _target(files: ParquetRows, roles: ColumnRoles) -> pl.Series:
    """The target in some parts."""
    chosen = np.unique(np.linspace(0, len(files.parts) - 1, min(TARGET_PARTS, len(files.parts))).astype(int))
    tables = [pl.DataFrame(files.parts[number].raw([roles.target])) for number in chosen]
    columns = [table[roles.target] for table in tables]
    return pl.concat([v.cast(pl.String) if v.dtype == pl.Categorical else v for v in columns])


def _classes(kind: TargetKind) -> tuple[Any, Any] | None:
    """The two values of the target, where they are not the numbers that the loss takes."""
    if kind.classes is None or (not kind.is_text and tuple(kind.classes.tolist()) == TWO_CLASSES[kind.loss]):
        return None
    if kind.loss != "logistic":
        raise ValueError(f"--loss {kind.loss} takes -1 and 1 where files are read in parts; take --loss logistic.")
    low, high = kind.classes.tolist()
    return low, high


def _screen(loss: str, options: dict[str, Any]) -> Screen:
    """For the weakest strength; where folds are fitted, on the share of the rows that train."""
    share = 1.0 if options["folds"] is None else FOLD_MARGIN * (options["folds"] - 1) / options["folds"]
    alphas = options["alphas"]
    weakest = None if isinstance(alphas, int) else share * min(alphas) * options["l1_ratio"]
    return Screen(share * options["eps"], weakest, loss=as_loss(loss))


def _cross(files: ParquetRows, roles: ColumnRoles, terminal: Terminal) -> FeatureCross:
    """By the types of the columns, as for a table in memory."""
    first = next((part for part in files.parts if part.n_rows), files.parts[0])
    head = pl.from_arrow(first.read(files.names).head(1000).native)
    assert isinstance(head, pl.DataFrame)
    roles.check(head)
    return roles.cross(head, terminal.note)


def _announce(files: ParquetRows, sizes: Any, loss: str, options: dict[str, Any], terminal: Terminal) -> None:
    """Rows, entries, columns, passes, bytes and minutes, before any of it is spent."""
    entries = sizes.n_rows * sizes.entries
    threads = files.engine.n_threads
    alphas, rounds = options["alphas"], ROUNDS
    if loss != "squared":  # a round a strength, and some more
        rounds += alphas if isinstance(alphas, int) else len(alphas)
    # The held-out rows are read by themselves, and on a cluster rows are encoded where they are to stay.
    on_cluster, divided = options["scheduler"] is not None, bool(files.held_out)
    passes = 2 + divided + on_cluster
    seconds = (passes * entries / ENCODED + rounds * entries / STREAMED) / threads
    width = 2 if sizes.n_columns <= 1 << 16 else 4
    where = f" on {options['scheduler']}" if on_cluster else ""
    terminal.note(
        f"{sizes.n_rows:,} rows, {entries:,} entries, about {sizes.n_columns:,} columns that the path may use;"
        f" {passes} passes over the files, about {rounds} over"
        f" {bytes_in_words(width * entries + 8 * sizes.n_rows)} of codes; about"
        f" {max(1, round(seconds / 60))} min with {threads} threads{where}."
    )


def _on_this_machine(
    files: ParquetRows, cross: FeatureCross, screen: Screen | None, scratch: Any, call: str, terminal: Terminal
) -> Encoded:
    """Encoded into the scratch folder, or as a complete scratch of the same call has it."""
    own, held = (None, None) if scratch is None else (Path(scratch) / "fit", Path(scratch) / "held-out")
    if own is not None and (own / "scratch.json").exists():
        return _reopened(files, own, held, call, terminal)
    with terminal.rows("Reading", 2 * files.n_rows) as advance:
        object.__setattr__(files, "on_part", lambda part: advance(part.n_rows))
        rows = cross._fit_transform_parts(files, screen=screen, scratch=own)
    held_rows = None
    if files.held_out:
        with terminal.rows("Reading the held-out rows", files.n_rows) as advance:
            object.__setattr__(files, "on_part", lambda part: advance(part.n_rows))
            held_rows = cross.encode(files, scratch=held, held_out=True)
    if own is not None:
        with write_whole(own / "cross.npz") as out:
            np.savez(out, allow_pickle=False, **cross.to_arrays(), call=np.array(call))
    return Encoded(cross, rows, held_rows)


def _reopened(files: ParquetRows, own: Path, held: Path | None, call: str, terminal: Terminal) -> Encoded:
    """What an earlier run encoded. ValueError if it was of other files or options."""
    n_threads = files.engine.n_threads
    rows = DiskRows(own, n_threads)
    changed = {name for name, *_ in map(tuple, files.sizes() + rows.manifest["files"])} - {
        name for name, *rest in files.sizes() if [name, *rest] in rows.manifest["files"]
    }
    if changed:
        raise ValueError(f"file {min(changed)!r} changed since the scratch {str(own)!r} was made; name another folder.")
    if not (own / "cross.npz").exists():
        raise ValueError(f"scratch {str(own)!r} is not complete; delete it.")
    with np.load(own / "cross.npz", allow_pickle=False) as arrays:
        found = dict(arrays)
    if str(found.pop("call")) != call:
        raise ValueError(f"scratch {str(own)!r} is of a fit with other options; name another folder.")
    cross = FeatureCross.from_arrays(found)
    terminal.note(f"{own} is complete: the files are not read again.")
    return Encoded(cross, rows, DiskRows(held, n_threads) if files.held_out and held is not None else None)


def _on_a_cluster(
    files: ParquetRows, cross: FeatureCross, screen: Screen | None, scheduler: str, terminal: Terminal
) -> Encoded:
    distributed = import_optional("distributed", "--scheduler needs", "dask")
    from sparsereg.dask.engine import DaskEngine
    from sparsereg.dask.tables import encoded_rows, tables_of

    client = distributed.Client(scheduler, set_as_default=False)
    click.get_current_context().call_on_close(client.close)
    tables = tables_of(files, None, None, DaskEngine(client))
    with terminal.working("Reading on the cluster"):
        rows = encoded_rows(cross, tables, screen)
        held = encoded_rows(cross, tables, screen, held_out=True) if files.held_out else None
    return Encoded(cross, rows, held)


def _solver(encoded: Encoded, loss: str, options: dict[str, Any], terminal: Terminal) -> RowsSolver:
    """The objective; numbers are penalised by their effect."""
    rows, cross = encoded.rows, encoded.cross
    factor = None
    numbers = [block for block in cross.blocks_ if block.is_number]
    if numbers and not options["standardize"]:
        factor = np.ones(rows.n_cols)
        for block in numbers:
            sums, squares, _, _ = rows.moments(np.array([block.start]))
            deviation = squares[0] / rows.weight_sum - (sums[0] / rows.weight_sum) ** 2
            factor[block.start] = np.sqrt(max(deviation, 0.0)) or 1.0
        terminal.note("numbers that pass through are penalised by their effect per standard deviation.")
    options["factor"] = factor
    flags = {name: options[name] for name in ("standardize", "positive")}
    problem = make_rows_problem(rows, as_loss(loss), penalty_factor=factor, **flags)
    return RowsSolver(problem, float(options["l1_ratio"]), Options(tol=options["tol"]))


def _meta(rows: PartitionedRows, problem: RowsProblem, roles: ColumnRoles, options: dict[str, Any]) -> dict[str, Any]:
    """What a model says of its fit."""
    mean, null_predictor = problem.null_means
    meta = {"target": roles.target, "log_target": roles.log_target, "weight": roles.weight, "train_mean": mean}
    meta |= {"null_predictor": null_predictor, "na": [], "rows": rows.n_rows, "seed": options["seed"]}
    shift = roles.offset or roles.exposure
    meta |= {} if shift is None else {"offset": {"column": shift, "log": roles.exposure is not None}}
    return meta | {"rounds": rows.n_rounds}


def _by_folds(
    encoded: Encoded, solver: RowsSolver, roles: ColumnRoles, options: dict[str, Any], terminal: Terminal
) -> Model:
    """The point that predicts held-out rows best, fitted on all rows; there is no checkpoint."""
    rows, problem, folds = encoded.rows, solver.problem, options["folds"]
    grid = options["alphas"] if isinstance(options["alphas"], int) else np.sort(options["alphas"])[::-1]
    n_points = grid if isinstance(grid, int) else grid.size
    with terminal.path("Path and its folds", n_points) as advance:
        validation = cross_validate_path(
            rows,
            loss=problem.loss,
            cv=FoldRule(folds, seed=options["seed"]),
            alphas=grid,
            eps=options["eps"],
            penalty_factor=options["factor"],
            callback=lambda i, n, alpha, n_nonzero, *_: advance(i, n, alpha, n_nonzero),
            **{name: options[name] for name in ("l1_ratio", "tol", "standardize", "positive")},
        )
    k, null = validation.k, problem.gap_scale * (1.0 if problem.loss.quadratic else 2.0)
    scores, meta = 1.0 - validation.chosen.mean_losses / (null or 1.0), _meta(rows, problem, roles, options)
    meta |= {"point": k, "folds": folds, "held_out_r2": scores.tolist(), "held_out_rows": rows.n_rows}
    terminal.note(
        f"{folds} folds drawn with seed {options['seed']}: point {k} predicts held-out rows best"
        f" ({score_name(meta, validation.path.loss)} {scores[k]:.4f}) with {validation.path.n_columns(k):,} columns,"
        f" and is the model's, fitted on all {rows.n_rows:,} rows."
    )
    return Model(encoded.cross, replace(validation.path, classes=roles.kind.classes), meta)


def _path(solver: RowsSolver, options: dict[str, Any], call: str, terminal: Terminal) -> PathResult:
    """The path, with its checkpoint in the scratch folder."""
    asked = {name: options[name] for name in ("l1_ratio", "alphas", "eps", "tol", "standardize", "positive")}
    alphas = options["alphas"] if isinstance(options["alphas"], int) else np.sort(options["alphas"])[::-1]
    grid = strengths_of(solver, alphas, options["eps"])
    with TemporaryDirectory() as temporary:
        place = Path(options["scratch"] or temporary)
        place.mkdir(parents=True, exist_ok=True)
        noted = Checkpoint(place / "checkpoint.npz", call + json.dumps(asked))
        if known := len(noted.read()[0]):
            terminal.note(f"{known} of {grid.size} points are in {noted.file} already.")
        try:
            with terminal.path("Fitting the path", grid.size) as callback:
                return trace(solver, grid, callback=callback, checkpoint=noted)
        except ScreenedColumns as error:
            n = len(noted.read()[0])
            if not n:
                raise
            terminal.note(f"the path ends after {n} of {grid.size} points: {error}")
            return replace(trace(solver, grid[:n], checkpoint=noted), stopped="screen")


def _chosen(
    encoded: Encoded,
    problem: RowsProblem,
    path: PathResult,
    roles: ColumnRoles,
    options: dict[str, Any],
    terminal: Terminal,
) -> Model:
    """The point that predicts the held-out rows best, or the last."""
    rows, meta = encoded.rows, _meta(encoded.rows, problem, roles, options)
    if encoded.held_out is None:
        return Model(encoded.cross, path, meta | {"point": path.alphas.size - 1})
    held = encoded.held_out
    with terminal.working("Scoring the held-out rows"):
        models = sp.hstack([path.coefs, sp.csc_array((rows.n_cols, 1))], format="csc")
        *losses, null = held.ask(Losses(models, np.append(path.intercepts, meta["null_predictor"]), problem.loss))
    if not null > 0.0:
        raise ValueError("the target is the same in all held-out rows; hold out more, or use --validate 0.")
    r2 = 1.0 - np.array(losses) / null
    best = int(np.argmax(r2))
    terminal.note(
        f"{held.n_rows:,} rows drawn with seed {options['seed']} were held out; point {best} predicts them best"
        f" (held-out {score_name(meta, path.loss)} {r2[best]:.4f}) and is the model's."
    )
    if best == path.alphas.size - 1 and best > 0:
        terminal.note("the best point is the last of the path; a smaller --eps may predict better still.")
    meta |= {"point": best, "held_out_r2": r2.tolist(), "held_out_rows": held.n_rows}
    return Model(encoded.cross, path, meta)
