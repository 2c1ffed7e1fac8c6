"""Long runs: `python tests/differential/run.py --minutes 60`. Each failure is printed as a snippet that runs by itself.

Seeds are run in child processes of a few hundred, so that a crash or a hang is a failure too, with its seed.
"""

from __future__ import annotations

import argparse
import faulthandler
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import monotonic

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from differential import losses
from differential.calls import ask
from differential.checks import examine
from differential.problems import draw
from differential.shrink import shrink, snippet

CHUNK, SECONDS_A_PROBLEM = 200, 5
Key = tuple[str, str]


def child(args: argparse.Namespace) -> None:
    """Run a chunk; print its failures one a line, those of a kind and entry point not seen before with a snippet."""
    faulthandler.enable()
    if args.only_crashes:
        for seed in range(args.start, args.start + args.problems):
            print(f"@ {seed}", flush=True)
            ask(draw(seed))
        return
    seen: set[Key] = {tuple(key.split(":")) for key in args.seen.split(";") if key}  # type: ignore[misc]
    for seed in range(args.start, args.start + args.problems):
        print(f"@ {seed}", flush=True)
        if args.losses:
            loss_problem = losses.draw(seed)
            for failure in losses.examine(loss_problem):
                print(
                    f"! {loss_problem.loss}:{failure.kind}\n{failure.kind}, {failure.detail}\n{loss_problem}",
                    flush=True,
                )
            continue
        problem = draw(seed)
        for failure in examine(problem):
            key = (problem.entry, failure.kind)
            print(f"! {problem.entry}:{failure.kind}", flush=True)
            if key not in seen:
                print(
                    f"\n== {failure.kind} in {problem.entry}, seed {seed}, {sorted(problem.features)}\n{failure.detail}"
                )
                print(snippet(shrink(problem, failure.kind)), flush=True)
            seen.add(key)


def parent(args: argparse.Namespace) -> int:
    """Chunks until the time or the problems are used up; a table of what was found at the end."""
    end, counts, start = monotonic() + 60 * args.minutes, Counter[str](), args.start
    while monotonic() < end and (not args.problems or start < args.start + args.problems):
        size = min(CHUNK, args.start + args.problems - start) if args.problems else CHUNK
        given = [sys.executable, __file__, "--child", "--start", str(start), "--problems", str(size)]
        given += ["--seen", ";".join(counts)]
        given += ["--only-crashes"] if args.only_crashes else []
        given += ["--losses"] if args.losses else []
        counts += follow(given)
        start += size
    print(f"\n{start - args.start} problems from seed {args.start}")
    for key, times in sorted(counts.items()):
        print(f"{times:7d}  {key.replace(':', ': ')}")
    return 1 if counts else 0


def follow(given: list[str]) -> Counter[str]:
    """One child: what it printed but for its marks, and its failures counted; a crash or a hang is one."""
    counts, seed = Counter[str](), "?"
    try:
        done = subprocess.run(given, stdout=subprocess.PIPE, text=True, timeout=CHUNK * SECONDS_A_PROBLEM, check=False)
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        output, code = (error.stdout or b"").decode(), -1
    for line in output.splitlines():
        if line.startswith("@ "):
            seed = line[2:]
        elif line.startswith("! "):
            counts[line[2:]] += 1
        else:
            print(line, flush=True)
    if code:
        print(f"\n== crash or hang (code {code}): draw({seed})", flush=True)
        counts["any:crash or hang"] += 1
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after so long")
    parser.add_argument("--problems", type=int, default=0, help="stop after so many")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--only-crashes", action="store_true", help="say nothing of wrong numbers")
    parser.add_argument("--losses", action="store_true", help="problems of other losses, of losses.py")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seen", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args)
        return 0
    return parent(args)


if __name__ == "__main__":
    sys.exit(main())
