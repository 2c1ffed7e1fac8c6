/* Penalty formulas, one coordinate at a time. Knows nothing of X or of losses.
 *
 * A penalty is `l1 g(b) + l2/2 b^2` with a gauge g (see sparsereg/penalties/base.py), and two functions here:
 *   minimiser       argmin_b  a/2 b^2 - c b + pen(b), the exact one-dimensional solution
 *   dual_magnitude  pen holds b at 0 while dual_magnitude(c) <= l1, c the negative gradient of the loss
 */
#ifndef SR_PENALTY_H
#define SR_PENALTY_H

#include <math.h>

#include "sr_registry.h"

/* elastic_net: l1 |b| + l2/2 b^2 */
static inline double sr_dual_magnitude_elastic_net(double c) { return fabs(c); }
static inline double sr_minimiser_elastic_net(double a, double c, double l1, double l2) {
    const double over = fabs(c) - l1;
    return over > 0.0 && a + l2 > 0.0 ? copysign(over / (a + l2), c) : 0.0;
}

/* elastic_net_nonneg: the same where b >= 0, infinite below */
static inline double sr_dual_magnitude_elastic_net_nonneg(double c) { return c; }
static inline double sr_minimiser_elastic_net_nonneg(double a, double c, double l1, double l2) {
    return c > l1 && a + l2 > 0.0 ? (c - l1) / (a + l2) : 0.0;
}

static inline double sr_dual_magnitude(sr_penalty pen, double c) {
    switch (pen) {
#define SR_CASE(name) case SR_PENALTY_##name: return sr_dual_magnitude_##name(c);
        SR_FOR_EACH_PENALTY(SR_CASE)
#undef SR_CASE
        case SR_N_PENALTIES: break; /* not covered: no penalty; -Wswitch-enum wants every value */
    }
    return (double)NAN; /* not covered: as above */
}

#endif
