"""
Flights: which columns are proved zero
======================================

Delays of flights from New York. The duality gap of each point against what was asked for, and how many columns are
proved zero at two tolerances.
"""

import matplotlib.pyplot as plt
import numpy as np
from gallery_tables import flights

from sparsereg import FeatureCross, regularization_path
from sparsereg.plot import CertificateDisplay

# %%
# A third of the flights of 2013, with crosses of routes, carriers and aircraft: mostly of few flights each.

table = flights()
table = table[np.random.default_rng(0).random(len(table)) < 1 / 3]
cross = FeatureCross(
    fields=["carrier", "origin", "dest", "month", "hour", "tailnum"],
    crosses=[("carrier", "dest"), ("origin", "hour"), ("month", "hour"), ("tailnum", "dest")],
)
X, delay = cross.fit_transform(table), table["arr_delay"].to_numpy(dtype=float)
print(f"{X.shape[0]:,} flights, {X.shape[1]:,} observed columns")

# %%
# A column is proved zero if no optimal solution can use it: its product with the residual stays below alpha, whatever
# the gap leaves open. At the default tolerance many columns stay undecided.

coarse = regularization_path(X, delay, tol=1e-4, alphas=40, eps=5e-3)
CertificateDisplay.from_path(coarse, X, delay).plot()
plt.show()

# %%
# A smaller tolerance decides nearly all of them.

fine = regularization_path(X, delay, tol=1e-8, alphas=40, eps=5e-3)
CertificateDisplay.from_path(fine, X, delay).plot()
plt.show()
