"""Matrices as they were handed in: checked, borrowed, counted, split among threads. Knows no targets, losses or penalties."""
