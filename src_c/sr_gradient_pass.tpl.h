/* Template body, included once a variant at the end of sr_columns.tpl.h: rows of ones, read by the codes of their columns. */

/* in and out: c += Z' r */
static void SR_FN(gradient_pass)(const sr_matrix *Xt, int64_t begin, int64_t end, const uint16_t *code_of, uint16_t *codes, const double *y,
                         double base, const double *w, double *c, sr_pass_sums *out) {
    double rr = 0.0, peak = 0.0;
    for (int64_t i = begin; i < end; i++) {
        const SR_FN(column) row = SR_FN(column_at)(Xt, i);
        uint16_t *slot = codes + (row.rows - (const Index *)Xt->indices);
        double r = y[i] - base;
        for (int64_t e = 0; code_of && e < row.n; e++) slot[e] = code_of[row.rows[e]];
        for (int64_t e = 0; w && e < row.n; e++) r -= w[slot[e]];
        for (int64_t e = 0; e < row.n; e++) c[slot[e]] += r;
        rr += r * r;
        peak = fabs(r) > peak ? fabs(r) : peak;
    }
    *out = (sr_pass_sums){rr, peak};
}

/* in and out: G */
static void SR_FN(count_pairs)(const sr_matrix *Xt, int64_t begin, int64_t end, const uint16_t *codes, const int16_t *position, int64_t k,
                               int16_t *met, double *G) {
    for (int64_t i = begin; i < end; i++) {
        const SR_FN(column) row = SR_FN(column_at)(Xt, i);
        const uint16_t *slot = codes + (row.rows - (const Index *)Xt->indices);
        int64_t n = 0;
        /* Without a branch on membership, which nothing could predict: what is no member's is written over. */
        for (int64_t e = 0; e < row.n; e++) {
            met[n] = position[slot[e]];
            n += met[n] >= 0;
        }
        for (int64_t a = 1; a < n; a++)
            for (int64_t b = 0; b < a; b++) G[met[a] * k + met[b]] += 1.0;
    }
}
