"""scikit-learn's own tests of linear models with this package's names in place of its own.

`python tests/scikit_learn/their_tests.py` takes the tests of the installed scikit-learn, and fails where one fails that
`judged.txt` does not list, or one passes or is gone that it lists; under another version than that of `judged.txt` it
only says so. Names of test files, then options of pytest, may follow, such as `-n 2`; `--list` prints the failures.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import sklearn

import sparsereg

FILES = (
    "linear_model/tests/test_coordinate_descent.py",
    "linear_model/tests/test_logistic.py",
    "linear_model/tests/test_ridge.py",
    "linear_model/_glm/tests/test_glm.py",
)
JUDGED = Path(__file__).with_name("judged.txt")

# Fixtures of test_glm.py read the loss off the estimator, to minimise it by SciPy: scikit-learn's own estimator has it.
LOSS_OF_SCIKIT_LEARN = """

def _scikit_learns(model):
    import sklearn.linear_model

    own = getattr(sklearn.linear_model, type(model).__name__, None)
    if own is None:
        return model
    return own(**{name: value for name, value in model.get_params().items() if name in own().get_params()})

"""


def with_our_names(source: str) -> str:
    """The source with what it imports from `sklearn.linear_model` taken from here, where there is such a name."""
    lines, last = source.splitlines(), 0
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            last = node.end_lineno or 0
        if not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn.linear_model")):
            continue
        parts = []
        for package in (node.module, "sparsereg"):
            names = [a for a in node.names if (a.name in sparsereg.__all__) == (package == "sparsereg")]
            parts += [f"from {package} import {', '.join(map(ast.unparse, names))}"] if names else []
        lines[node.lineno - 1 : node.end_lineno] = ["; ".join(parts)] + [""] * ((node.end_lineno or 0) - node.lineno)
    changed = re.sub(r"\b(model|glm1)\._get_loss\(\)", r"_scikit_learns(\1)._get_loss()", "\n".join(lines[last:]))
    return "\n".join(lines[:last]) + LOSS_OF_SCIKIT_LEARN + changed + "\n"


OUTCOMES = ("PASSED ", "FAILED ", "ERROR ", "XFAIL ", "XPASS ")


def failures(names: list[str], options: list[str]) -> tuple[set[str], set[str]]:
    """The tests of the named files that failed, and all that ran."""
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            path = Path(folder, Path(name).name)
            path.write_text(with_our_names((Path(sklearn.__file__).parent / name).read_text("utf-8")), "utf-8")
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "sklearn.conftest", "-p", "no:cacheprovider"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), folder])}
        output = subprocess.run(
            [*command, *options, *names], cwd=folder, env=environment, text=True, capture_output=True, check=False
        ).stdout
    print(output.rstrip().splitlines()[-1])
    found = [line.split(" - ")[0].split(" ", 1) for line in output.splitlines() if line.startswith(OUTCOMES)]
    if not found:
        raise SystemExit(output)
    return {test for outcome, test in found if outcome in ("FAILED", "ERROR")}, {test for _, test in found}


def judged() -> tuple[str, set[str]]:
    """The version of scikit-learn, and its tests that are known to fail."""
    title, *lines = JUDGED.read_text("utf-8").splitlines()
    found = re.search(r"scikit-learn (\S+)", title)
    assert found
    return found[1], {line for line in lines if line and not line.startswith("#")}


def main() -> None:
    """Run, compare, report."""
    arguments = [a for a in sys.argv[1:] if a != "--list"]
    known_names = [Path(name).name for name in FILES]
    names = [a for a in arguments if a.endswith(".py")] or known_names
    if other := [name for name in names if name not in known_names]:
        raise SystemExit(
            f"{other[0]} is none of the files whose tests are run; expected some of {', '.join(known_names)}."
        )
    failed, ran = failures(names, [a for a in arguments if not a.endswith(".py")])
    if "--list" in sys.argv:
        print("\n".join(sorted(failed)))
        return
    version, known = judged()
    known = {test for test in known if test.split("::")[0] in names}
    for title, tests in (
        ("fail and are not in judged.txt", failed - known),
        ("are in judged.txt and pass", (known - failed) & ran),
        ("are in judged.txt and are no more", known - ran),
    ):
        if tests:
            print(f"{len(tests)} {title}:", *sorted(tests), sep="\n  ")
    if sklearn.__version__ != version:
        print(f"This is scikit-learn {sklearn.__version__}; judged.txt is of {version}.")
    sys.exit(failed != known and sklearn.__version__ == version)


if __name__ == "__main__":
    main()
