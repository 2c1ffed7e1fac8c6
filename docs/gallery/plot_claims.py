"""
Motor claims: rates, and whether they mean what they say
========================================================

The number of claims of French motor policies: a Poisson lasso with the years insured as exposure.
"""

import matplotlib.pyplot as plt
import numpy as np
from gallery_tables import claims

from sparsereg import FeatureCross, SparsityReport, regularization_path
from sparsereg.plot import CalibrationByStrengthDisplay, StrengthDisplay

# %%
# 150,000 policies. The logarithm of the exposure is an offset, so that rates a year are fitted.

policies = claims()
policies = policies[np.random.default_rng(0).random(len(policies)) < 150_000 / len(policies)]
count, offset = policies["ClaimNb"].to_numpy(dtype=float), np.log(policies["Exposure"].to_numpy())
cross = FeatureCross(
    fields=["DrivAge", "BonusMalus", "VehAge", "VehPower", "VehBrand", "Region"],
    crosses=[("VehAge", "VehBrand"), ("DrivAge", "BonusMalus")],
    min_count=20,
)
held = np.random.default_rng(1).random(len(policies)) < 0.3
X, X_held = cross.fit_transform(policies[~held]), cross.transform(policies[held])
path = regularization_path(X, count[~held], loss="poisson", offset=offset[~held], eps=2e-3, alphas=60)
report = SparsityReport.from_path(
    path, cross, X=X, y=count[~held], offset=offset[~held], X_val=X_held, y_val=count[held], offset_val=offset[held],
    target="claims",
)  # fmt: skip
print(report.verdict)

# %%
# The deviance explained is small: a claim is mostly chance. What counts is where held-out policies stop gaining.

StrengthDisplay.from_path(path, X_held, count[held], offset_val=offset[held]).plot()
plt.show()

# %%
# In tenths of the policies by their predicted rate: too strong a penalty gives nearly the same rate to all, too weak a
# one exaggerates.

CalibrationByStrengthDisplay.from_report(report).plot()
plt.show()
