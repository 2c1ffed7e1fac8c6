"""Malformed input and damaged files: a ValueError, never a crash, a hang or nonsense accepted."""
