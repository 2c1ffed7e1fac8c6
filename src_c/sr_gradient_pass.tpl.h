/* Template body, included once a variant at the end of sr_columns.tpl.h: rows of ones, read by the codes of their
 * columns. `codes` has those of the rows' entries one after the other, from the first entry of row `begin` on. */

/* in and out: c += Z' r */
static void SR_FN(gradient_pass)(const sr_matrix *Xt, int64_t begin, int64_t end, const uint16_t *code_of,
                                 uint16_t *codes,
                                 const double *y, double base, const double *w, double *c, sr_pass_sums *out) {
    double rr = 0.0, max_abs = 0.0;
    for (int64_t i = begin; i < end; i++) {
        const SR_FN(column) row = SR_FN(column_at)(Xt, i);
        double r = y[i] - base;
        for (int64_t e = 0; code_of && e < row.n; e++) codes[e] = code_of[row.rows[e]];
        for (int64_t e = 0; w && e < row.n; e++) r -= w[codes[e]];
        for (int64_t e = 0; e < row.n; e++) c[codes[e]] += r;
        codes += row.n;
        rr += r * r;
        max_abs = fabs(r) > max_abs ? fabs(r) : max_abs;
    }
    *out = (sr_pass_sums){rr, max_abs};
}

/* in and out: G */
static void SR_FN(count_pairs)(const sr_matrix *Xt, int64_t begin, int64_t end, const uint16_t *codes,
                               const int16_t *position,
                               int64_t k, int16_t *members, double *G) {
    for (int64_t i = begin; i < end; i++) {
        const int64_t length = SR_FN(column_at)(Xt, i).n;
        int64_t n = 0;
        /* No branch on membership, which no processor can predict: what is no member's is overwritten. */
        for (int64_t e = 0; e < length; e++) {
            members[n] = position[codes[e]];
            n += members[n] >= 0;
        }
        codes += length;
        for (int64_t a = 1; a < n; a++)
            for (int64_t b = 0; b < a; b++) G[members[a] * k + members[b]] += 1.0;
    }
}
