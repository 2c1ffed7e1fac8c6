"""
Comparing two models
====================

A model with crosses and one without, on rows that neither was fitted on.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

from sparsereg import ComparisonDisplay, FeatureCross, Lasso, ModelComparison

# %%
# Flights are late by carrier and hour; one carrier is late in the evening.

rng = np.random.default_rng(0)
n = 12_000
flights = pd.DataFrame({"carrier": rng.choice(list("ABCDEF"), n), "hour": rng.integers(5, 24, n)})
evening = (flights["carrier"] == "D") & (flights["hour"] > 18)
delay = 0.8 * flights["hour"] + 12.0 * evening + 20 * rng.normal(size=n)

old, new = slice(0, 8000), slice(8000, n)
plain = make_pipeline(FeatureCross(), Lasso(0.05)).fit(flights[old], delay[old])
crossed = make_pipeline(FeatureCross(crosses=[("carrier", "hour")]), Lasso(0.05)).fit(flights[old], delay[old])

# %%
# The difference has a standard error over the same rows, so that the verdict does not follow noise.

comparison = ModelComparison.from_models({"plain": plain, "crossed": crossed}, flights[new], delay[new])
print(comparison.to_text())

# %%
ComparisonDisplay.from_comparison(comparison).plot()
plt.show()
