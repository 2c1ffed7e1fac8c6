/* Losses at points on the line between two, against the dual points there; included where the means are. */
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
