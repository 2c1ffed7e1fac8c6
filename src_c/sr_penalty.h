/* Penalty formulas, one coordinate at a time. Knows nothing of X or of losses.
 *
 * A penalty is four functions:
 *   minimiser  argmin_b  a/2 b^2 - c b + pen(b), the exact one-dimensional solution
 *   reach      the size of a gradient as the penalty feels it: pen holds b at 0 while reach(c) <= l1
 *   value      pen(b)
 *   violation  the distance of c from the subdifferential of pen at b
 */
#ifndef SR_PENALTY_H
#define SR_PENALTY_H

#include <math.h>

#include "sr_registry.h"

/* elastic_net: l1 |b| + l2/2 b^2 */
static inline double sr_dual_magnitude_elastic_net(double c) { return fabs(c); }
static inline double sr_value_elastic_net(double b, double l1, double l2) { return l1 * fabs(b) + 0.5 * l2 * b * b; }
static inline double sr_minimiser_elastic_net(double a, double c, double l1, double l2) {
    const double over = fabs(c) - l1;
    return over > 0.0 && a + l2 > 0.0 ? copysign(over / (a + l2), c) : 0.0;
}
static inline double sr_violation_elastic_net(double b, double c, double l1, double l2) {
    if (b == 0.0) return fmax(fabs(c) - l1, 0.0);
    return fabs(c - copysign(l1, b) - l2 * b);
}

/* elastic_net_nonneg: the same where b >= 0, infinite below */
static inline double sr_dual_magnitude_elastic_net_nonneg(double c) { return c; }
static inline double sr_value_elastic_net_nonneg(double b, double l1, double l2) {
    return b < 0.0 ? (double)INFINITY : sr_value_elastic_net(b, l1, l2);
}
static inline double sr_minimiser_elastic_net_nonneg(double a, double c, double l1, double l2) {
    return c > l1 && a + l2 > 0.0 ? (c - l1) / (a + l2) : 0.0;
}
static inline double sr_violation_elastic_net_nonneg(double b, double c, double l1, double l2) {
    if (b == 0.0) return fmax(c - l1, 0.0);
    return b < 0.0 ? (double)INFINITY : fabs(c - l1 - l2 * b);
}

static inline double sr_dual_magnitude(sr_penalty pen, double c) {
    switch (pen) {
#define SR_CASE(name) case SR_PENALTY_##name: return sr_dual_magnitude_##name(c);
        SR_FOR_EACH_PENALTY(SR_CASE)
#undef SR_CASE
        case SR_N_PENALTIES: break;
    }
    return (double)NAN;
}

#endif
