/* The terms of the duality gap over coordinates, and the names of the penalties. Knows nothing of X. */
#include <float.h>
#include <math.h>

#include "sr.h"
#include "sr_penalty.h"

const char *sr_penalty_name(sr_penalty pen) {
    switch (pen) {
#define SR_CASE(name) case SR_PENALTY_##name: return #name;
        SR_FOR_EACH_PENALTY(SR_CASE)
#undef SR_CASE
        case SR_N_PENALTIES: break;
    }
    return NULL;
}

sr_status sr_gap_sums(sr_penalty pen, int64_t m, const double *w, const double *c, const double *l1, const double *l2,
                      sr_gap_terms *out) {
    sr_gap_terms t = {0.0, 0.0, 0.0, 0.0, 0.0};
    if ((unsigned)pen >= (unsigned)SR_N_PENALTIES) return SR_BAD_TYPE;
    for (int64_t j = 0; j < m; j++) {
        const double magnitude = sr_dual_magnitude(pen, c[j]);
        /* Most columns are 0, below their thresholds, and no nearer to them than another; not so where c overflowed. */
        if (w[j] == 0.0 && magnitude <= l1[j] && magnitude <= t.dual_norm * l1[j] && c[j] >= -DBL_MAX) continue;
        const double augmented = c[j] - l2[j] * w[j];
        const double excess = magnitude > l1[j] ? magnitude - l1[j] : 0.0;
        const double reach = sr_dual_magnitude(pen, augmented);
        t.l1_norm += l1[j] * fabs(w[j]);
        t.l2_sq += l2[j] * w[j] * w[j];
        t.slope += augmented * w[j];
        if (l1[j] == 0.0 && l2[j] == 0.0) { /* no penalty, no conjugate: the caller ensures that c_j is feasible */
            t.fenchel -= c[j] * w[j];
            continue;
        }
        /* With l1 = 0 and l2 > 0 no scaling makes the augmented residual feasible, unless it is already. */
        if (reach > 0.0 && !(reach <= t.dual_norm * l1[j])) /* most are no nearer: no division */
            t.dual_norm = l1[j] > 0.0 ? reach / l1[j] : (double)INFINITY;
        t.fenchel += l1[j] * fabs(w[j]) + 0.5 * l2[j] * w[j] * w[j] - c[j] * w[j];
        if (excess > 0.0) t.fenchel += l2[j] > 0.0 ? 0.5 * excess * excess / l2[j] : (double)INFINITY;
    }
    *out = t;
    return SR_OK;
}

int64_t sr_moving(int64_t m, const double *w, const double *sq, const double *l2, double share, double most,
                  double *moved, int64_t *out) {
    double largest = 0.0;
    int64_t n = 0;
    for (int64_t j = 0; j < m; j++) {
        moved[j] = w[j] == 0.0 ? 0.0 : fabs(w[j]) * sqrt(sq[j] + l2[j]);
        largest = moved[j] > largest ? moved[j] : largest;
    }
    const double least = share * (largest < most ? largest : most);
    for (int64_t j = 0; j < m; j++)
        if (moved[j] > least) out[n++] = j;
    return n;
}
