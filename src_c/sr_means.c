/* The losses that need no more of rows than their mean: a(z) - y z. */
#include "sr_means.h"

#include <math.h>
#include <string.h>

#include "sr_coordinate.h"

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
    /* Odd and even powers apart: in one chain each step would wait for the last. */
    const double q = r * r;
    double even = 1.0 / 479001600.0, odd = 1.0 / 6227020800.0;
    even = even * q + 1.0 / 3628800.0;
    odd = odd * q + 1.0 / 39916800.0;
    even = even * q + 1.0 / 40320.0;
    odd = odd * q + 1.0 / 362880.0;
    even = even * q + 1.0 / 720.0;
    odd = odd * q + 1.0 / 5040.0;
    even = even * q + 1.0 / 24.0;
    odd = odd * q + 1.0 / 120.0;
    even = even * q + 0.5;
    odd = odd * q + 1.0 / 6.0;
    const double p = 1.0 + (r + (even * q + (odd * q) * r));
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

/* 1/3 + v/5 + v^2/7 + ..., sixteen terms, odd and even ones apart: atanh(u) = u (1 + v times this) with v = u^2 at most
 * 1/9. */
SR_INLINE double sr_atanh_terms(double v) {
    const double q = v * v;
    double even = 1.0 / 31.0, odd = 1.0 / 33.0;
    even = even * q + 1.0 / 27.0;
    odd = odd * q + 1.0 / 29.0;
    even = even * q + 1.0 / 23.0;
    odd = odd * q + 1.0 / 25.0;
    even = even * q + 1.0 / 19.0;
    odd = odd * q + 1.0 / 21.0;
    even = even * q + 1.0 / 15.0;
    odd = odd * q + 1.0 / 17.0;
    even = even * q + 1.0 / 11.0;
    odd = odd * q + 1.0 / 13.0;
    even = even * q + 1.0 / 7.0;
    odd = odd * q + 1.0 / 9.0;
    even = even * q + 1.0 / 3.0;
    odd = odd * q + 1.0 / 5.0;
    return even + odd * v;
}

/* log(1 + x) for x in [0, 1], as 2 atanh(u) with u = x / (2 + x) at most 1/3. */
SR_INLINE double sr_log1p(double x) {
    const double u = x / (2.0 + x), v = u * u;
    return 2.0 * u * (sr_atanh_terms(v) * v + 1.0);
}

