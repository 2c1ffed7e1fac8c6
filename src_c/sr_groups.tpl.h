/* Template body, included once for each Index with SR_FN(name) defined: what reads the rows of columns of ones. */

SR_INLINE int64_t SR_FN(rows_of)(const sr_matrix *X, int64_t j, const Index **rows) {
    const int64_t begin = ((const Index *)X->start)[j] + X->before;
    *rows = (const Index *)X->indices + begin;
    return ((const Index *)X->stop)[j] - X->after - begin;
}

/* Each group met takes its place in `list`; size_in[g]: how many of its rows are in column j. */
static int64_t SR_FN(groups_meet)(const sr_matrix *X, int64_t j, const sr_groups *g, int32_t *size_in, int32_t *list) {
    const Index *rows;
    const int64_t n = SR_FN(rows_of)(X, j, &rows);
    int64_t met = 0;
    for (int64_t e = 0; e < n; e++) {
        const int32_t at = g->of_row[rows[e]];
        list[met] = at; /* no branch: overwritten unless the group is new */
        met += size_in[at]++ == 0;
    }
    return met;
}

/* Rows of column j move to target[group], whose sums take theirs up where that is another group; y NULL: no sums. */
static void SR_FN(groups_move)(const sr_matrix *X, int64_t j, const double *y, const double *s, const sr_groups *g,
                               const int32_t *target) {
    const Index *rows;
    const int64_t n = SR_FN(rows_of)(X, j, &rows);
    for (int64_t e = 0; e < n; e++) {
        const int64_t i = rows[e];
        const int32_t from = g->of_row[i], to = target[from];
        if (to == from) continue;
        g->of_row[i] = to;
        if (!y) continue;
        const double weight = s ? s[i] : 1.0, value = weight * y[i];
        g->s[to] += weight;
        g->sy[to] += value;
        g->syy[to] += value * y[i];
    }
}

/* sum of s_i mean[group of i] over the rows of column j; four partial sums, as everywhere. */
static double SR_FN(groups_sum)(const sr_matrix *X, int64_t j, const double *s, const sr_groups *g,
                                const double *mean) {
    const Index *rows;
    const int64_t n = SR_FN(rows_of)(X, j, &rows);
    const int32_t *of_row = g->of_row;
    double a[4] = {0.0};
    int64_t e = 0;
    if (s)
        for (; e < n; e++) a[e & 3] += s[rows[e]] * mean[of_row[rows[e]]];
    for (; e + 4 <= n; e += 4)
        for (int k = 0; k < 4; k++) a[k] += mean[of_row[rows[e + k]]];
    for (; e < n; e++) a[0] += mean[of_row[rows[e]]];
    return (a[0] + a[1]) + (a[2] + a[3]);
}
