"""Tables to one-hot columns and their crosses. Knows no solvers.

Reading order: `keys` (integers and their combinations), `column` and `table` (what tables look like), `binning`, `dates` and
`rules` (categories of numbers and dates), `vocabulary` (levels of a field), `layout` (the fitted state), `onehot`, `recipe`,
`fitted`, and the transformer itself in `feature_cross`.
"""
