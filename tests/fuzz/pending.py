"""Malformed input that is not refused yet, by its fault of issue 14: patterns of `entry/argument/what is wrong`.

Each is held to account: once no case of it fails any more, `test_malformed.py` asks for it to be taken out.
"""

from __future__ import annotations

import re

PENDING = {
    r"(predict|decision_function|degrees_of_freedom)/X/(index|indices|ends|first end|last end|data|row|sparse)": "D9",
    r"(predict|decision_function|degrees_of_freedom)/X/": "D9, D11",
    r"^\w+/X/(first end|ends|indices|data|row)": "D10",
    r"/(huge int|huge|too huge|too large|an inf) ": "D12",
    r"/callback/": "D12",
    r"/(complex|complex list|dates|spans|date|date list|masked|records) ": "D11",
    r"/alphas?/(text|text list|number in text) ": "D11",
    r"/l1_ratio/tiny ": "D11",
    r"/precompute/": "new: a Gram matrix beside a sparse X is not looked at",
    r"CV/(random_state|cv)/": "new: random_state and folds of RidgeCV",
    r"^FeatureCross/dtype/word": "new: TypeError in NumPy's words",
    r"^(SparsityReport.from_path|save_model)/(path|cross|scores)/": "C7",
    r"^PathResult.predict/k/": "C9",
}
DAMAGED = {
    r"^large": "D13",
}


def known(case: str, table: dict[str, str] = PENDING) -> str | None:
    """The pending fault that a case belongs to, by its pattern."""
    return next((pattern for pattern in table if re.search(pattern, case)), None)
