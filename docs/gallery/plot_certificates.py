"""
Certificates along a path
=========================

The duality gap of each point against what was asked for, and how many columns are proved zero at two tolerances.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sparsereg import FeatureCross, regularization_path
from sparsereg.plot import CertificateDisplay

# %%
# A thousand observed combinations, few of which matter.

rng = np.random.default_rng(0)
n = 10_000
table = pd.DataFrame({"a": rng.integers(0, 60, n), "b": rng.integers(0, 40, n)})
y = 2.0 * (table["a"] == 3) + 3.0 * ((table["a"] < 5) & (table["b"] == 7)) + rng.normal(size=n)
X = FeatureCross(crosses=[("a", "b")]).fit_transform(table)

# %%
# A column is proved zero if no optimal solution can use it: its product with the residual stays below alpha, whatever
# the gap leaves open. At the default tolerance some columns stay undecided.

coarse = regularization_path(X, y.to_numpy(), tol=1e-4, alphas=60)
CertificateDisplay.from_path(coarse, X, y.to_numpy()).plot()
plt.show()

# %%
# A smaller tolerance decides nearly all of them, and costs little more.

fine = regularization_path(X, y.to_numpy(), tol=1e-8, alphas=60)
CertificateDisplay.from_path(fine, X, y.to_numpy()).plot()
plt.show()
