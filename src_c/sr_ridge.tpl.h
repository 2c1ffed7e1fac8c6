/* Template body, included once a variant at the end of sr_columns.tpl.h: what ridge reads of X. */

/* in and out: v = S X z, *v_sum = sum(v) */
static void SR_FN(gauss_seidel)(const sr_matrix *X, const int64_t *cols, int64_t m, const sr_ridge_quadratic *q,
                                const double *g, const double *s, double *z, double *v, double *v_sum) {
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

/* Below, Xt holds the rows of X, each with its columns in increasing order. */

static double SR_FN(residual_products)(const sr_matrix *Xt, const double *w, const double *y, const double *s,
                                       double shift, double *out) {
    const int ones = Xt->n_ones == Xt->n_cols;
    double total = 0.0;
    for (int64_t i = 0; i < Xt->n_cols; i++) {
        const SR_FN(column) row = SR_FN(column_at)(Xt, i);
        double r = y[i] + shift;
        if (ones)
            for (int64_t e = 0; e < row.n; e++) r -= w[row.rows[e]];
        else
            for (int64_t e = 0; e < row.n; e++) r -= (double)row.values[e] * w[row.rows[e]];
        if (s) r *= s[i];
        total += r;
        if (ones)
            for (int64_t e = 0; e < row.n; e++) out[row.rows[e]] += r;
        else
            for (int64_t e = 0; e < row.n; e++) out[row.rows[e]] += r * (double)row.values[e];
    }
    return total;
}

static void SR_FN(find_factors)(const sr_matrix *Xt, int64_t *next, int64_t max_factors, uint8_t *factor, int64_t *ends,
                                int64_t *n_factors) {
    for (int64_t i = 0; i < Xt->n_cols; i++) {
        const SR_FN(column) row = SR_FN(column_at)(Xt, i);
        for (int64_t e = 0; e + 1 < row.n; e++)
            if ((int64_t)row.rows[e + 1] < next[row.rows[e]]) next[row.rows[e]] = (int64_t)row.rows[e + 1];
    }
    int64_t f = 0, end = Xt->n_rows; /* column `end` shares a row with factor f */
    for (int64_t j = 0; j < Xt->n_rows; j++) {
        if (j == end) {
            ends[f] = end;
            end = Xt->n_rows;
            if (++f == max_factors) break;
        }
        factor[j] = (uint8_t)f;
        if (next[j] < end) end = next[j];
    }
    if (f < max_factors) ends[f] = end;
    *n_factors = f == max_factors ? 0 : f + 1;
}

static void SR_FN(factor_codes)(const sr_matrix *Xt, const int64_t *ends, const int32_t *level, int32_t *const *codes) {
    for (int64_t i = 0; i < Xt->n_cols; i++) {
        const SR_FN(column) row = SR_FN(column_at)(Xt, i);
        int64_t f = 0;
        for (int64_t e = 0; e < row.n; e++) {
            const int32_t code = level[row.rows[e]];
            while ((int64_t)row.rows[e] >= ends[f]) f++;
            if (code >= 0) codes[f][i] = code;
        }
    }
}

SR_INLINE void SR_FN(dense_gram_of)(const sr_matrix *Xt, const int32_t *position, int64_t n_pos, int64_t k,
                                    const double *s, int32_t *at, double *value, double *G, const int ones) {
    for (int64_t i = 0; i < Xt->n_cols; i++) {
        const SR_FN(column) row = SR_FN(column_at)(Xt, i);
        const double weight = s ? s[i] : 1.0;
        int64_t n = 0; /* entries of the row in Z */
        for (int64_t e = 0; e < row.n; e++)
            for (int64_t b = 0; b < n_pos; b++) {
                const int32_t to = position[(int64_t)row.rows[e] * n_pos + b];
                if (to < 0) break;
                at[n] = to;
                if (!ones) value[n] = (double)row.values[e];
                n++;
            }
        for (int64_t a = 0; a < n; a++) {
            double *const of = G + at[a] * k;
            if (ones)
                for (int64_t b = 0; b <= a; b++) of[at[b]] += weight;
            else
                for (int64_t b = 0; b <= a; b++) of[at[b]] += weight * value[a] * value[b];
        }
    }
}

static void SR_FN(dense_gram)(const sr_matrix *Xt, const int32_t *position, int64_t n_pos, int64_t k, const double *s,
                              int32_t *at, double *value, double *G) {
    if (Xt->n_ones == Xt->n_cols) SR_FN(dense_gram_of)(Xt, position, n_pos, k, s, at, value, G, 1);
    else SR_FN(dense_gram_of)(Xt, position, n_pos, k, s, at, value, G, 0);
}
