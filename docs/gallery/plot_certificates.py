"""
Certificates along a path
=========================

The duality gap of each point against what was asked for, and how many columns are proved zero at two tolerances.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sparsereg import FeatureCross, regularization_path

# %%
# A thousand observed combinations, few of which matter.

rng = np.random.default_rng(0)
n = 10_000
table = pd.DataFrame({"a": rng.integers(0, 60, n), "b": rng.integers(0, 40, n)})
y = 2.0 * (table["a"] == 3) + 3.0 * ((table["a"] < 5) & (table["b"] == 7)) + rng.normal(size=n)
X = FeatureCross(crosses=[("a", "b")]).fit_transform(table).tocsc()

# %%
# A column is proved zero if no optimal solution can use it: its product with the residual stays below alpha, whatever
# the gap leaves open. A smaller tolerance decides more columns.

lengths = np.sqrt(np.diff(X.indptr) / n)
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
for tol, color in ((1e-4, "#d97a1a"), (1e-8, "#1f5fa8")):
    path = regularization_path(X, y.to_numpy(), tol=tol, alphas=60)
    axes[0].plot(path.alphas, path.dual_gaps / path.gap_scale, ".", color=color, label=f"tol={tol:g}")
    axes[0].axhline(tol, color=color, linewidth=0.8)
    undecided = []
    for k, alpha in enumerate(path.alphas):
        residual = y - path.predict(X, k)
        bound = np.abs(X.T @ (residual - residual.mean())) / n + lengths * np.sqrt(2 * path.dual_gaps[k])
        undecided.append(int((bound >= alpha).sum()) - int(path.n_nonzero[k]))
    axes[1].plot(path.alphas, undecided, color=color, label=f"tol={tol:g}")
axes[0].set(xscale="log", yscale="log", xlabel="alpha", title="duality gap, as a share of the variance")
axes[1].set(xscale="log", xlabel="alpha", title=f"undecided of {X.shape[1]:,} columns")
for ax in axes:
    ax.invert_xaxis()
    ax.legend(frameon=False)
plt.show()
