/* Template body, included once a variant at the end of sr_columns.tpl.h: what ridge's preconditioner wants of X. */

/* in and out: v = S X z, *v_sum = sum(v) */
static void SR_FN(gauss_seidel)(const sr_matrix *X, const int64_t *cols, int64_t m, const sr_quadratic *q, const double *g,
                                const double *s, double *z, double *v, double *v_sum) {
    for (int64_t a = 0; a < m; a++) {
        const int64_t j = cols[a];
        const double product = SR_FN(dot)(X, j, v) - q->sums[j] / q->weight_sum * *v_sum;
        const double step = (g[j] - product - q->penalty[j] * z[j]) * q->inverse[j];
        if (step == 0.0) continue;
        SR_FN(axpy)(X, j, step, s, v);
        z[j] += step;
        *v_sum += step * q->sums[j];
    }
}
