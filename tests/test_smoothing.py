"""Label smoothing: both conventions, the map between them, and targets of classifiers."""

from __future__ import annotations

import numpy as np
import pytest

from sparsereg.linear_model.class_targets import ClassTargets, two_whole_numbers
from sparsereg.losses.smoothing import mixture_share, right_class_share, smooth_labels


@pytest.mark.parametrize("K", [2, 3, 10])
@pytest.mark.parametrize("eps", [0.0, 0.05, 0.3])
def test_the_two_conventions_are_one_at_mapped_shares(K, eps):
    Y = np.eye(K)
    right = smooth_labels(Y, eps, convention="right_class")
    np.testing.assert_allclose(np.diag(right), 1.0 - eps)
    np.testing.assert_allclose(right[0, 1:], eps / (K - 1))
    np.testing.assert_allclose(right, smooth_labels(Y, mixture_share(eps, K)), atol=1e-15)
    assert right_class_share(mixture_share(eps, K), K) == pytest.approx(eps, abs=1e-15)


def test_mixing_with_a_prior_keeps_the_weighted_frequencies():
    Y, s = np.eye(3)[[0, 0, 1, 2, 2, 2]], np.array([1.0, 2, 1, 3, 1, 1])
    smooth = smooth_labels(Y, 0.4, "prior", sample_weight=s)
    np.testing.assert_allclose(s @ smooth, s @ Y)
    np.testing.assert_allclose(smooth.sum(axis=1), 1.0)
    np.testing.assert_allclose(smooth_labels(Y, 0.4, [0.5, 0.5, 0.0])[0], [0.8, 0.2, 0.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"eps": 1.5}, "eps=1.5"),
        ({"eps": 0.1, "to": [0.5, 0.6]}, "sum to 1"),
        ({"eps": 0.1, "to": "priors"}, "to='priors'"),
        ({"eps": 0.1, "to": "prior", "convention": "right_class"}, "no other distribution"),
        ({"eps": 0.6, "convention": "right_class"}, "at most 0.5"),
        ({"eps": 0.1, "convention": "mix"}, "convention='mix'"),
    ],
)
def test_what_is_no_smoothing_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        smooth_labels(np.eye(2), **arguments)


def test_class_weights_of_probabilities_are_those_of_split_rows():
    """A row of probabilities is K rows of labels with these weights."""
    Y, s, c = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]]), np.array([1.0, 2.0, 3.0]), {0: 2.0, 1: 0.5}
    soft, weights = ClassTargets.of(Y).weighted(c, s)
    np.testing.assert_allclose(weights[:, None] * soft.Y, s[:, None] * Y * [2.0, 0.5])
    labels = ClassTargets.of(np.repeat([0, 1], 3))
    _, balanced = labels.weighted("balanced", (s[:, None] * Y).T.ravel())
    soft, weights = ClassTargets.of(Y).weighted("balanced", s)
    np.testing.assert_allclose((weights[:, None] * soft.Y).T.ravel(), balanced)


@pytest.mark.parametrize(
    "y",
    [
        np.array([1, 0, 1], dtype=np.uint8),
        np.array([True, False, False]),
        np.array([-3, 7, 7]),
        np.array([2.0, 0.0, -0.0], dtype=np.float32),
        np.array([0.0, 1.0, 2.0, 1.0]),
        np.array(["b", "a"]),
    ],
    ids=str,
)
def test_labels_and_codes_are_those_of_unique(y):
    found, (labels, codes) = ClassTargets.of(y), np.unique(y, return_inverse=True)
    assert found.classes.dtype == labels.dtype
    assert found.codes is not None
    np.testing.assert_array_equal(found.classes, labels)
    np.testing.assert_array_equal(found.codes, codes.ravel())


@pytest.mark.parametrize(("y", "message"), [([0.5, 1.0], "continuous"), ([3, 3], "only one class")])
def test_numbers_that_are_no_labels(y, message):
    with pytest.raises(ValueError, match=message):
        ClassTargets.of(np.array(y))
    assert two_whole_numbers(np.array(y)) is None


def test_numbers_that_are_not_finite_are_no_labels():
    assert two_whole_numbers(np.array([np.nan, 1.0])) is None
    assert two_whole_numbers(np.array([np.inf, 1.0])) is None
