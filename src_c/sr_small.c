/* The path of a small problem on the Gram matrix of all its columns. Knows nothing of X. */
#include <string.h>

#include "sr_coordinate.h"
#include "sr_small.h"

/* One column enters between two Newton steps, and one for so many active ones. */
enum { SR_ACTIVE_PER_ENTERING = 20 };
/* A pivot of less than this share of its column's diagonal is rounding. */
#define SR_SMALL_TINY 1e-13
/* A step that lowers S F by less than this share of |y|^2 is rounding. */
#define SR_SMALL_ROUNDING 1e-32

SR_WIDE static void sr_small_move(const sr_small *P, int64_t a, double step, double *restrict c) {
    const double *restrict column = P->gram + a * P->m;
    SR_UNROLL
    for (int64_t j = 0; j < P->m; j++) c[j] -= step * column[j];
}

static double sr_small_gap(const sr_small *P, const sr_small_work *v) {
    sr_gap_terms t;
    sr_gap_sums(P->penalty, P->m, v->w, v->c, v->l1, v->l2, &t);
    double squared = P->null_deviance;
    for (int64_t a = 0; a < P->m; a++) squared -= (P->c0[a] + v->c[a]) * v->w[a];
    const double share = t.dual_norm > 1.0 ? 1.0 / t.dual_norm : 1.0;
    const double apart = squared > 0.0 ? squared + t.l2_sq : t.l2_sq;
    const double scaled = 0.5 * (1.0 - share) * (1.0 - share) * apart + t.l1_norm - share * t.slope;
    return t.fenchel < scaled ? t.fenchel : scaled;
}

/* The columns with w != 0, in v->at. */
static int64_t sr_small_support(const sr_small *P, const sr_small_work *v) {
    int64_t k = 0;
    for (int64_t a = 0; a < P->m; a++)
        if (v->w[a] != 0.0) v->at[k++] = a;
    return k;
}

/* A Newton step on the k columns v->at, until the first coefficient is 0. Returns whether none became 0. */
static int sr_small_newton(const sr_small *P, const sr_small_work *v, int64_t k) {
    for (int64_t i = 0; i < k; i++) {
        const int64_t a = v->at[i];
        const double *row = P->gram + a * P->m;
        for (int64_t o = i; o < k; o++) v->H[i * k + o] = row[v->at[o]];
        v->H[i * k + i] += v->l2[a];
        v->b[i] = v->c[a] - copysign(v->l1[a], v->w[a]) - v->l2[a] * v->w[a];
    }
    sr_solve_psd(k, v->H, v->b, SR_SMALL_TINY);
    double share = 1.0;
    int64_t first = -1;
    for (int64_t i = 0; i < k; i++) {
        const double w = v->w[v->at[i]];
        if ((w > 0.0) == (w + v->b[i] > 0.0) && w + v->b[i] != 0.0) continue;
        if (-w / v->b[i] < share || first < 0) share = -w / v->b[i], first = i;
    }
    for (int64_t i = 0; i < k; i++) {
        const int64_t a = v->at[i];
        const double step = i == first ? -v->w[a] : share * v->b[i];
        v->w[a] = i == first ? 0.0 : v->w[a] + step;
        if (step != 0.0) sr_small_move(P, a, step, v->c);
    }
    return first < 0;
}

/* At most n columns at 0 take a coordinate step, those first that lower S F most. Returns how many did. */
static int64_t sr_small_enter(const sr_small *P, const sr_small_work *v, int64_t n) {
    double none = 0.0;
    const sr_coordinates co = {P->m, NULL, P->sq, v->l1, v->l2, 1.0, P->penalty, v->w, &none};
    for (int64_t i = 0; i < n; i++) {
        double most = SR_SMALL_ROUNDING * P->null_deviance;
        int64_t best = -1;
        for (int64_t a = 0; a < P->m; a++) {
            const double over = sr_dual_magnitude(P->penalty, v->c[a]) - v->l1[a];
            if (!(over > 0.0) || v->w[a] != 0.0 || !(P->sq[a] > 0.0)) continue;
            const double gain = over * over / (P->sq[a] + v->l2[a]);
            if (gain > most) most = gain, best = a;
        }
        if (best < 0) return i;
        const double step = sr_coordinate_step(&co, best, v->c[best]);
        v->w[best] = step;
        sr_small_move(P, best, step, v->c);
    }
    return n;
}

/* Steps until the gap suffices; -1 where max_steps or max_work do not do, or nothing is left to do. */
static int64_t sr_small_solve(const sr_small *P, const sr_small_work *v) {
    int64_t left = P->max_work;
    for (int64_t steps = 0; steps <= P->max_steps; steps++) {
        const int64_t k = sr_small_support(P, v);
        left -= k * k * k / 6 + k * P->m;
        if (left < 0) return -1;
        if (k && !sr_small_newton(P, v, k)) continue;
        if (sr_small_gap(P, v) <= P->target) return steps;
        if (!sr_small_enter(P, v, 1 + k / SR_ACTIVE_PER_ENTERING)) return -1;
    }
    return -1;
}

int64_t sr_small_path(const sr_small *P, const double *scale, int64_t n, const sr_small_work *v, double *W,
                      int64_t *steps) {
    const int64_t m = P->m;
    for (int64_t i = 0; i < n; i++) {
        memcpy(v->w, W + i * m, (size_t)m * sizeof *v->w);
        memcpy(v->c, P->c0, (size_t)m * sizeof *v->c);
        for (int64_t a = 0; a < m; a++) {
            v->l1[a] = scale[i] * P->l1[a], v->l2[a] = scale[i] * P->l2[a];
            if (v->w[a] != 0.0) sr_small_move(P, a, v->w[a], v->c);
        }
        steps[i] = sr_small_solve(P, v);
        if (steps[i] < 0) return i;
        memcpy(W + (i + 1) * m, v->w, (size_t)m * sizeof *v->w);
    }
    return n;
}
