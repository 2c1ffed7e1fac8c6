/* Rows grouped by their pattern over the working set, and the losses that need no more of them. */
#include <math.h>
#include <string.h>

#include "sr_coordinate.h"
#include "sr_groups.h"

#define Index int32_t
#define SR_FN(name) sr_##name##_i32
#include "sr_groups.tpl.h"
#undef Index
#undef SR_FN
#define Index int64_t
#define SR_FN(name) sr_##name##_i64
#include "sr_groups.tpl.h"
#undef Index
#undef SR_FN

static void sr_groups_copy(const sr_groups *g, int64_t from, int64_t to, int32_t size) {
    memcpy(g->slots + to * g->stride, g->slots + from * g->stride, (size_t)g->stride * sizeof *g->slots);
    g->length[to] = g->length[from];
    g->size[to] = size, g->size[from] -= size;
    g->s[to] = g->sy[to] = g->syy[to] = 0.0;
    g->eta[to] = g->eta[from], g->curvature[to] = g->curvature[from], g->reference[to] = g->reference[from];
}

sr_status sr_groups_meet(const sr_matrix *X, int64_t j, const sr_groups *g, int32_t *size_in, int32_t *list,
                         int64_t *n_list, int64_t *n_new) {
    if (j >= X->n_ones) return SR_BAD_INDEX;
    const int64_t met = X->index == SR_I64 ? sr_groups_meet_i64(X, j, g, size_in, list)
                                           : sr_groups_meet_i32(X, j, g, size_in, list);
    *n_new = 0;
    for (int64_t a = 0; a < met; a++) *n_new += size_in[list[a]] < g->size[list[a]];
    *n_list = met;
    return SR_OK;
}

sr_status sr_groups_split(const sr_matrix *X, int64_t j, int64_t member, const double *y, const double *s,
                          sr_groups *g, int32_t *size_in, int32_t *target, int32_t *list, int64_t n_list) {
    if (j >= X->n_ones || member + 1 > UINT16_MAX) return SR_BAD_INDEX;
    for (int64_t a = 0; a < n_list; a++) {
        const int32_t from = list[a];
        int32_t to = from;
        if (size_in[from] < g->size[from]) {
            to = (int32_t)g->n_groups++;
            sr_groups_copy(g, from, to, size_in[from]);
        }
        size_in[from] = 0;
        target[from] = to;
        g->slots[to * g->stride + g->length[to]++] = (uint16_t)(member + 1);
    }
    if (X->index == SR_I64) sr_groups_move_i64(X, j, y, s, g, target);
    else sr_groups_move_i32(X, j, y, s, g, target);
    for (int64_t a = 0; a < n_list; a++) {
        const int32_t from = list[a], to = list[a] = target[from];
        if (to == from) continue;
        g->s[from] -= g->s[to], g->sy[from] -= g->sy[to], g->syy[from] -= g->syy[to];
        if (g->s[from] < 0.0) g->s[from] = 0.0; /* rounding */
    }
    return SR_OK;
}

sr_status sr_groups_column_sums(const sr_matrix *X, const int64_t *cols, int64_t m, const double *s,
                                const sr_groups *g, const double *mean, double *out) {
    for (int64_t a = 0; a < m; a++) {
        if (cols[a] >= X->n_ones) return SR_BAD_INDEX;
        out[a] = X->index == SR_I64 ? sr_groups_sum_i64(X, cols[a], s, g, mean)
                                    : sr_groups_sum_i32(X, cols[a], s, g, mean);
    }
    return SR_OK;
}

void sr_groups_residuals(const sr_groups *g, int64_t n, const double *y, const double *s, const double *mean,
                         double *out) {
    for (int64_t i = 0; i < n; i++) out[i] = (s ? s[i] : 1.0) * (y[i] - mean[g->of_row[i]]);
}

/* Slots in use, rounded up to four: slot 0, of step 0, stands beyond them. */
SR_INLINE int64_t sr_padded(int64_t length) { return (length + 3) & ~(int64_t)3; }

double sr_groups_step(const sr_groups *g, const double *step, double shift, double *out) {
    double largest = 0.0;
    for (int64_t u = 0; u < g->n_groups; u++) {
        const uint16_t *slots = g->slots + u * g->stride;
        const int64_t n = sr_padded(g->length[u]);
        double a = 0.0, b = 0.0;
        for (int64_t k = 0; k < n; k += 4) {
            a += step[slots[k]] + step[slots[k + 1]];
            b += step[slots[k + 2]] + step[slots[k + 3]];
        }
        out[u] = shift + (a + b);
        largest = fabs(out[u]) > largest ? fabs(out[u]) : largest;
    }
    return largest;
}

