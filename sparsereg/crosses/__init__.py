"""Tables to one-hot columns of fields and of their crosses. Does not depend on solvers.

Reading order: `keys` and `ragged` (integer codes), `column`, `reading` and `table` (input), `binning`, `dates`, `split`
and `rules` (categories of numbers, dates and texts), `vocabulary` (levels of a field), `block` and `layout` (fitted
state), `specification` (checked parameters), `encoding` (fit and transform), `onehot` (the matrix), `hashing`, `plan`,
`fitted`, `portable` and `stored` (files), `advice` (warnings), `feature_cross` (the transformer).

| to add | write | and add one line to |
| --- | --- | --- |
| a bin rule | a subclass of `Bins` with a `name`, in `binning` | `RULES` in `rules`, `sparsereg/__init__.py` |
| a part of a date | a branch of `DatePart.index` in `dates` | `_CELLS` in `dates` |
| a rule with several levels in a row | as `Split`, in `split` | `RULES` in `rules`; `Levels` in `vocabulary` |
| a kind of field | a branch of `read_column` in `reading` | `Kind` in `column`; `Levels.fit` and `Levels.encode` |
| a table library | nothing if narwhals reads it | `_codes` in `reading` if it stores codes of its strings |
"""
