/* Dual points near the residual of a loss a(z) - y z. */
#include <math.h>

#include "sr_coordinate.h"
#include "sr_means.h"

/* sum s h d and sum s h, four partial sums each. */
SR_WIDE static void sr_weighted_sums(int64_t n, const double *s, const double *h, const double *d, double *sum) {
    double a[4] = {0.0}, b[4] = {0.0};
    int64_t u = 0;
    for (; u + 4 <= n; u += 4)
        for (int64_t k = 0; k < 4; k++) {
            const double weight = s[u + k] * h[u + k];
            a[k] += weight * d[u + k];
            b[k] += weight;
        }
    for (; u < n; u++) a[0] += s[u] * h[u] * d[u], b[0] += s[u] * h[u];
    sum[0] += (a[0] + a[1]) + (a[2] + a[3]);
    sum[1] += (b[0] + b[1]) + (b[2] + b[3]);
}

/* x: d less its mean; in *q h before, and then mean + h d. */
SR_INLINE void sr_toward_at(double s, double mean, double x, double correction, double *d, double *q, double *square,
                            double *top) {
    const double apart = x + correction, moved = *q * x;
    *square += s * *q * (apart * apart);
    *top = fabs(apart) > *top ? fabs(apart) : *top;
    *q = mean + moved;
    *d = s * moved;
}

/* Four partial sums and maxima. */
SR_WIDE static void sr_go_toward(int64_t n, const double *s, const double *mean, const double *by, double *restrict d,
                                 double *restrict q, double *squares, double *largest) {
    const double shift = by[0], correction = by[1];
    double a[4] = {0.0}, top[4] = {0.0};
    int64_t u = 0;
    for (; u + 4 <= n; u += 4)
        for (int64_t k = u; k < u + 4; k++)
            sr_toward_at(s[k], mean[k], d[k] - shift, correction, &d[k], &q[k], &a[k - u], &top[k - u]);
    for (; u < n; u++) sr_toward_at(s[u], mean[u], d[u] - shift, correction, &d[u], &q[u], &a[0], &top[0]);
    for (int k = 1; k < 4; k++) top[0] = top[k] > top[0] ? top[k] : top[0];
    *squares = (a[0] + a[1]) + (a[2] + a[3]);
    *largest = top[0];
}

sr_status sr_mean_toward(sr_mean kind, int64_t n, const double *s, const double *eta, const double *mean,
                         double correction, int centred, double *d, double *q, double *squares, double *largest) {
    double sum[2] = {0.0, 0.0};
    const sr_status status = sr_mean_curvature(kind, n, eta, q); /* which stand in q for now */
    if (status != SR_OK) return status;
    if (centred) sr_weighted_sums(n, s, q, d, sum);
    const double by[2] = {sum[1] > 0.0 ? sum[0] / sum[1] : 0.0, correction};
    sr_go_toward(n, s, mean, by, d, q, squares, largest);
    return SR_OK;
}