void sr_groups_sums(const sr_groups *g, const double *v, const double *mean, double *out) {
    for (int64_t u = 0; u < g->n_groups; u++) {
        const uint16_t *slots = g->slots + u * g->stride;
        const int64_t n = sr_padded(g->length[u]);
        const double value = mean ? g->sy[u] - g->s[u] * mean[u] : v[u];
        for (int64_t k = 0; k < n; k += 4) {
            out[slots[k]] += value, out[slots[k + 1]] += value;
            out[slots[k + 2]] += value, out[slots[k + 3]] += value;
        }
    }
}

/* Not 0 unless the weight is, so that the structure of the Gram is that of the patterns. */
SR_INLINE double sr_groups_weight(const sr_groups *g, int64_t u) {
    const double h = g->s[u] * g->curvature[u];
    return g->s[u] > 0.0 && h < 1e-300 ? 1e-300 : h;
}

void sr_groups_products(const sr_groups *g, const int32_t *list, int64_t n_list, double *out) {
    for (int64_t a = 0; a < n_list; a++) {
        const uint16_t *slots = g->slots + list[a] * g->stride;
        const int64_t n = sr_padded(g->length[list[a]]);
        const double weight = sr_groups_weight(g, list[a]);
        for (int64_t k = 0; k < n; k += 4) {
            out[slots[k]] += weight, out[slots[k + 1]] += weight;
            out[slots[k + 2]] += weight, out[slots[k + 3]] += weight;
        }
    }
}

void sr_groups_of_members(const sr_groups *g, int64_t m, int64_t *begin, int32_t *groups) {
    memset(begin, 0, (size_t)(m + 2) * sizeof *begin);
    for (int64_t u = 0; u < g->n_groups; u++)
        for (int64_t k = 0; k < g->length[u]; k++) begin[g->slots[u * g->stride + k] + 1]++;
    for (int64_t a = 0; a <= m; a++) begin[a + 1] += begin[a];
    for (int64_t u = 0; u < g->n_groups; u++)
        for (int64_t k = 0; k < g->length[u]; k++) groups[begin[g->slots[u * g->stride + k]]++] = (int32_t)u;
}

/* Column a of the Gram from the groups of member a: `sum`, by slot, is zero before and after. */
void sr_groups_gram(const sr_groups *g, int64_t m, const int64_t *begin, const int32_t *groups, double *sum,
                    const sr_gram *G) {
    for (int64_t a = 0; a < m; a++) {
        sr_groups_products(g, groups + begin[a], begin[a + 1] - begin[a], sum);
        for (int64_t e = G->begin[a]; e < G->begin[a] + G->len[a]; e++) {
            G->val[e] = sum[G->idx[e] + 1];
            sum[G->idx[e] + 1] = 0.0;
        }
        sum[0] = 0.0;
    }
}

/* By bits, as compilers do not vectorise comparisons of doubles that may raise an exception. */
SR_INLINE uint64_t sr_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
SR_INLINE double sr_of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
/* x cut at -limit and limit, limit > 0 */
SR_INLINE double sr_cut(double x, double limit) {
    const uint64_t sign = (uint64_t)1 << 63, bits = sr_bits(x);
    const int64_t size = (int64_t)(bits & ~sign), most = (int64_t)sr_bits(limit);
    return sr_of_bits((uint64_t)(size < most ? size : most) | (bits & sign));
}

/* exp(x), x cut at -708 and 708, to two units in the last place, in operations that compilers vectorise: x = k log 2 +
 * r with |r| <= log(2)/2, the series of exp(r), and 2^k by its bits. Adding 1.5 * 2^52 rounds to an integer, which then
 * stands in the low bits. */
SR_INLINE double sr_exp(double x) {
    const double shift = 6755399441055744.0;
    x = sr_cut(x, 708.0);
    const double rounded = x * 1.4426950408889634 + shift, k = rounded - shift;
    const double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    return p * sr_of_bits((sr_bits(rounded) << 52) + 0x3FF0000000000000u);
}

/* Of a block of at most SR_MEANS: z, the means and the curvatures. */
enum { SR_MEANS = 512 };

SR_WIDE static void sr_predictors(int64_t n, const double *eta, const double *step, double t, double shift,
                                  double *restrict z) {
    if (step)
        for (int64_t u = 0; u < n; u++) z[u] = eta[u] + (t * step[u] + shift);
    else
        for (int64_t u = 0; u < n; u++) z[u] = eta[u] + shift;
}

SR_WIDE static void sr_mean_logistic(int64_t n, const double *restrict at, double *restrict mean,
                                     double *restrict curvature) {
    for (int64_t u = 0; u < n; u++) {
        const double z = at[u], e = sr_exp(-fabs(z)), inverse = 1.0 / (1.0 + e);
        const uint64_t below = 0 - (sr_bits(z) >> 63); /* all ones where z < 0 */
        mean[u] = sr_of_bits((sr_bits(e) & below) | (sr_bits(1.0) & ~below)) * inverse;
        curvature[u] = e * inverse * inverse;
    }
}

