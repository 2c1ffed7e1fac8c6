"""Penalties, one file each. They see coefficients only."""
