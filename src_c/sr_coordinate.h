/* The step of one coordinate, shared by coordinate descent on the residual and on the Gram. Internal. */
#ifndef SR_COORDINATE_H
#define SR_COORDINATE_H

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
        case SR_N_PENALTIES: break;
    }
    return best - old;
}

/* Update w, sum(r), and the largest decrease so far. */
SR_INLINE double sr_take_step(const sr_coordinates *co, int64_t a, double step, double decrease) {
    co->w[a] += step;
    *co->r_sum -= step * co->sums[a];
    const double moved = (co->centered_sq_norm[a] + co->l2[a]) * step * step;
    return moved > decrease ? moved : decrease;
}

#endif
