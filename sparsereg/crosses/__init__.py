"""Tables to one-hot columns and their crosses. Knows no solvers.

Reading order: `keys` (integers and their combinations), `ragged` (rows with several codes), `lists`, `column`, `reading` and `table`
(what tables look like), `binning`, `dates`, `split` and `rules` (categories of numbers, dates and texts), `vocabulary` (levels of a field),
`block` and `layout` (the fitted state), `hashing`, `onehot`, `recipe`, `fitting`, `plan`, `fitted`, `portable`, and the
transformer itself in `feature_cross`.
"""
