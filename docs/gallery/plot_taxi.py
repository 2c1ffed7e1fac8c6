"""
Taxis: where is the information?
================================

How long a trip takes, by zones and hour. Which fields and crosses carry the prediction, and which columns are worth
quoting.
"""

import matplotlib.pyplot as plt
import numpy as np
from gallery_tables import taxi

from sparsereg import FeatureCross, SparsityReport, regularization_path
from sparsereg.plot import BlockSurvivalDisplay, ColumnsDisplay

# %%
# A month of green taxis in New York. The two zones alone know little; their pair knows the distance.

trips = taxi()
minutes = np.log(trips["minutes"].to_numpy())
cross = FeatureCross(
    fields=["PULocationID", "DOLocationID", "hour"],
    crosses=[("PULocationID", "DOLocationID"), ("PULocationID", "hour")],
)
held = np.random.default_rng(0).random(len(trips)) < 0.2
X, X_held = cross.fit_transform(trips[~held]), cross.transform(trips[held])
path = regularization_path(X, minutes[~held], eps=2e-3)
report = SparsityReport.from_path(
    path, cross, X=X, y=minutes[~held], X_val=X_held, y_val=minutes[held], target="log minutes",
    labels={"PULocationID": "from", "DOLocationID": "to"},
)  # fmt: skip
print(report.verdict)

# %%
BlockSurvivalDisplay.from_report(report).plot()
plt.show()

# %%
# Ranked by influence: the weight times the standard deviation of the column. The rows behind each are in its label.

ColumnsDisplay.from_report(report, top=12).plot()
plt.show()
