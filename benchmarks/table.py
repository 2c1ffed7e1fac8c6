"""Rows of measurements: what is in them, ratios to the fastest rival at equal quality, tables on the screen and in
Markdown."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

Row = dict[str, object]


def _flag(text: str) -> bool:
    return text == "True"


# Every column of the CSV and what its text is read as.
FIELDS: dict[str, type] = {
    **dict.fromkeys(("workload", "task"), str),
    **dict.fromkeys(("l1_ratio", "alpha"), float),
    "intercept": _flag,
    "required": float,
    "by": str,
    "held_out": _flag,
    "variant": str,
    **dict.fromkeys(("rival", "version", "status"), str),
    **dict.fromkeys(("seconds", "cpu_seconds", "seconds_min"), float),
    "timed": int,
    **dict.fromkeys(("ratio", "cpu_ratio", "tol", "reached", "median_gap", "share_reached", "held_r2"), float),
    "certified": _flag,
    **dict.fromkeys(("nonzero_last", "n_iter"), int),
    **dict.fromkeys(("objective_last", "passes", "pass_seconds"), float),
    "pass_by": str,
    **dict.fromkeys(("peak_mb", "input_mb"), float),
    **dict.fromkeys(("n_rows", "n_columns", "points"), int),
    **dict.fromkeys(("eps", "time_limit", "elapsed"), float),
    **dict.fromkeys(("detail", "python", "numpy", "scipy", "cpu", "cores", "system", "when"), str),
}

# Rows that agree in these are about the same problem, and may be compared.
PROBLEM = ("task", "l1_ratio", "alpha", "intercept", "required", "by", "held_out", "variant", "points", "eps")
GROUP = ("workload", *PROBLEM)


def from_text(row: Mapping[str, str]) -> Row:
    """A row of the CSV with its numbers as numbers; empty cells are left out."""
    return {key: FIELDS[key](text) for key, text in row.items() if text and key in FIELDS}


def is_ours(row: Row) -> bool:
    """Whether the row is sparsereg's."""
    return str(row["rival"]).startswith("sparsereg")


def problem(row: Row) -> str:
    """What is solved, apart from the workload."""
    intercept = "with" if row["intercept"] else "without"
    if row["task"] == "ridge":
        return f"ridge, alpha {row['alpha']:g}, {intercept} intercept, relative gradient <= {row['required']:.0e}"
    end, points = f"alpha_max/{1 / row['eps']:.4g}", ""
    if row["task"] in ("path", "logistic"):
        points = f"{' path' * (row['task'] != 'path')} of {row['points']} points to {end}"
    elif row["task"] == "logistic-fit":
        points = f" at {end}"
    required = f"relative {row['by']} <= {row['required']:.0e}"
    variant = "" if row["variant"] == "plain" else f", {row['variant']}"
    return f"{row['task']}{points}, l1_ratio {row['l1_ratio']:g}, {intercept} intercept{variant}, {required}"


def groups(rows: list[Row], by: tuple[str, ...] = GROUP) -> dict[tuple, list[Row]]:
    """Rows that agree in some columns; by default those about the same problem on the same workload."""
    found = defaultdict(list)
    for row in rows:
        found[tuple(row[key] for key in by)].append(row)
    return found


def add_ratios(rows: list[Row]) -> None:
    """Set `ratio` and `cpu_ratio`: the fastest rival's seconds over the row's own, among rows that reached what is
    required."""
    for members in groups(rows).values():
        done = [row for row in members if row["status"] == "ok"]
        rivals = [row for row in done if not is_ours(row)]
        for row in members:
            row.pop("ratio", None), row.pop("cpu_ratio", None)
        for row in done if rivals else []:
            row["ratio"] = min(rival["seconds"] for rival in rivals) / row["seconds"]
            row["cpu_ratio"] = min(rival["cpu_seconds"] for rival in rivals) / row["cpu_seconds"]


def line(row: Row) -> str:
    """One measurement in one line, for progress."""
    what = f"{row['workload']} {row['task']} {row['rival']}: "
    if row["status"] != "ok":
        return f"{what}{row['status']} ({row.get('detail') or _reached(row)})"
    times = f"{row['seconds']:.4g} s, CPU {row['cpu_seconds']:.4g} s"
    return f"{what}{times} (median of {row['timed']}) at tol {row['tol']:.0e}, {_reached(row)}"


def _reached(row: Row) -> str:
    return f"reached {row['reached']:.1e}" if "reached" in row else ""


