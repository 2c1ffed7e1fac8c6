"""
Why the lasso gives zeros: the diamond and the ball
===================================================

The contours of a loss in two weights, and the level sets of L1, elastic net and L2 through each solution.
"""

import matplotlib.pyplot as plt
import numpy as np

from sparsereg import ElasticNet

# %%
# Two correlated columns, of which the second matters little.

rng = np.random.default_rng(1)
X = rng.normal(size=(200, 2)) @ np.array([[1.0, 0.4], [0.0, 0.9]])
y = X @ [1.0, 0.25] + 0.3 * rng.normal(size=200)
least_squares = np.linalg.lstsq(X, y, rcond=None)[0]
grid = np.linspace(-0.5, 1.5, 201)
W = np.stack(np.meshgrid(grid, grid), axis=-1)
loss = ((W @ X.T - y) ** 2).mean(axis=-1) / 2

# %%
# The contours of the loss touch the diamond of L1 at a corner, where the second weight is exactly 0. The ball of L2 has
# no corners: both weights shrink, and none is 0.

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), sharey=True, layout="constrained")
for ax, ratio, name in zip(axes, (1.0, 0.5, 1e-9), ("L1, the lasso", "elastic net", "L2, ridge"), strict=True):
    w = ElasticNet(alpha=0.4, l1_ratio=ratio, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(X, y).coef_
    penalty = ratio * np.abs(W).sum(axis=-1) + (1 - ratio) / 2 * (W**2).sum(axis=-1)
    level = ratio * np.abs(w).sum() + (1 - ratio) / 2 * (w**2).sum()
    at = ((X @ w - y) ** 2).mean() / 2
    ax.contour(grid, grid, loss, levels=np.sort([at, *np.geomspace(loss.min() * 1.05, loss.max(), 7)]), colors="0.75")
    ax.contour(grid, grid, loss, levels=[at], colors="#1f5fa8")
    ax.contourf(grid, grid, penalty, levels=[0, level], colors=["#d97a1a"], alpha=0.35)
    ax.plot(*least_squares, "+", color="0.3")
    ax.plot(*w, "o", color="#8a4b08")
    ax.axhline(0, color="0.6", linewidth=0.7)
    ax.axvline(0, color="0.6", linewidth=0.7)
    ax.set(title=f"{name}: ({w[0]:.2f}, {w[1]:.2f})", xlabel="first weight", xlim=(-0.5, 1.5), ylim=(-0.5, 1.0))
    ax.set_aspect("equal")
axes[0].set_ylabel("second weight")
plt.show()
