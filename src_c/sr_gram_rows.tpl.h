/* Products of a column with the members of a Gram matrix and with cached columns, and gradients on the columns' own
 * rows. Included by sr_columns.tpl.h for each type. */
#define SR_POSITION(work, label, wide) \
    ((wide) ? ((const int32_t *)(work)->position)[label] : (int32_t)((const uint16_t *)(work)->position)[label])

/* Products of column j with all columns, by position, through the rows of X: counts, as all are ones. */
SR_INLINE void SR_FN(count_by_rows)(const sr_matrix *X, const sr_matrix *Xt, int64_t j, sr_gram_work *work,
                                    const int wide) {
    const SR_FN(column) x = SR_FN(column_at)(X, j);
    uint32_t *count = work->count;
    for (int64_t e = 0; e < x.n; e++) {
        const SR_FN(column) row = SR_FN(row_of)(Xt, x, e, SR_KIND_ONES);
        /* No branch on membership, which no processor can predict: entries of untracked columns are counted too. */
        SR_UNROLL
        for (int64_t f = 0; f < row.n; f++) count[SR_POSITION(work, row.rows[f], wide)]++;
    }
    memset(count, 0, SR_UNTRACKED * sizeof *count);
}

/* The same as sums, with weights, values and dense columns. */
SR_INLINE void SR_FN(gram_by_rows)(const sr_matrix *X, const sr_matrix *Xt, const double *s, int64_t j,
                                   sr_gram_work *work, const int wide) {
    const SR_FN(column) x = SR_FN(column_at)(X, j);
    const int kind = (int)sr_kind_of(X, j), ones = Xt->n_ones == Xt->n_cols;
    double *sum = work->sum;
    for (int64_t e = 0; e < x.n; e++) {
        const double v = SR_VALUE(x, e, kind) * (s ? s[SR_ROW(x, e, kind)] : 1.0);
        const SR_FN(column) row = SR_FN(row_of)(Xt, x, e, kind);
        if (ones)
            for (int64_t f = 0; f < row.n; f++) sum[SR_POSITION(work, row.rows[f], wide)] += v;
        else
            for (int64_t f = 0; f < row.n; f++) sum[SR_POSITION(work, row.rows[f], wide)] += v * (double)row.values[f];
    }
    memset(sum, 0, SR_UNTRACKED * sizeof *sum);
    for (int64_t d = X->n_sparse; d < X->n_cols; d++) {
        const int32_t at = work->dense_position[d - X->n_sparse];
        if (at < 0) continue;
        const int64_t member = at - SR_UNTRACKED - work->n_places;
        const int known = d != j && member >= 0 && work->place >= 0; /* j was cached when this member was added */
        if (sr_is_marked(work)) sr_mark(work, at);
        sum[at] = known ? sr_product(work->products, member, work->place) : SR_FN(dot_of)(X, j, d, s);
    }
}

/* By a dot product of s x_j with each cached column, each member and j itself. */
SR_INLINE void SR_FN(gram_by_columns)(const sr_matrix *X, const double *s, const int64_t *cols, int64_t m, int64_t j,
                                      sr_gram_work *work) {
    const int64_t members = SR_UNTRACKED + work->n_places;
    SR_FN(axpy)(X, j, 1.0, s, work->row);
    for (int64_t a = -work->n_cached; a <= m; a++) { /* cached ones first */
        const int64_t k = a + work->n_cached, at = a < 0 ? SR_UNTRACKED + k : members + a;
        /* see products_with_dense */
        if (a < 0 ? k == work->place : work->count && a < m && cols[a] >= X->n_sparse) continue;
        const double product = SR_FN(dot)(X, a < 0 ? work->cached[k] : a < m ? cols[a] : j, work->row);
        if (work->count) work->count[at] = (uint32_t)product;
        else work->sum[at] = product;
    }
    const SR_FN(column) x = SR_FN(column_at)(X, j);
    const int kind = (int)sr_kind_of(X, j);
    for (int64_t e = 0; e < x.n; e++) work->row[SR_ROW(x, e, kind)] = 0.0;
}

/* Where the others are counted: products of column j with dense members, or of a dense one with all. */
static void SR_FN(products_with_dense)(const sr_matrix *X, const int64_t *cols, int64_t m, int64_t j,
                                       const sr_gram_work *work, double *products) {
    for (int64_t a = 0; a <= m; a++) {
        const int64_t k = a < m ? cols[a] : j, d = k > j ? k : j;
        if (d < X->n_sparse) continue;
        const int known = j < d && work->place >= 0; /* j was cached when this member was added */
        const double *with_dense = work->with_dense + (d - X->n_sparse) * work->n_places;
        products[a] = known ? with_dense[work->place] : SR_FN(dot_of)(X, k < j ? k : j, d, NULL);
    }
}