def show(rows: list[Row], console: Console) -> None:
    """Print one table for every problem that more than one row is about, and sparsereg's geometric means over the
    workloads."""
    columns = ("seconds", "CPU s", "x fastest", "by CPU", "reached", "tol", "held-out R2", "iterations", "peak MB")
    for members in filter(lambda members: len(members) > 1, groups(rows).values()):
        title = f"{members[0]['workload']}: {problem(members[0])}"
        table = Table(title=title, title_justify="left", show_edge=False)
        table.add_column("rival", no_wrap=True)
        for name in columns:
            table.add_column(name, justify="right")
        table.add_column("remark")
        for row in sorted(members, key=lambda row: (row["status"] != "ok", row.get("seconds", math.inf))):
            table.add_row(*_cells(row))
        console.print(table)
        console.print()
    for text in means(rows):
        console.print(text)


def _cells(row: Row) -> list[str]:
    def cell(key: str, form: str) -> str:
        return format(row[key], form) if row.get(key) is not None else ""

    remark = "" if row["status"] == "ok" else " ".join(filter(None, (str(row["status"]), str(row.get("detail") or ""))))
    if row.get("certified") is False:
        remark = f"{remark} its own certificate fails".strip()
    return [
        f"{row['rival']} {row.get('version', '')}".strip(),
        cell("seconds", ".4g"),
        cell("cpu_seconds", ".4g"),
        cell("ratio", ".2f"),
        cell("cpu_ratio", ".2f"),
        cell("reached", ".1e"),
        cell("tol", ".0e"),
        cell("held_r2", ".4f"),
        cell("n_iter", "d"),
        cell("peak_mb", ".0f"),
        remark,
    ]


def means(rows: list[Row]) -> list[str]:
    """sparsereg's geometric mean over the workloads of each problem, in words."""
    found = defaultdict(list)
    for row in rows:
        if is_ours(row) and "ratio" in row:
            found[f"{row['rival']}, {problem(row)}"].append((row["ratio"], row["cpu_ratio"]))
    said = []
    for name, pairs in sorted(found.items()):
        wall, cpu = zip(*pairs, strict=True)
        figures = (
            f"geometric mean {_mean(wall):.2f} (CPU {_mean(cpu):.2f}), smallest {min(wall):.2f} (CPU {min(cpu):.2f})"
        )
        said.append(f"{name}: times the fastest rival: {figures}, {len(pairs)} workloads")
    return said


def _mean(ratios: tuple[float, ...]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def markdown(rows: list[Row], command: str) -> str:
    """One table for each problem, workloads across and rivals down, as a README wants it."""
    said = []
    for members in groups(rows, PROBLEM).values():
        workloads = list(dict.fromkeys(row["workload"] for row in members))
        cells = {(row["rival"], row["workload"]): row for row in members}
        versions = {row["rival"]: row.get("version", "") for row in sorted(members, key=lambda row: "version" in row)}
        said.append(
            f"{problem(members[0])}; seconds, and for sparsereg times the fastest rival by wall clock / by CPU:\n"
        )
        said.append(f"| | {' | '.join(workloads)} |")
        said.append(f"| --- |{' --- |' * len(workloads)}")
        for rival in sorted(versions, key=lambda rival: not rival.startswith("sparsereg")):
            texts = [_markdown_cell(cells.get((rival, workload))) for workload in workloads]
            name = f"{rival} {versions[rival]}".strip()
            name = f"**{name}**" if rival.startswith("sparsereg") else name
            said.append(f"| {name} | {' | '.join(texts)} |")
        said.append("")
    said += [*(f"- {text}" for text in means(rows)), ""]
    machine = max(rows, key=lambda row: str(row.get("when")))
    said.append(f"    {command}\n")
    said.append(
        "{cpu}, {cores} cores, {system}, Python {python}, numpy {numpy}, scipy {scipy}; {when}.".format(**machine)
    )
    return "\n".join(said) + "\n"


def _markdown_cell(row: Row | None) -> str:
    if row is None:
        return ""
    if row["status"] != "ok":
        return str(row["status"])
    ratios = f" ({row['ratio']:.1f}x / {row['cpu_ratio']:.1f}x)" if is_ours(row) and "ratio" in row else ""
    score = f", R2 {row['held_r2']:.4f}" if "held_r2" in row else ""
    text = f"{row['seconds']:.3g}{ratios}{score}"
    return f"**{text}**" if is_ours(row) else text
