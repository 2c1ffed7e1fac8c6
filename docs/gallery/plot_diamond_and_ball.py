"""
Why the lasso gives zeros: the diamond and the ball
===================================================

The contours of a loss in two weights, and the level sets of L1, elastic net and L2 through each solution.
"""

import matplotlib.pyplot as plt
import numpy as np

from sparsereg import regularization_path
from sparsereg.plot import PenaltyGeometryDisplay

# %%
# Two correlated columns, of which the second matters little.

rng = np.random.default_rng(1)
X = rng.normal(size=(200, 2)) @ np.array([[1.0, 0.4], [0.0, 0.9]])
y = X @ [1.0, 0.25] + 0.3 * rng.normal(size=200)

# %%
# The contours of the loss touch the diamond of L1 at a corner, where the second weight is exactly 0. The ball of L2 has
# no corners: both weights shrink, and none is 0.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
for ax, ratio, name in zip(axes, (1.0, 0.5, 0.01), ("L1, the lasso", "elastic net", "nearly L2, ridge"), strict=True):
    path = regularization_path(X, y, l1_ratio=ratio, alphas=[0.4], tol=1e-10)
    display = PenaltyGeometryDisplay.from_path(path, X, y, columns=(0, 1)).plot(ax)
    w = path.coef(0).toarray()[0]
    ax.set_title(f"{name}: ({w[0]:.2f}, {w[1]:.2f})")
plt.show()
