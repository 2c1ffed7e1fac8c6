"""From an objective to certified coefficients: working sets, screening, descents. Knows no estimators."""
