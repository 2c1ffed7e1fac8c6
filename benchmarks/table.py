"""Rows of measurements as text: ratios to the fastest rival at equal gap, tables, geometric means."""

from __future__ import annotations

import math
from collections import defaultdict

from rich.console import Console
from rich.table import Table

Row = dict[str, object]

GROUP = ("workload", "task", "l1_ratio", "intercept", "gap")


def is_ours(row: Row) -> bool:
    """Whether the row is sparsereg's."""
    return str(row["rival"]).startswith("sparsereg")


def problem(row: Row) -> str:
    """What is solved, apart from the workload."""
    intercept = "with" if row["intercept"] else "without"
    return f"{row['task']}, l1_ratio {row['l1_ratio']:g}, {intercept} intercept, relative gap <= {row['gap']:.0e}"


def groups(rows: list[Row]) -> dict[tuple, list[Row]]:
    """Rows that may be compared: the same problem at the same gap."""
    found = defaultdict(list)
    for row in rows:
        found[tuple(row[key] for key in GROUP)].append(row)
    return found


def add_ratios(rows: list[Row]) -> None:
    """Set `ratio`: the fastest rival's seconds over the row's own, among rows that reached the gap; above 1 is faster."""
    for members in groups(rows).values():
        done = [row for row in members if row["status"] == "ok"]
        fastest = min((row["seconds"] for row in done if not is_ours(row)), default=None)
        for row in done:
            if fastest is not None:
                row["ratio"] = fastest / row["seconds"]


def line(row: Row) -> str:
    """One measurement in one line, for progress."""
    what = f"{row['workload']} {row['task']} {row['rival']}: "
    if row["status"] != "ok":
        return f"{what}{row['status']} ({row.get('detail') or _reached(row)})"
    return f"{what}{row['seconds']:.4g} s at tol {row['tol']:.0e}, {_reached(row)}"


def _reached(row: Row) -> str:
    return f"worst gap {row['worst_gap']:.1e}" if "worst_gap" in row else ""


def show(rows: list[Row], console: Console) -> None:
    """Print one table for every problem that more than one row is about, and sparsereg's geometric means over the workloads."""
    for members in filter(lambda members: len(members) > 1, groups(rows).values()):
        title = f"{members[0]['workload']}: {problem(members[0])}"
        table = Table(title=title, title_justify="left", show_edge=False)
        table.add_column("rival", no_wrap=True)
        for name in ("seconds", "x fastest rival", "worst gap", "tol", "peak MB", "passes"):
            table.add_column(name, justify="right")
        table.add_column("remark")
        for row in sorted(members, key=lambda row: (row["status"] != "ok", row.get("seconds", math.inf))):
            table.add_row(*_cells(row))
        console.print(table)
        console.print()
    for name, ratios in sorted(_ours(rows).items()):
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        figures = f"geometric mean {mean:.2f}, smallest {min(ratios):.2f}, {len(ratios)} workloads"
        console.print(f"{name}: times the fastest rival: {figures}")


def _cells(row: Row) -> list[str]:
    def cell(key: str, form: str) -> str:
        return format(row[key], form) if row.get(key) is not None else ""

    remark = "" if row["status"] == "ok" else " ".join(filter(None, (str(row["status"]), str(row.get("detail") or ""))))
    if row.get("certified") is False:
        remark = f"{remark} its own certificate fails".strip()
    version = f"{row['rival']} {row.get('version', '')}".strip()
    return [
        version,
        cell("seconds", ".4g"),
        cell("ratio", ".2f"),
        cell("worst_gap", ".1e"),
        cell("tol", ".0e"),
        cell("peak_mb", ".0f"),
        cell("passes", ".1f"),
        remark,
    ]


def _ours(rows: list[Row]) -> dict[str, list[float]]:
    found = defaultdict(list)
    for row in rows:
        if is_ours(row) and "ratio" in row:
            found[f"{row['rival']}, {problem(row)}"].append(row["ratio"])
    return found