/* Products of the cached columns, which are of ones, with `width` dense columns at once: each index is read once. */
SR_INLINE void SR_FN(dense_products)(const sr_matrix *X, const int64_t *first, double *lanes, int64_t n_lanes,
                                     int64_t *next, const sr_gram_work *work, const int width) {
    const Real *dense[SR_ABREAST];
    double *out[SR_ABREAST];
    for (int l = 0; l < width; l++) {
        dense[l] = SR_FN(column_at)(X, first[l]).values;
        out[l] = work->with_dense + (first[l] - X->n_sparse) * work->n_places;
    }
    memset(next, 0, (size_t)work->n_cached * sizeof *next);
    for (int64_t begin = 0; begin < X->n_rows; begin += n_lanes) {
        const int64_t end = begin + n_lanes < X->n_rows ? begin + n_lanes : X->n_rows;
        for (int64_t i = begin; i < end; i++)
            for (int l = 0; l < width; l++) lanes[(i - begin) * width + l] = (double)dense[l][i];
        for (int64_t k = 0; k < work->n_cached; k++) {
            const SR_FN(column) x = SR_FN(column_at)(X, work->cached[k]);
            double a[SR_ABREAST] = {0.0}, b[SR_ABREAST] = {0.0}; /* two sums, as in dot_kind */
            int64_t e = next[k];
            for (; e + 2 <= x.n && (int64_t)x.rows[e + 1] < end; e += 2) {
                const double *u = lanes + ((int64_t)x.rows[e] - begin) * width;
                const double *v = lanes + ((int64_t)x.rows[e + 1] - begin) * width;
                for (int l = 0; l < width; l++) a[l] += u[l];
                for (int l = 0; l < width; l++) b[l] += v[l];
            }
            if (e < x.n && (int64_t)x.rows[e] < end) {
                const double *u = lanes + ((int64_t)x.rows[e++] - begin) * width;
                for (int l = 0; l < width; l++) a[l] += u[l];
            }
            for (int l = 0; l < width; l++) out[l][k] = (begin ? out[l][k] : 0.0) + (a[l] + b[l]);
            next[k] = e;
        }
    }
}

static void SR_FN(with_dense)(const sr_matrix *X, const int64_t *cols, int64_t m, double *lanes, int64_t n_lanes,
                              int64_t *next, const sr_gram_work *work) {
    for (int64_t a = 0; a < m; a += SR_ABREAST) switch (m - a) {
        case 1: SR_FN(dense_products)(X, cols + a, lanes, n_lanes, next, work, 1); break;
        case 2: SR_FN(dense_products)(X, cols + a, lanes, n_lanes, next, work, 2); break;
        default: SR_FN(dense_products)(X, cols + a, lanes, n_lanes, next, work, SR_ABREAST); break;
    }
}

/* The entries of the rows of column j, or more than the limit. */
static int64_t SR_FN(entries_of_rows)(const sr_matrix *X, const sr_matrix *Xt, int64_t j, int64_t limit) {
    const SR_FN(column) x = SR_FN(column_at)(X, j);
    int64_t entries = 0;
    if (x.n > limit) return x.n;
    for (int64_t e = 0; e < x.n; e++) entries += SR_FN(column_at)(Xt, (int64_t)x.rows[e]).n;
    return entries;
}

/* Where the rows of column j have so few entries that looking for products among all positions would take longer: mark
 * the positions that the column meets. */
static void SR_FN(mark_by_rows)(const sr_matrix *X, const sr_matrix *more, const sr_matrix *Xt, int64_t m, int64_t j,
                                sr_gram_work *work) {
    const int64_t limit = sr_positions(work, m) / SR_POSITIONS_PER_ENTRY;
    if (j >= X->n_sparse) return;
    int64_t entries = SR_FN(entries_of_rows)(X, Xt, j, limit);
    if (more) entries += SR_FN(entries_of_rows)(more, Xt, j, limit);
    if (entries > limit) return;
    work->marks[0] = 1; /* that there are marks */
    for (const sr_matrix *part = X; part; part = part == X ? more : NULL) {
        const SR_FN(column) x = SR_FN(column_at)(part, j);
        for (int64_t e = 0; e < x.n; e++) {
            const SR_FN(column) row = SR_FN(column_at)(Xt, (int64_t)x.rows[e]);
            for (int64_t f = 0; f < row.n; f++) sr_mark(work, SR_POSITION(work, row.rows[f], work->wide));
        }
    }
}

