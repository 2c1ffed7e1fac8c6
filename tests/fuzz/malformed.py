"""Malformed calls, in forks, so that a crash or a hang is a failure with its input's name.

`python tests/fuzz/malformed.py --cases 20000` for long runs. Each case is entry point, argument and what is wrong with
it; a seed says the rest: storage, sizes, places.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

SECONDS_A_CASE = 20


def all_cases() -> list[tuple[Any, str, str]]:
    """Entry, argument, name of a bad value; in one order."""
    from fuzz.entries import ENTRIES
    from fuzz.entries_losses import LOSSES, SERVED
    from fuzz.entries_more import MORE

    entries = (*ENTRIES, *MORE, *LOSSES, *SERVED)
    return [(entry, arg, bad) for entry in entries for arg, bads in entry.bad.items() for bad in bads]


def judge(entry: Any, arg: str, bad: str, seed: int) -> str:
    """What came of one case: nothing if it is right."""
    from fuzz.bad_values import TYPE_ERROR_TOO

    rng = np.random.default_rng([seed, 14])
    given = entry.good(rng)
    n, p = given["X"].shape if "X" in given else (0, 0)
    sizes = {"sample_weight": n, "offset": n, "penalty_factor": p, "coef_init": p}
    good = given.get(arg, np.ones(sizes.get(arg, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            given[arg] = entry.bad[arg][bad](rng, good)
        except Exception:  # noqa: BLE001 - NumPy or SciPy will not even make it
            return ""
        try:
            entry.call(**given)
        except ValueError:
            return ""
        except IndexError as error:
            return "" if arg == "k" and "point" in str(error) else f"IndexError: {error}"
        except TypeError as error:
            theirs = arg in TYPE_ERROR_TOO or (arg == "alphas" and "CV" in entry.name)
            return "" if theirs else f"TypeError: {error}"
        except Exception as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
    return "accepted"


def work(first: int, last: int, report: IO[str]) -> None:
    """Cases by number; each is announced, so that it is known which one was the last. Ends the process."""
    faulthandler.enable(report)
    cases = all_cases()
    for number in range(first, last):
        signal.alarm(SECONDS_A_CASE)
        entry, arg, bad = cases[number % len(cases)]
        report.write(f"@ {number} {entry.name}/{arg}/{bad} seed {number // len(cases)}\n")
        report.flush()
        if trouble := judge(entry, arg, bad, number // len(cases)):
            report.write(f"! {' '.join(trouble.split())[:300]}\n")
    report.flush()
    os._exit(0)


def run(first: int, last: int) -> Iterator[tuple[str, str]]:
    """(case, trouble) of a range of cases."""
    all_cases()  # imported once, before forks
    return in_forks(first, last, work)


def in_forks(first: int, last: int, work: Callable[[int, int, IO[str]], None]) -> Iterator[tuple[str, str]]:
    """(case, trouble) of a range, worked through in a fork; after a crash or a hang another one goes on."""
    while first < last:
        with tempfile.TemporaryFile("w+") as report:
            if not (pid := os.fork()):
                try:
                    work(first, last, report)
                finally:
                    os._exit(70)  # of the harness itself
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            report.seek(0)
            output = report.read()
        case = "start"
        for line in output.splitlines():
            if line.startswith("@ "):
                number, case = line[2:].split(" ", 1)
                first = int(number) + 1
            elif line.startswith("! "):
                yield case, line[2:]
        if status:
            ends = {-signal.SIGALRM: "hang", -signal.SIGSEGV: "segmentation fault"}
            yield case, ends.get(status, f"crash (code {status})")
        if case == "start":
            return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=0, help="so many; by default each once")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--only-crashes", action="store_true", help="say nothing of what is accepted or raised")
    args = parser.parse_args()
    counts, total = Counter[str](), args.cases or len(all_cases())
    for case, trouble in run(args.start, args.start + total):
        key = case.split(" seed")[0]
        crash = trouble.startswith(("crash", "hang", "segmentation"))
        if args.only_crashes and not crash:
            continue
        if not counts[key]:
            print(f"{case}\t{trouble}", flush=True)
        counts[key] += 1
    print(f"{total} cases from {args.start}; {sum(counts.values())} failures of {len(counts)} kinds")
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())
