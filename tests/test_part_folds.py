"""Cross-validation over rows in parts: the losses are those of the same folds in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from blind_problems import differing
from test_partitioned import data, part_of
from test_partitioned_losses import targets

from sparsereg import cross_validate_path, regularization_path
from sparsereg.rows.disk import ThreadEngine
from sparsereg.rows.part_folds import FoldRows, FoldRule
from sparsereg.rows.partitioned import PartitionedRows

OPTIONS = {"alphas": 5, "eps": 0.05, "tol": 1e-8}


def in_parts(X, y, s, n_parts: int) -> tuple[PartitionedRows, list[np.ndarray]]:
    pieces = np.array_split(np.arange(y.size), n_parts)
    parts = [replace(part_of(X, y, s, rows), number=number) for number, rows in enumerate(pieces)]
    return PartitionedRows(parts, ThreadEngine(), X.shape[1], center=9.5), pieces


@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson", "huber"])
@pytest.mark.parametrize("by_parts", [True, False])
def test_losses_are_those_of_the_same_folds_in_memory(loss, by_parts):
    X, y, s = data(weighted=by_parts)
    y = y if loss == "squared" else targets(loss, y)
    rows, pieces = in_parts(X, y, s, 4)
    options = OPTIONS if loss != "huber" else OPTIONS | {"tol": 1e-5, "alphas": 4}
    if by_parts:
        cv, held = [[0, 2], [3]], [np.concatenate([pieces[0], pieces[2]]), pieces[3]]
    else:
        cv, rule = 3, FoldRule(3)
        held = [
            np.concatenate([at[rule.divided(part, f).held > 0.0] for at, part in zip(pieces, rows.parts, strict=True)])
            for f in range(3)
        ]
        assert np.array_equal(np.sort(np.concatenate(held)), np.arange(y.size))
    found = cross_validate_path(rows, loss=loss, cv=cv, keep_fold_paths=True, **options)
    folds = [(np.setdiff1d(np.arange(y.size), test), test) for test in held]
    wanted = cross_validate_path(X, y, loss=loss, sample_weight=s, cv=folds, keep_fold_paths=True, **options)
    np.testing.assert_allclose(found.path.alphas, wanted.path.alphas, rtol=1e-9)
    rtol = 1e-3 if loss != "huber" else 1e-2
    np.testing.assert_allclose(found.chosen.fold_losses, wanted.chosen.fold_losses, rtol=rtol)
    for one, other in zip(found.chosen.fold_paths, wanted.chosen.fold_paths, strict=True):
        np.testing.assert_allclose(one.deviance_explained, other.deviance_explained, atol=1e-3)
        assert one.certified.all()


@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
@pytest.mark.parametrize("by_parts", [True, False])
@pytest.mark.parametrize("options", [{}, {"standardize": True, "l1_ratio": 0.5, "fit_intercept": False}], ids=str)
def test_no_fold_sees_the_targets_that_it_holds_out(loss, by_parts, options):
    """Its path stays the same to the last digit when they are changed."""
    X, y, s = data(weighted=by_parts)
    y = y if loss == "squared" else targets(loss, y)
    rows, pieces = in_parts(X, y, s, 4)
    cv, rule = ([[0, 2], [3]], FoldRule(2, ((0, 2), (3,)))) if by_parts else (3, FoldRule(3))
    held = [at[rule.divided(part, 0).held > 0.0] for at, part in zip(pieces, rows.parts, strict=True)]
    changed = y.copy()
    for at in held:
        changed[at] = y[at][::-1] if loss in ("logistic", "poisson") else 30.0 - 2.0 * y[at]
    assert not np.array_equal(changed, y)
    asked = {"loss": loss, "cv": cv, "alphas": [0.05, 0.02, 0.01], "tol": 1e-4, "keep_fold_paths": True, **options}
    one, other = (cross_validate_path(in_parts(X, by, s, 4)[0], **asked).chosen.fold_paths[0] for by in (y, changed))
    assert one.n_nonzero[-1] > 0
    assert differing(one, other) == []


def test_questions_to_a_fold_are_those_to_its_rows_alone():
    X, y, s = data(weighted=True)
    rows, pieces = in_parts(X, y, s, 3)
    rule = FoldRule(2, ((1,), (0, 2)))
    for fold, held in enumerate(([1], [0, 2])):
        for held_out in (False, True):
            chosen = [k for k in range(3) if (k in held) == held_out]
            at = np.concatenate([pieces[k] for k in chosen])
            of_fold = FoldRows(rows, rule, fold, held_out)
            alone = PartitionedRows([part_of(X, y, s, at)], ThreadEngine(), X.shape[1], center=9.5)
            assert of_fold.weight_sum == pytest.approx(alone.weight_sum)
            np.testing.assert_allclose(of_fold.gradients(None, 0.3), alone.gradients(None, 0.3), atol=1e-9)
            assert of_fold.about(1.0).center == 1.0
            np.testing.assert_allclose(of_fold.about(1.0).gradients(None, 0.0), alone.about(1.0).gradients(None, 0.0))


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_automatic_end_takes_at_most_two_rounds_a_point(loss):
    """Of each path; held-out losses of squares are a round a point of their own."""
    X, y, _ = data(weighted=False)
    y = y if loss == "squared" else targets(loss, y)
    rows, _ = in_parts(X, y, None, 4)
    counts = []

    class Counting(FoldRows):
        def ask(self, question):
            counts.append(question)
            return super().ask(question)

    from sparsereg.selection import rows_folds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_folds, "FoldRows", Counting)
        found = cross_validate_path(rows, loss=loss, cv=[[1]], eps="auto", alphas=100)
    n = found.path.alphas.size
    assert found.chosen.stopped == "turned"
    assert n < 240
    assert rows.n_rounds <= 2 * n
    assert len(counts) <= 2 * n


def test_a_screen_that_leaves_columns_out_ends_an_automatic_path():
    X, y, _ = data(weighted=False)
    rows, _ = in_parts(X, y, None, 4)
    alphas = regularization_path(rows, alphas=2).alphas
    rows.eliminated_length = int(0.3 * alphas[0] * rows.n_rows / np.abs(y - y.mean()).max())
    found = cross_validate_path(rows, cv=[[1]], eps="auto", alphas=30)
    assert found.chosen.stopped == "screen"
    assert 2 < found.path.alphas.size < 30
    with pytest.raises(ValueError, match="static screen"):
        cross_validate_path(rows, cv=[[1]], alphas=30)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cv": [[9]]}, "numbers of the parts"),
        ({"cv": "many"}, "numbers of the parts"),
        ({"cv": 1}, "cv=1"),
        ({"cv": [[0, 1, 2, 3]]}, "no training rows"),
        ({"cv": [[]]}, "no held-out rows"),
        ({"scoring": "r2"}, "scoring was passed"),
        ({"y": np.ones(900)}, "y was passed"),
    ],
)
def test_wrong_calls_say_why(options, message):
    X, y, _ = data(weighted=False)
    rows, _ = in_parts(X, y, None, 4)
    with pytest.raises(ValueError, match=message):
        cross_validate_path(rows, **options)
