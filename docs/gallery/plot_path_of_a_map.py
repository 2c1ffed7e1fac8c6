"""
A price by cell of a map
========================

The lasso path of cells of latitude and longitude, and the strength that predicts other rows best.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sparsereg import FeatureCross, Width, regularization_path
from sparsereg.plot import RegularizationPathDisplay, StrengthDisplay, WeightMapDisplay

# %%
# Houses around a centre. North of 37.75 they cost 2 more, and one cell costs another 3. Cells of 1/60 degree are
# columns only where houses are.

rng = np.random.default_rng(0)
n = 20_000
houses = pd.DataFrame({"latitude": rng.normal(37.7, 0.05, n), "longitude": rng.normal(-122.3, 0.05, n)})
cell = np.floor(houses["latitude"] * 60).eq(2262) & np.floor(houses["longitude"] * 60).eq(-7338)
price = 5 + 2 * (houses["latitude"] > 37.75) + 3 * cell + rng.normal(size=n)

minute = Width("1/60")
cross = FeatureCross(bins={"latitude": minute, "longitude": minute}, crosses=[("latitude", "longitude")])
train, test = slice(0, 15_000), slice(15_000, n)
X = cross.fit_transform(houses[train])
path = regularization_path(X, price[train].to_numpy(), eps=1e-3)
print(path)

# %%
# Held-out errors fall as columns enter, turn, and rise again where the columns fit noise.

held_out, prices = cross.transform(houses[test]), price[test].to_numpy()
errors = [np.mean((prices - path.predict(held_out, k)) ** 2) for k in range(path.alphas.size)]
best = int(np.argmin(errors))
StrengthDisplay.from_path(path, held_out, prices).plot()
plt.show()

# %%
# The weights along the path; names are those with the most influence.

RegularizationPathDisplay.from_path(path, cross, best).plot()
plt.show()

# %%
# The sum of all weights by cell: the north is dear, and so is one cell.

WeightMapDisplay.from_path(path, cross, best).plot()
plt.show()

# %%
# The heaviest cells at that point: the one that costs 3 more is found.

columns, weights = path.point(best)
order = np.argsort(-np.abs(weights))[:5]
for name, weight in zip(cross.feature_names(columns[order]), weights[order], strict=True):
    print(f"{weight:6.2f}  {name}")
