"""
King County: does a cross pay?
==============================

Prices of houses around Seattle: a model with a cross of place and grade and one without, on sales that neither was
fitted on.
"""

import matplotlib.pyplot as plt
import numpy as np
from gallery_tables import king_county
from sklearn.pipeline import make_pipeline

from sparsereg import ComparisonDisplay, FeatureCross, LassoCV, ModelComparison, Quantiles

# %%
# Both choose their strength by cross-validation.

sales = king_county()
price = np.log(sales["price"].to_numpy())
held = np.random.default_rng(0).random(len(sales)) < 0.2


def model(crosses):
    fields = ["zipcode", "grade", "sqft_living", "bathrooms"]
    bins = {"sqft_living": Quantiles(30), "bathrooms": Quantiles(8)}
    return make_pipeline(FeatureCross(fields=fields, bins=bins, crosses=crosses), LassoCV(eps=1e-3, alphas=60))


plain = model([]).fit(sales[~held], price[~held])
crossed = model([("zipcode", "grade"), ("zipcode", "sqft_living")]).fit(sales[~held], price[~held])

# %%
# The difference has a standard error over the same rows, so that the verdict does not follow noise.

comparison = ModelComparison.from_models({"plain": plain, "crossed": crossed}, sales[held], price[held])
print(comparison.to_text())

# %%
ComparisonDisplay.from_comparison(comparison).plot()
plt.show()
