"""Damaged model files: flipped bits, lost ends, members of other types, shapes and values, sizes that are not there.

Each must be a ValueError on loading, or load and predict like the model that was saved (numbers, or a ValueError);
and take no more memory than the file has in it. `python tests/fuzz/damaged.py --cases 20000` for long runs.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
import tempfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd

import sparsereg as S

Members = dict[str, Any]
MOST_MEMORY, LARGE = 30_000_000, 60_000_000
SECONDS_A_CASE = 20


def saved() -> tuple[bytes, pd.DataFrame, np.ndarray]:
    """A model as bytes, a table to predict, and what it predicts."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(0, 5, 60), "b": rng.choice(["x", "y", "z"], 60), "c": rng.normal(size=60)})
    cross = S.FeatureCross(crosses=[("a", "b")], bins={"c": S.Quantiles(3)}, rare="pool", min_count=2)
    path = S.regularization_path(cross.fit_transform(table), rng.normal(size=60), alphas=4)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.npz"
        S.save_model(file, cross, path, point=3)
        return file.read_bytes(), table, S.load_model(file).predict(table)


def flipped(rng: np.random.Generator, good: bytes) -> bytes:
    out = bytearray(good)
    for at in rng.integers(0, len(out), int(rng.integers(1, 5))):
        out[at] ^= 1 << int(rng.integers(8))
    return bytes(out)


def cut(rng: np.random.Generator, good: bytes) -> bytes:
    return good[: int(rng.integers(0, len(good)))]


def blanked(rng: np.random.Generator, good: bytes) -> bytes:
    begin, size = int(rng.integers(0, len(good))), int(rng.integers(1, 200))
    return good[:begin] + bytes(min(size, len(good) - begin)) + good[begin + size :]


def lengthened(rng: np.random.Generator, good: bytes) -> bytes:
    return good + rng.bytes(int(rng.integers(1, 300)))


def written(members: Members) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            if not isinstance(content, bytes):
                part = io.BytesIO()
                np.lib.format.write_array(part, np.asanyarray(content), allow_pickle=True)
                content = part.getvalue()
            archive.writestr(name + ".npy", content)
    return out.getvalue()


def members_of(good: bytes) -> Members:
    with np.load(io.BytesIO(good)) as archive:
        return {name: archive[name] for name in archive.files}


CRAFTS: list[Any] = [
    lambda _, __: np.array(5),
    lambda _, a: a[:-1],
    lambda _, a: np.concatenate([a, a]),
    lambda _, a: a[None],
    lambda _, a: a[::-1],
    lambda _, a: a[:0],
    lambda _, a: a.astype(bool),
    lambda _, a: a.astype(object),
    lambda _, a: np.full(a.shape, np.nan),
    lambda _, a: np.full(a.shape, -1).astype(a.dtype),
    lambda _, a: np.full(a.shape, 2**31 - 1).astype(a.dtype),
    lambda rng, a: rng.permutation(a),
    lambda _, a: a.astype(">f8"),
    lambda _, a: a.astype(str),
]


def crafted(rng: np.random.Generator, good: bytes) -> bytes:
    """A whole archive with one member that is not what it was."""
    members = members_of(good)
    name = str(rng.choice(sorted(members)))
    if rng.random() < 0.1:
        del members[name]
    elif name == "header":
        members[name] = _header(rng, members[name])
    else:
        with np.errstate(all="ignore"), suppress(IndexError, ValueError, TypeError):  # a number has no rows to lose
            members[name] = CRAFTS[int(rng.integers(len(CRAFTS)))](rng, members[name])
    return written(members)


def _header(rng: np.random.Generator, header: Any) -> Any:
    content = json.loads(str(header))
    name = str(rng.choice(sorted(content)))
    wrong = [None, -1, 1e308, "zzz", [], {}, [10**12, 4], [-1, 4], True, float("nan"), {"point": 99}, {"point": "a"}]
    content[name] = wrong[int(rng.integers(len(wrong)))]
    return np.array(json.dumps(content))


def large(rng: np.random.Generator, good: bytes) -> bytes:
    """A member nobody knows, or a known one, of more than the file should need; or one that only says so."""
    members, way = members_of(good), int(rng.integers(3))
    if way == 0:
        members["unknown"] = np.zeros(LARGE, dtype=np.uint8)
    elif way == 1:
        members["path/data"] = np.zeros(LARGE // 8)
    else:
        head = io.BytesIO()
        shape = (10 ** int(rng.integers(9, 18)),)
        np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": shape})
        members[str(rng.choice(["path/data", "unknown"]))] = head.getvalue() + bytes(64)
    return written(members)


WAYS = {"flip": flipped, "cut": cut, "blank": blanked, "longer": lengthened, "craft": crafted, "large": large}
# Of a hundred cases.
SHARES = {"flip": 38, "cut": 14, "blank": 14, "longer": 3, "craft": 30, "large": 1}


def judge(way: str, content: bytes, file: Path, table: pd.DataFrame, right: np.ndarray) -> str:
    """What is wrong with what comes of a file."""
    file.write_bytes(content)
    trouble = ""
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = S.load_model(file).predict(table)
            if not np.isfinite(found).all():
                trouble = "predicts what is not finite"
            elif way not in ("craft", "large") and not np.array_equal(found, right):
                trouble = "predicts something else"
        except ValueError:
            pass
        except Exception as error:  # noqa: BLE001
            trouble = f"{type(error).__name__}: {error}"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return trouble or (f"took {peak / 1e6:.0f} MB" if peak > MOST_MEMORY else "")


def work(first: int, last: int, report: Any) -> None:
    """Cases by number, announced; ends the process."""
    good, table, right = saved()
    ways, shares = list(SHARES), np.array(list(SHARES.values())) / 100
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            signal.alarm(SECONDS_A_CASE)
            rng = np.random.default_rng([number, 13])
            way = ways[int(rng.choice(len(ways), p=shares))]
            report.write(f"@ {number} {way} {number}\n")
            report.flush()
            trouble = judge(way, WAYS[way](rng, good), Path(folder) / "model.npz", table, right)
            if trouble:
                report.write(f"! {' '.join(trouble.split())[:200]}\n")
    report.flush()
    os._exit(0)


def run(first: int, last: int) -> Iterator[tuple[str, str]]:
    """(case, trouble) of a range of cases, in a fork."""
    from fuzz.malformed import in_forks

    return in_forks(first, last, work)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--start", type=int, default=0)
    args = parser.parse_args()
    failures = 0
    for case, trouble in run(args.start, args.start + args.cases):
        print(f"{case}\t{trouble}", flush=True)
        failures += 1
    print(f"{args.cases} files from {args.start}; {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
