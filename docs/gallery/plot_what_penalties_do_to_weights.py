"""
What penalties do to weights
============================

Histograms of a thousand weights without a penalty, with ridge, elastic net and the lasso.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sparsereg import ElasticNet, FeatureCross, Lasso, Ridge
from sparsereg.plot import WeightHistogramDisplay

# %%
# 300 shops and 50 articles; 60 of the pairs sell more or less than shop and article say.

rng = np.random.default_rng(0)
n = 40_000
table = pd.DataFrame({"shop": rng.integers(0, 300, n), "article": rng.zipf(1.5, n) % 50})
pair = table["shop"] * 50 + table["article"]
special = dict(zip(rng.choice(np.unique(pair), 60, replace=False), rng.normal(0, 3, 60), strict=True))
sales = pair.map(special).fillna(0) + table["article"] / 50 + rng.normal(size=n)
X = FeatureCross(crosses=[("shop", "article")]).fit_transform(table)

# %%
# Without a penalty (here: nearly without) each rare pair follows its noise. Ridge shrinks all weights and sets none to
# 0; the lasso leaves few, and elastic net lies between. A bar counts the exact zeros.

models = {
    "nearly no penalty": Ridge(alpha=1e-2),
    "ridge": Ridge(alpha=10.0),
    "elastic net": ElasticNet(alpha=6e-4, l1_ratio=0.5),
    "lasso": Lasso(alpha=4e-4),
}
fitted = {name: model.fit(X, sales) for name, model in models.items()}
WeightHistogramDisplay.from_estimators(fitted).plot()
plt.show()
