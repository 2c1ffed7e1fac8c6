"""
Why the lasso gives zeros: the diamond and the ball
===================================================

The contours of a loss in two weights, and the level sets of L1, elastic net and L2 through each solution.
"""

import matplotlib.pyplot as plt
import numpy as np
from gallery_tables import king_county

from sparsereg import regularization_path
from sparsereg.plot import PenaltyGeometryDisplay

# %%
# Prices of houses by living area and number of bathrooms, in standard deviations. The two go together, and of two
# houses of one size, that with more bathrooms is hardly dearer.

sales = king_county()
pair = np.log(sales[["sqft_living", "bathrooms"]].clip(0.5).to_numpy())
X = (pair - pair.mean(axis=0)) / pair.std(axis=0)
y = np.log(sales["price"].to_numpy())
print(f"correlation {np.corrcoef(X.T)[0, 1]:.2f}; least squares {np.linalg.lstsq(X, y - y.mean())[0].round(3)}")

# %%
# The contours of the loss touch the diamond of L1 at a corner, where the second weight is exactly 0. The ball of L2 has
# no corners: both weights shrink, and none is 0.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
for ax, ratio, name in zip(axes, (1.0, 0.5, 0.01), ("L1, the lasso", "elastic net", "nearly L2, ridge"), strict=True):
    path = regularization_path(X, y, l1_ratio=ratio, alphas=[0.15], tol=1e-10)
    display = PenaltyGeometryDisplay.from_path(path, X, y, columns=(0, 1)).plot(ax)
    w = path.coef(0).toarray()[0]
    ax.set_title(f"{name}: ({w[0]:.2f}, {w[1]:.2f})")
plt.show()