SR_WIDE sr_status sr_mean_value(sr_mean kind, int64_t n, const double *s, const double *sy, const double *eta,
                                double *value) {
    double a[SR_MEANS], sum[4] = {0.0};
    if (kind >= SR_N_MEANS) return SR_BAD_TYPE;
    for (int64_t begin = 0; begin < n; begin += SR_MEANS) {
        const int64_t m = n - begin < SR_MEANS ? n - begin : SR_MEANS;
        const double *z = eta + begin;
        int64_t u = 0;
        if (kind == SR_MEAN_LOGISTIC) /* log(1 + e^z) = (z + |z|) / 2 + log(1 + e^-|z|) */
            for (int64_t k = 0; k < m; k++) a[k] = 0.5 * (z[k] + fabs(z[k])) + sr_log1p(sr_exp(-fabs(z[k])));
        else
            for (int64_t k = 0; k < m; k++) a[k] = sr_exp(z[k]);
        for (; u + 4 <= m; u += 4)
            for (int64_t k = 0; k < 4; k++) sum[k] += s[begin + u + k] * a[u + k] - sy[begin + u + k] * z[u + k];
        for (; u < m; u++) sum[0] += s[begin + u] * a[u] - sy[begin + u] * z[u];
    }
    *value = (sum[0] + sum[1]) + (sum[2] + sum[3]);
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

/* Of a block: z and the dual point's mean on the line. */
SR_WIDE static void sr_on_line(int64_t n, const sr_line *line, int64_t begin, double *restrict z,
                               double *restrict q) {
    const double *ea = line->eta[0] + begin, *eb = line->eta[1] + begin;
    const double *qa = line->mean[0] + begin, *qb = line->mean[1] + begin;
    const double t = line->t, rest = 1.0 - t;
    for (int64_t u = 0; u < n; u++) z[u] = rest * ea[u] + t * eb[u];
    for (int64_t u = 0; u < n; u++) q[u] = rest * qa[u] + t * qb[u];
}

SR_WIDE static void sr_apart_sums(int64_t n, const double *s, const double *mean, const double *curvature,
                                  const double *q, sr_apart *out) {
    double a[4] = {0.0}, top[4] = {0.0};
    int64_t u = 0;
    for (; u + 4 <= n; u += 4)
        for (int64_t k = 0; k < 4; k++) {
            const double moved = q[u + k] - mean[u + k], d = moved / curvature[u + k];
            a[k] += s[u + k] * (moved * d);
            top[k] = fabs(d) > top[k] ? fabs(d) : top[k];
        }
    for (; u < n; u++) {
        const double moved = q[u] - mean[u], d = moved / curvature[u];
        a[0] += s[u] * (moved * d);
        top[0] = fabs(d) > top[0] ? fabs(d) : top[0];
    }
    out->squares += (a[0] + a[1]) + (a[2] + a[3]);
    for (int k = 0; k < 4; k++) out->largest = top[k] > out->largest ? top[k] : out->largest;
}

sr_status sr_mean_apart(sr_mean kind, int64_t n, const sr_unit_sums *sums, const sr_line *line, sr_apart *out) {
    double z[SR_MEANS], q[SR_MEANS], mean[SR_MEANS], curvature[SR_MEANS];
    sr_mean_totals totals = {0.0, 0.0, 0.0};
    if (kind >= SR_N_MEANS) return SR_BAD_TYPE;
    *out = (sr_apart){0.0, 0.0, 0.0};
    for (int64_t begin = 0; begin < n; begin += SR_MEANS) {
        const int64_t m = n - begin < SR_MEANS ? n - begin : SR_MEANS;
        const double *s = sums->s + begin, *sy = sums->sy + begin, *syy = sums->syy + begin;
        sr_on_line(m, line, begin, z, q);
        if (kind == SR_MEAN_LOGISTIC) {
            sr_mean_logistic(m, z, mean, curvature);
            sr_sums_logistic(m, s, sy, syy, mean, curvature, &totals);
        } else {
            sr_mean_poisson(m, z, mean, curvature);
            sr_sums_poisson(m, s, sy, syy, mean, curvature, &totals);
        }
        sr_apart_sums(m, s, mean, curvature, q, out);
    }
    out->squared = totals.squared;
    return SR_OK;
}

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

/* p and 1 - p, neither by a difference. */
SR_INLINE void sr_both(double z, double *p, double *other) {
    const double e = sr_exp(-fabs(z)), large = 1.0 / (1.0 + e), small = e * large;
    const uint64_t below = 0 - (sr_bits(z) >> 63); /* all ones where z < 0 */
    *p = sr_of_bits((sr_bits(small) & below) | (sr_bits(large) & ~below));
    *other = sr_of_bits((sr_bits(large) & below) | (sr_bits(small) & ~below));
}

/* Of a block: y - mean, which keeps its digits where a class is all but certain. */
SR_WIDE static void sr_rows_logistic(int64_t n, const double *y, const double *at, double *restrict rho,
                                     double *restrict mean, double *restrict curvature) {
    for (int64_t i = 0; i < n; i++) {
        double p, other;
        sr_both(at[i], &p, &other);
        rho[i] = y[i] * other - (1.0 - y[i]) * p;
        mean[i] = p, curvature[i] = p * other;
    }
}

SR_WIDE static void sr_rows_poisson(int64_t n, const double *y, const double *at, double *restrict rho,
                                    double *restrict mean, double *restrict curvature) {
    for (int64_t i = 0; i < n; i++) {
        mean[i] = curvature[i] = sr_exp(at[i]);
        rho[i] = y[i] - mean[i];
    }
}

SR_WIDE static void sr_add_rows(int64_t n, const double *s, const double *rho, const double *mean,
                                const double *curvature, sr_row_totals *out) {
    double a[4] = {0.0}, h[4] = {0.0}, m[4] = {0.0}, q[4] = {0.0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int64_t k = 0; k < 4; k++) {
            const double weight = s ? s[i + k] : 1.0;
            a[k] += weight * rho[i + k];
            h[k] += weight * curvature[i + k];
            m[k] += weight * mean[i + k];
            q[k] += weight * (rho[i + k] * rho[i + k] / curvature[i + k]);
        }
    for (; i < n; i++) {
        const double weight = s ? s[i] : 1.0;
        a[0] += weight * rho[i], h[0] += weight * curvature[i], m[0] += weight * mean[i];
        q[0] += weight * (rho[i] * rho[i] / curvature[i]);
    }
    out->slope += (a[0] + a[1]) + (a[2] + a[3]);
    out->curvature += (h[0] + h[1]) + (h[2] + h[3]);
    out->size += (m[0] + m[1]) + (m[2] + m[3]);
    out->squared += (q[0] + q[1]) + (q[2] + q[3]);
}

sr_status sr_rows_residuals(sr_mean kind, int64_t n, const double *y, const double *s, const double *z, double shift,
                            double *out, sr_row_totals *totals) {
    double at[SR_MEANS], rho[SR_MEANS], mean[SR_MEANS], curvature[SR_MEANS];
    if (kind >= SR_N_MEANS) return SR_BAD_TYPE;
    *totals = (sr_row_totals){0.0, 0.0, 0.0, 0.0};
    for (int64_t begin = 0; begin < n; begin += SR_MEANS) {
        const int64_t m = n - begin < SR_MEANS ? n - begin : SR_MEANS;
        const double *weights = s ? s + begin : NULL;
        sr_predictors(m, z + begin, NULL, 0.0, shift, at);
        if (kind == SR_MEAN_LOGISTIC) sr_rows_logistic(m, y + begin, at, rho, mean, curvature);
        else sr_rows_poisson(m, y + begin, at, rho, mean, curvature);
        sr_add_rows(m, weights, rho, mean, curvature, totals);
        for (int64_t i = 0; out && i < m; i++) out[begin + i] = weights ? weights[i] * rho[i] : rho[i];
    }
    return SR_OK;
}

/* The entropy of mean + difference and mean; counts in *far. */
SR_INLINE double sr_entropy_of(double mean, double difference, int64_t *far) {
    const double x = difference / mean;
    *far += sr_bits(fabs(x)) > sr_bits(0.5); /* NaN too */
    return mean * sr_entropy(x);
}

SR_WIDE sr_status sr_rows_gap(sr_mean kind, int64_t n, const double *y, const double *s, const double *z, double t,
                              double *sum, int64_t *far) {
    double terms[SR_MEANS], a[4] = {0.0};
    int64_t apart = 0;
    if (kind >= SR_N_MEANS) return SR_BAD_TYPE;
    for (int64_t begin = 0; begin < n; begin += SR_MEANS) {
        const int64_t m = n - begin < SR_MEANS ? n - begin : SR_MEANS;
        for (int64_t i = begin; i < begin + m && kind == SR_MEAN_LOGISTIC; i++) {
            double p, other;
            sr_both(z[i], &p, &other);
            const double away = (1.0 - t) * (y[i] * other - (1.0 - y[i]) * p);
            terms[i - begin] = sr_entropy_of(p, away, &apart) + sr_entropy_of(other, -away, &apart);
        }
        for (int64_t i = begin; i < begin + m && kind == SR_MEAN_POISSON; i++) {
            const double mean = sr_exp(z[i]);
            terms[i - begin] = sr_entropy_of(mean, (1.0 - t) * (y[i] - mean), &apart);
        }
        for (int64_t i = 0; s && i < m; i++) terms[i] *= s[begin + i];
        for (int64_t i = m; i < SR_MEANS && (i & 3); i++) terms[i] = 0.0;
        for (int64_t i = 0; i < m; i += 4)
            for (int64_t k = 0; k < 4; k++) a[k] += terms[i + k];
    }
    *sum = (a[0] + a[1]) + (a[2] + a[3]);
    *far = apart;
    return SR_OK;
}
