"""
A report, live
==============

The whole report on a fit, as a notebook shows it and as ``save_html`` writes it: one page, no script.
"""

import numpy as np
from gallery_tables import king_county

from sparsereg import FeatureCross, Quantiles, Ridge, SparsityReport, Width, regularization_path

# %%
# Sales of houses around Seattle: place in cells of two minutes, grade, size and age.

sales = king_county()
price = np.log(sales["price"].to_numpy())
bins = {"sqft_living": Quantiles(30)}
fields = ["zipcode", "grade", "sqft_living"]
if "lat" in sales:
    bins |= {"lat": Width("1/30"), "long": Width("1/30"), "yr_built": Width(10)}
    fields += ["lat", "long", "yr_built", "view"]
crosses = [("zipcode", "grade"), *([("lat", "long")] if "lat" in sales else [])]
cross = FeatureCross(fields=fields, bins=bins, crosses=crosses)
held = np.random.default_rng(0).random(len(sales)) < 0.2
X, X_held = cross.fit_transform(sales[~held]), cross.transform(sales[held])
path = regularization_path(X, price[~held], eps=1e-4, tol=1e-7)

# %%
# Ridge is set beside the lasso, to see what each does to the weights and which predicts more.

SparsityReport.from_path(
    path, cross, X=X, y=price[~held], X_val=X_held, y_val=price[held], title="House prices in King County",
    target="the log price", references={"ridge": Ridge(alpha=1.0).fit(X, price[~held])},
    labels={"sqft_living": "living area", "long": "longitude", "lat": "latitude", "yr_built": "built"},
)  # fmt: skip
# sphinx_gallery_thumbnail_path = "images/report.png"