static void SR_FN(gram_column)(const sr_matrix *X, const sr_matrix *more, const sr_matrix *Xt, const double *s,
                               const int64_t *cols, int64_t m, int64_t j, sr_gram_work *work) {
    if (work->count && j >= X->n_sparse) return; /* see products_with_dense */
    if (!Xt) {
        SR_FN(gram_by_columns)(X, s, cols, m, j, work);
        return;
    }
    if (work->marks) SR_FN(mark_by_rows)(X, more, Xt, m, j, work);
    for (const sr_matrix *part = X; part; part = part == X ? more : NULL) {
        if (work->count && work->wide) SR_FN(count_by_rows)(part, Xt, j, work, 1);
        else if (work->count) SR_FN(count_by_rows)(part, Xt, j, work, 0);
        else if (work->wide) SR_FN(gram_by_rows)(part, Xt, s, j, work, 1);
        else SR_FN(gram_by_rows)(part, Xt, s, j, work, 0);
    }
}

SR_INLINE double SR_FN(gradient_by_rows_of)(const sr_matrix *X, const sr_matrix *Xt, const double *s, const double *y,
                                            const double *w, const sr_gram_work *work, int64_t j, const int wide) {
    const SR_FN(column) x = SR_FN(column_at)(X, j);
    const int kind = (int)sr_kind_of(X, j), ones = Xt->n_ones == Xt->n_cols;
    double total = 0.0;
    for (int64_t e = 0; e < x.n; e++) {
        const int64_t i = SR_ROW(x, e, kind);
        const SR_FN(column) row = SR_FN(row_of)(Xt, x, e, kind);
        double r = y[i], z = 0.0; /* two sums, as in dot_kind */
        if (e + SR_AHEAD < x.n) SR_PREFETCH(y + SR_ROW(x, e + SR_AHEAD, kind));
        int64_t f = 0;
        if (ones) {
            for (; f + 2 <= row.n; f += 2) {
                r -= w[SR_POSITION(work, row.rows[f], wide)];
                z += w[SR_POSITION(work, row.rows[f + 1], wide)];
            }
            if (f < row.n) r -= w[SR_POSITION(work, row.rows[f], wide)];
        } else {
            for (; f < row.n; f++) r -= w[SR_POSITION(work, row.rows[f], wide)] * (double)row.values[f];
        }
        r -= z;
        for (int64_t d = X->n_sparse; d < X->n_cols; d++) {
            const int32_t at = work->dense_position[d - X->n_sparse];
            if (at >= 0 && w[at] != 0.0) r -= w[at] * (double)SR_FN(column_at)(X, d).values[i];
        }
        total += SR_VALUE(x, e, kind) * (s ? s[i] : 1.0) * r;
    }
    return total;
}

static void SR_FN(gradient_by_rows)(const sr_matrix *X, const sr_matrix *Xt, const double *s, const double *y,
                                    const double *w, const sr_gram_work *work, const int64_t *wanted, int64_t n,
                                    double *out) {
    for (int64_t b = 0; b < n; b++) {
        if (b + 1 < n && wanted[b + 1] < X->n_sparse) { /* a short column ends before its own prefetches arrive */
            const SR_FN(column) next = SR_FN(column_at)(X, wanted[b + 1]);
            for (int64_t e = 0; e < next.n && e < SR_AHEAD; e++) {
                SR_FN(prefetch_row)(Xt, next, e, SR_KIND_ONES);
                SR_PREFETCH(y + next.rows[e]);
            }
        }
        if (b + 2 < n && wanted[b + 2] < X->n_sparse)
            SR_PREFETCH((const Index *)X->indices + ((const Index *)X->start)[wanted[b + 2]]);
        out[b] = work->wide ? SR_FN(gradient_by_rows_of)(X, Xt, s, y, w, work, wanted[b], 1)
                            : SR_FN(gradient_by_rows_of)(X, Xt, s, y, w, work, wanted[b], 0);
    }
}
/* Products of members in some rows, columns of Xt; see sr_add_rows. */
static void SR_FN(add_rows)(const sr_matrix *Xt, const int64_t *rows, int64_t n, const double *change,
                            const sr_gram_work *work, int64_t m, int32_t *place, double *value, double *D) {
    const int64_t members = SR_UNTRACKED + work->n_places;
    for (int64_t k = 0; k < n; k++) {
        const SR_FN(column) row = SR_FN(column_at)(Xt, rows[k]);
        int64_t to = 0;
        for (int64_t f = 0; f < row.n; f++) {
            const int64_t at = SR_POSITION(work, row.rows[f], work->wide) - members;
            place[to] = (int32_t)at; /* no branch: overwritten unless it is a member */
            if (row.values) value[to] = (double)row.values[f];
            to += 0 <= at && at < m;
        }
        sr_add_row(place, row.values ? value : NULL, to, change[k], m, D);
    }
}
#undef SR_POSITION
