/* The step of one coordinate, shared by coordinate descent on the residual and on the Gram. Internal. */
#ifndef SR_COORDINATE_H
#define SR_COORDINATE_H

#include <math.h>

#include "sr.h"
#include "sr_penalty.h"

#if defined(_MSC_VER)
#define SR_INLINE static __forceinline
#elif defined(__GNUC__)
#define SR_INLINE static inline __attribute__((always_inline))
#else
#define SR_INLINE static inline
#endif

/* A second version for processors with AVX2, chosen when the library is loaded. Every sum runs in the same order and
 * without fused multiplications, so the digits are the same. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#define SR_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define SR_WIDE
#endif

/* For loops over vectors that read little an iteration. */
#if defined(__GNUC__) && !defined(__clang__)
#define SR_UNROLL _Pragma("GCC unroll 4")
#else
#define SR_UNROLL
#endif

/* For loops of few iterations, known in number: GCC would otherwise unroll them and then fail to vectorise. */
#if defined(__GNUC__) && !defined(__clang__)
#define SR_ROLLED _Pragma("GCC unroll 1")
#else
#define SR_ROLLED
#endif

/* The step from w_a to the exact minimiser along coordinate a, given the centred gradient c at w_a. */
SR_INLINE double sr_coordinate_step(const sr_coordinates *co, int64_t a, double c) {
    const double old = co->w[a], curvature = co->centered_sq_norm[a], linear = c + curvature * old;
    double best = old;
    switch (co->penalty) {
#define SR_CASE(name) \
    case SR_PENALTY_##name: best = sr_minimiser_##name(curvature, linear, co->l1[a], co->l2[a]); break;
        SR_FOR_EACH_PENALTY(SR_CASE)
#undef SR_CASE
        case SR_N_PENALTIES: break; /* not covered: no penalty; -Wswitch-enum wants every value */
    }
    return best - old;
}

/* Projections onto half-spaces converge for any relaxation between 0 and 2; at 1.4 in half the sweeps of 1. */
#define SR_RELAXATION 1.4

/* The step of a dual point r(u) along coordinate a to within the threshold: with o = dual_magnitude(c - l2 u) - l1 > 0,
 * (1.4 o + margin l1) / (centered_sq_norm + l2) in the direction of c - l2 u, so that o becomes -0.4 o - margin l1;
 * 0 where o <= 0. c is the centred gradient at u_a. *violation: o / l1, 0 where there is no threshold. */
SR_INLINE double sr_projection_step(const sr_coordinates *co, int64_t a, double c, double margin, double *violation) {
    const double augmented = c - co->l2[a] * co->w[a], curvature = co->centered_sq_norm[a] + co->l2[a];
    const double over = sr_dual_magnitude(co->penalty, augmented) - co->l1[a];
    *violation = 0.0;
    if (!(over > 0.0) || !(co->centered_sq_norm[a] > 0.0)) return 0.0;
    if (co->l1[a] > 0.0) *violation = over / co->l1[a];
    return copysign((SR_RELAXATION * over + margin * co->l1[a]) / curvature, augmented);
}

/* Update w, sum(r), and the largest decrease so far. */
SR_INLINE double sr_take_step(const sr_coordinates *co, int64_t a, double step, double decrease) {
    co->w[a] += step;
    *co->r_sum -= step * co->sums[a];
    const double moved = (co->centered_sq_norm[a] + co->l2[a]) * step * step;
    return moved > decrease ? moved : decrease;
}

#endif
