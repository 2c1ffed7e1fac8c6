"""Random problems over all entry points, against an independent oracle in long double."""
