"""Preconditioners for conjugate gradients on the ridge normal equations; `choose` picks one by counting."""
