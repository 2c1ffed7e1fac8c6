"""Losses, one file each. They see rows only: targets, predictors and weights."""
