"""The choice of a strength: validation of paths by folds, rules, criteria. Knows no estimators.

| to change or add | where |
| --- | --- |
| how rows are divided into folds | `folds` |
| what is measured on held-out rows | `measures` |
| how a fold is fitted | `fold_fits`; the squared loss on a CSR with shared sums `shared_folds` |
| when a path has gone far enough | `ending` |
| the rule that chooses a point | `rules`; over rows `paired` |
| what comes back | `results` |
| criteria without folds | `criteria` |
| how stable a selection is | `stability` |
"""
