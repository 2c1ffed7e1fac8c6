"""
Retail: what penalties do to weights
====================================

How much of an article a customer orders. Histograms of the weights nearly without a penalty, with ridge, elastic net
and the lasso.
"""

import matplotlib.pyplot as plt
import numpy as np
from gallery_tables import retail

from sparsereg import ElasticNet, FeatureCross, Lasso, Ridge
from sparsereg.plot import WeightHistogramDisplay

# %%
# A quarter of the lines of a year of invoices. Few heavy lines hold nearly all of the sum of squares of the quantity,
# so its logarithm is fitted. Customers, articles, and their pairs are columns where they occur.

lines = retail()
lines = lines[np.random.default_rng(0).random(len(lines)) < 1 / 4]
quantity = np.log(lines["Quantity"].to_numpy(dtype=float))
fields = lines[["CustomerID", "StockCode", "Country"]].astype({"CustomerID": "string", "StockCode": "string"})
cross = FeatureCross(crosses=[("CustomerID", "StockCode"), ("Country", "StockCode")])
held = np.random.default_rng(1).random(len(lines)) < 0.2
X, X_held = cross.fit_transform(fields[~held]), cross.transform(fields[held])
print(f"{X.shape[0]:,} lines, {X.shape[1]:,} observed columns")

# %%
# Without a penalty (here: nearly without) each rare pair follows its noise. Ridge shrinks all weights and sets none to
# 0; the lasso leaves few, and elastic net lies between. A bar counts the exact zeros.

models = {
    "nearly no penalty": Ridge(alpha=1e-2),
    "ridge": Ridge(alpha=1.0),
    "elastic net": ElasticNet(alpha=2e-5, l1_ratio=0.5),
    "lasso": Lasso(alpha=1e-5),
}
fitted = {name: model.fit(X, quantity[~held]) for name, model in models.items()}
WeightHistogramDisplay.from_estimators(fitted).plot()
plt.show()

# %%
# What it does to predictions of other lines:

for name, model in fitted.items():
    print(f"{name:20} R2 {model.score(X_held, quantity[held]):6.3f}, {model.sparse_coef_.nnz:7,} columns")
