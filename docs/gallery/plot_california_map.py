"""
California: the value of a house by cell of a map
=================================================

The lasso path of cells of latitude and longitude, and the strength that predicts other districts best.
"""

import matplotlib.pyplot as plt
import numpy as np
from gallery_tables import california

from sparsereg import FeatureCross, Quantiles, Width, regularization_path
from sparsereg.plot import RegularizationPathDisplay, StrengthDisplay, WeightMapDisplay

# %%
# Districts of the census of 1990, in cells of a twelfth of a degree. Only cells with houses are columns.

houses = california()
value = np.log(houses["median_house_value"].to_numpy())
cell = Width("1/12")
cross = FeatureCross(
    fields=["latitude", "longitude", "median_income", "ocean_proximity"],
    bins={"latitude": cell, "longitude": cell, "median_income": Quantiles(20)},
    crosses=[("latitude", "longitude"), ("ocean_proximity", "median_income")],
)
held = np.random.default_rng(0).random(len(houses)) < 0.2
X, X_held = cross.fit_transform(houses[~held]), cross.transform(houses[held])
path = regularization_path(X, value[~held], eps=2e-4, alphas=80)
print(path)

# %%
# The training score always rises. The held-out one says where to stop, and the dashed line where it is as good.

StrengthDisplay.from_path(path, X_held, value[held]).plot()
plt.show()

# %%
# The weights along the path; names are those with the most influence.

errors = [np.mean((value[held] - path.predict(X_held, k)) ** 2) for k in range(path.alphas.size)]
best = int(np.argmin(errors))
RegularizationPathDisplay.from_path(path, cross, best).plot()
plt.show()

# %%
# What latitude, longitude and their cells add up to: the coast around Los Angeles and San Francisco is dear.

WeightMapDisplay.from_path(path, cross, best).plot()
plt.show()
