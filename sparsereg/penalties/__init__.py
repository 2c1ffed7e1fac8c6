"""Penalties, one file each. They see coefficients only.

`PENALTIES` is the one list of them. Those with a C kernel have their formulas in `src_c/sr_penalty.h` too.
"""

from sparsereg.penalties.base import GapTerms, Penalty
from sparsereg.penalties.elastic_net import ElasticNetPenalty, NonnegativeElasticNetPenalty

__all__ = ["PENALTIES", "GapTerms", "Penalty"]

PENALTIES: dict[str, type[Penalty]] = {
    penalty.name: penalty for penalty in (ElasticNetPenalty, NonnegativeElasticNetPenalty)
}
