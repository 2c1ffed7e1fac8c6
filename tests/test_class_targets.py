"""Labels as targets of classifiers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import LogisticRegression
from sparsereg.linear_model.class_targets import ClassTargets


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_targets_of_0_and_1_are_read_as_they_are(l1_ratio):
    rng = np.random.default_rng(0)
    X, y = sp.csr_array((rng.random((60, 9)) < 0.3).astype(float)), (np.arange(60) % 3 == 0).astype(np.float64)
    target, before = ClassTargets.of(y).target(), y.copy()
    assert np.shares_memory(target, y)
    assert not target.flags.writeable
    found, of_labels = (LogisticRegression(l1_ratio=l1_ratio).fit(X, labels) for labels in (y, np.where(y > 0, 7, 3)))
    np.testing.assert_array_equal(y, before)
    np.testing.assert_array_equal(found.coef_, of_labels.coef_)


@pytest.mark.parametrize("labels", [np.tile([0.0, 2.0], 4), np.tile([0, 1], 4), np.tile([0.0, 0.0, 1.0, 1.0], 4)[::2]])
def test_other_labels_are_converted(labels):
    target = ClassTargets.of(labels).target()
    assert target.dtype == np.float64
    assert not np.shares_memory(target, labels)
    np.testing.assert_array_equal(target, labels == labels.max())