SR_WIDE static void sr_mean_poisson(int64_t n, const double *restrict at, double *restrict mean,
                                    double *restrict curvature) {
    for (int64_t u = 0; u < n; u++) mean[u] = curvature[u] = sr_exp(at[u]);
}

/* rho^2 / curvature, summed over the rows of a group: of soft targets the chord between y = 0 and 1 is above it. */
SR_INLINE double sr_squared(sr_mean kind, double s, double sy, double syy, double mean, double curvature) {
    const double other = 1.0 - mean;
    const double of = kind == SR_MEAN_LOGISTIC ? sy * other * other + (s - sy) * mean * mean
                                               : syy - 2.0 * mean * sy + s * mean * mean;
    return of / curvature;
}

/* Four partial sums side by side: a compiler that knows `kind` vectorises them. */
SR_INLINE void sr_mean_sums(sr_mean kind, int64_t n, const double *s, const double *sy, const double *syy,
                            const double *mean, const double *curvature, sr_mean_totals *out) {
    double a[4] = {0.0}, h[4] = {0.0}, q[4] = {0.0};
    int64_t u = 0;
    for (; u + 4 <= n; u += 4)
        for (int64_t k = 0; k < 4; k++) {
            a[k] += sy[u + k] - s[u + k] * mean[u + k];
            h[k] += s[u + k] * curvature[u + k];
            q[k] += sr_squared(kind, s[u + k], sy[u + k], syy[u + k], mean[u + k], curvature[u + k]);
        }
    for (; u < n; u++) {
        a[0] += sy[u] - s[u] * mean[u];
        h[0] += s[u] * curvature[u];
        q[0] += sr_squared(kind, s[u], sy[u], syy[u], mean[u], curvature[u]);
    }
    out->slope += (a[0] + a[1]) + (a[2] + a[3]);
    out->curvature += (h[0] + h[1]) + (h[2] + h[3]);
    out->squared += (q[0] + q[1]) + (q[2] + q[3]);
}

SR_WIDE static void sr_sums_logistic(int64_t n, const double *s, const double *sy, const double *syy,
                                     const double *mean, const double *curvature, sr_mean_totals *out) {
    sr_mean_sums(SR_MEAN_LOGISTIC, n, s, sy, syy, mean, curvature, out);
}

SR_WIDE static void sr_sums_poisson(int64_t n, const double *s, const double *sy, const double *syy,
                                    const double *mean, const double *curvature, sr_mean_totals *out) {
    sr_mean_sums(SR_MEAN_POISSON, n, s, sy, syy, mean, curvature, out);
}

static const char *const sr_mean_names[] = {"logistic", "poisson"};
const char *sr_mean_name(sr_mean mean) { return mean < SR_N_MEANS ? sr_mean_names[mean] : ""; }

sr_status sr_mean_of(sr_mean kind, int64_t n, const sr_unit_sums *sums, const sr_predictor *at, double *mean,
                     sr_mean_totals *out) {
    double z[SR_MEANS], curvature[SR_MEANS];
    if (kind >= SR_N_MEANS) return SR_BAD_TYPE;
    *out = (sr_mean_totals){0.0, 0.0, 0.0};
    for (int64_t begin = 0; begin < n; begin += SR_MEANS) {
        const int64_t m = n - begin < SR_MEANS ? n - begin : SR_MEANS;
        const double *s = sums->s + begin, *sy = sums->sy + begin, *syy = sums->syy + begin;
        sr_predictors(m, at->eta + begin, at->step ? at->step + begin : NULL, at->t, at->shift, z);
        if (kind == SR_MEAN_LOGISTIC) {
            sr_mean_logistic(m, z, mean + begin, curvature);
            sr_sums_logistic(m, s, sy, syy, mean + begin, curvature, out);
        } else {
            sr_mean_poisson(m, z, mean + begin, curvature);
            sr_sums_poisson(m, s, sy, syy, mean + begin, curvature, out);
        }
    }
    return SR_OK;
}

sr_status sr_mean_curvature(sr_mean kind, int64_t n, const double *eta, double *curvature) {
    double mean[SR_MEANS];
    if (kind >= SR_N_MEANS) return SR_BAD_TYPE;
    for (int64_t begin = 0; begin < n; begin += SR_MEANS) {
        const int64_t m = n - begin < SR_MEANS ? n - begin : SR_MEANS;
        if (kind == SR_MEAN_LOGISTIC) sr_mean_logistic(m, eta + begin, mean, curvature + begin);
        else sr_mean_poisson(m, eta + begin, mean, curvature + begin);
    }
    return SR_OK;
}

/* 1/3 + v/5 + v^2/7 + ..., sixteen terms: atanh(u) = u (1 + v times this) with v = u^2 at most 1/9. */
SR_INLINE double sr_atanh_terms(double v) {
    double p = 1.0 / 33.0;
    p = p * v + 1.0 / 31.0;
    p = p * v + 1.0 / 29.0;
    p = p * v + 1.0 / 27.0;
    p = p * v + 1.0 / 25.0;
    p = p * v + 1.0 / 23.0;
    p = p * v + 1.0 / 21.0;
    p = p * v + 1.0 / 19.0;
    p = p * v + 1.0 / 17.0;
    p = p * v + 1.0 / 15.0;
    p = p * v + 1.0 / 13.0;
    p = p * v + 1.0 / 11.0;
    p = p * v + 1.0 / 9.0;
    p = p * v + 1.0 / 7.0;
    p = p * v + 1.0 / 5.0;
    p = p * v + 1.0 / 3.0;
    return p;
}

/* log(1 + x) for x in [0, 1], as 2 atanh(u) with u = x / (2 + x) at most 1/3. */
SR_INLINE double sr_log1p(double x) {
    const double u = x / (2.0 + x), v = u * u;
    return 2.0 * u * (sr_atanh_terms(v) * v + 1.0);
}

SR_WIDE sr_status sr_mean_value(sr_mean kind, int64_t n, const double *s, const double *sy, const double *eta,
                                double *value) {
    double a[SR_MEANS], sum = 0.0;
    if (kind >= SR_N_MEANS) return SR_BAD_TYPE;
    for (int64_t begin = 0; begin < n; begin += SR_MEANS) {
        const int64_t m = n - begin < SR_MEANS ? n - begin : SR_MEANS;
        const double *z = eta + begin;
        if (kind == SR_MEAN_LOGISTIC) /* log(1 + e^z) = (z + |z|) / 2 + log(1 + e^-|z|) */
            for (int64_t u = 0; u < m; u++) a[u] = 0.5 * (z[u] + fabs(z[u])) + sr_log1p(sr_exp(-fabs(z[u])));
        else
            for (int64_t u = 0; u < m; u++) a[u] = sr_exp(z[u]);
        for (int64_t u = 0; u < m; u++) sum += s[begin + u] * a[u] - sy[begin + u] * z[u];
    }
    *value = sum;
    return SR_OK;
}

/* (1 + x) log(1 + x) - x for |x| <= 1/2: with u = x / (2 + x) and v = u^2 it is 2 v / (1 - u) (1 + (1 + u) u (1/3 + v/5
 * + ...)), of which sixteen terms count, and nothing cancels. */
SR_INLINE double sr_entropy(double x) {
    const double u = x / (2.0 + x), v = u * u;
    return 2.0 * v / (1.0 - u) * (1.0 + (1.0 + u) * u * sr_atanh_terms(v));
}

SR_WIDE int64_t sr_near_entropies(int64_t n, const double *mu, const double *difference, double *restrict out) {
    const uint64_t half = sr_bits(0.5);
    int64_t far = 0;
    for (int64_t i = 0; i < n; i++) {
        const double x = difference[i] / mu[i];
        far += sr_bits(fabs(x)) > half; /* NaN too */
        out[i] = mu[i] * sr_entropy(x);
    }
    return far;
}

SR_WIDE sr_status sr_mean_correct(sr_mean kind, int64_t n, double share, double *mean) {
    if (kind >= SR_N_MEANS) return SR_BAD_TYPE;
    if (kind == SR_MEAN_LOGISTIC)
        for (int64_t u = 0; u < n; u++) mean[u] += share * (mean[u] * (1.0 - mean[u]));
    else
        for (int64_t u = 0; u < n; u++) mean[u] += share * mean[u];
    return SR_OK;
}

#include "sr_line.tpl.h"

SR_WIDE void sr_mean_moved(int64_t n, const double *s, const double *mean, double *reference, double *squared,
                           double *largest) {
    double a[4] = {0.0}, top[4] = {0.0};
    int64_t u = 0;
    for (; u + 4 <= n; u += 4)
        for (int64_t k = 0; k < 4; k++) {
            const double moved = mean[u + k] - reference[u + k];
            reference[u + k] = mean[u + k];
            a[k] += s[u + k] * (moved * moved);
            top[k] = fabs(moved) > top[k] ? fabs(moved) : top[k];
        }
    for (; u < n; u++) {
        const double moved = mean[u] - reference[u];
        reference[u] = mean[u];
        a[0] += s[u] * (moved * moved);
        top[0] = fabs(moved) > top[0] ? fabs(moved) : top[0];
    }
    for (int k = 1; k < 4; k++) top[0] = top[k] > top[0] ? top[k] : top[0];
    *squared = (a[0] + a[1]) + (a[2] + a[3]);
    *largest = top[0];
}
