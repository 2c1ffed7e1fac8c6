/* Template body, included once a variant with Real, Index and SR_FN(name) defined: everything that reads X.
 * The kind of a column is a constant argument of forced-inline bodies, so that no loop branches on it. */

typedef struct {
    const Index *rows;  /* not read for dense columns: entry e is row e */
    const Real *values; /* not read for all-ones columns */
    int64_t n;
} SR_FN(column);
#define SR_ROW(x, e, kind) ((kind) == SR_KIND_DENSE ? (e) : (int64_t)(x).rows[e])
#define SR_VALUE(x, e, kind) ((kind) == SR_KIND_ONES ? 1.0 : (double)(x).values[e])

SR_INLINE SR_FN(column) SR_FN(column_at)(const sr_matrix *X, int64_t j) {
    if (j >= X->n_sparse) return (SR_FN(column)){NULL, (const Real *)X->dense + (j - X->n_sparse) * X->dense_stride,
                                                 X->n_rows};
    const int64_t begin = ((const Index *)X->start)[j] + X->before, end = ((const Index *)X->stop)[j] - X->after;
    return (SR_FN(column)){(const Index *)X->indices + begin,
                           j < X->n_ones ? NULL : (const Real *)X->data + (begin - X->data_shift), end - begin};
}

/* Four partial sums: an addition waits about four cycles for the one before it, and compilers may not reorder sums. */
SR_INLINE double SR_FN(dot_kind)(SR_FN(column) x, const double *v, const int kind) {
    double a0 = 0.0, a1 = 0.0, a2 = 0.0, a3 = 0.0;
    int64_t e = 0;
    if (kind == SR_KIND_DENSE) { /* long, and no indices: eight */
        double a[8] = {0.0};
        for (; e + 8 <= x.n; e += 8)
            for (int l = 0; l < 8; l++) a[l] += SR_VALUE(x, e + l, kind) * v[e + l];
        a0 = a[0] + a[4], a1 = a[1] + a[5], a2 = a[2] + a[6], a3 = a[3] + a[7];
    }
    for (; e + 4 <= x.n; e += 4) {
        a0 += SR_VALUE(x, e, kind) * v[SR_ROW(x, e, kind)];
        a1 += SR_VALUE(x, e + 1, kind) * v[SR_ROW(x, e + 1, kind)];
        a2 += SR_VALUE(x, e + 2, kind) * v[SR_ROW(x, e + 2, kind)];
        a3 += SR_VALUE(x, e + 3, kind) * v[SR_ROW(x, e + 3, kind)];
    }
    for (; e < x.n; e++) a0 += SR_VALUE(x, e, kind) * v[SR_ROW(x, e, kind)];
    return (a0 + a1) + (a2 + a3);
}

SR_INLINE void SR_FN(axpy_kind)(SR_FN(column) x, double step, const double *s, double *out, const int kind,
                                const int weighted) {
    for (int64_t e = 0; e < x.n; e++) {
        const int64_t i = SR_ROW(x, e, kind);
        out[i] += step * SR_VALUE(x, e, kind) * (weighted ? s[i] : 1.0);
    }
}

SR_WIDE static double SR_FN(dot)(const sr_matrix *X, int64_t j, const double *v) {
    const SR_FN(column) x = SR_FN(column_at)(X, j);
    switch (sr_kind_of(X, j)) {
        case SR_KIND_ONES: return SR_FN(dot_kind)(x, v, SR_KIND_ONES);
        case SR_KIND_VALUED: return SR_FN(dot_kind)(x, v, SR_KIND_VALUED);
        default: return SR_FN(dot_kind)(x, v, SR_KIND_DENSE);
    }
}

SR_WIDE static void SR_FN(axpy)(const sr_matrix *X, int64_t j, double step, const double *s, double *out) {
    const SR_FN(column) x = SR_FN(column_at)(X, j);
    switch (2 * (int)sr_kind_of(X, j) + (s != NULL)) {
        case 2 * SR_KIND_ONES: SR_FN(axpy_kind)(x, step, s, out, SR_KIND_ONES, 0); break;
        case 2 * SR_KIND_ONES + 1: SR_FN(axpy_kind)(x, step, s, out, SR_KIND_ONES, 1); break;
        case 2 * SR_KIND_VALUED: SR_FN(axpy_kind)(x, step, s, out, SR_KIND_VALUED, 0); break;
        case 2 * SR_KIND_VALUED + 1: SR_FN(axpy_kind)(x, step, s, out, SR_KIND_VALUED, 1); break;
        case 2 * SR_KIND_DENSE: SR_FN(axpy_kind)(x, step, s, out, SR_KIND_DENSE, 0); break;
        default: SR_FN(axpy_kind)(x, step, s, out, SR_KIND_DENSE, 1); break;
    }
}

/* Entries before the first one in row `end` or beyond. */
SR_INLINE int64_t SR_FN(entries_below)(SR_FN(column) x, int64_t from, int64_t end) {
    int64_t to = x.n;
    if (to > from && (int64_t)x.rows[to - 1] < end) return to;
    while (from < to) {
        const int64_t middle = from + (to - from) / 2;
        if ((int64_t)x.rows[middle] < end) from = middle + 1;
        else to = middle;
    }
    return from;
}

/* k sparse columns j, of results out[at], block of rows by block. */
SR_WIDE static void SR_FN(dots_by_blocks)(const sr_matrix *X, const int64_t *j, const int64_t *at, int64_t k,
                                          const double *v, double *out) {
    int64_t next[SR_TILE] = {0};
    for (int64_t a = 0; a < k; a++) out[at[a]] = 0.0;
    for (int64_t end = SR_ROWS_ABREAST; end < X->n_rows + SR_ROWS_ABREAST; end += SR_ROWS_ABREAST)
        for (int64_t a = 0; a < k; a++) {
            SR_FN(column) x = SR_FN(column_at)(X, j[a]);
            const int64_t from = next[a], to = next[a] = SR_FN(entries_below)(x, from, end);
            x.rows += from, x.n = to - from;
            if (x.values) x.values += from;
            out[at[a]] += x.values ? SR_FN(dot_kind)(x, v, SR_KIND_VALUED) : SR_FN(dot_kind)(x, v, SR_KIND_ONES);
        }
}

static void SR_FN(rmatvec)(const sr_matrix *X, const int64_t *cols, int64_t first, int64_t m, const double *v,
                           double *out) {
    const int64_t blocks = (X->n_rows + SR_ROWS_ABREAST - 1) / SR_ROWS_ABREAST;
    int64_t j[SR_TILE], at[SR_TILE], k = 0;
    for (int64_t a = 0; a < m; a++) {
        const int64_t col = cols ? cols[a] : first + a;
        const int by_blocks = blocks > 1 && col < X->n_sparse &&
                              SR_FN(column_at)(X, col).n >= blocks * SR_BLOCK_ENTRIES;
        if (by_blocks) at[k] = a, j[k++] = col;
        else out[a] = SR_FN(dot)(X, col, v);
        if (k == SR_TILE) SR_FN(dots_by_blocks)(X, j, at, k, v, out), k = 0;
    }
    if (k) SR_FN(dots_by_blocks)(X, j, at, k, v, out);
}

/* A dense column with SR_VECTORS vectors, whose numbers of one row are neighbours in v: lanes are vectors, so that
 * nothing is summed over lanes. Even and odd rows have sums of their own, which do not wait for each other. */
SR_WIDE static void SR_FN(dots_abreast)(const Real *x, int64_t n, const double *v, double *out) {
    double even[SR_VECTORS] = {0.0}, odd[SR_VECTORS] = {0.0};
    for (int64_t i = 0; i + 1 < n; i += 2) {
        for (int l = 0; l < SR_VECTORS; l++) even[l] += (double)x[i] * v[i * SR_VECTORS + l];
        for (int l = 0; l < SR_VECTORS; l++) odd[l] += (double)x[i + 1] * v[(i + 1) * SR_VECTORS + l];
    }
    for (int l = 0; l < SR_VECTORS && n % 2; l++) even[l] += (double)x[n - 1] * v[(n - 1) * SR_VECTORS + l];
    for (int l = 0; l < SR_VECTORS; l++) out[l] = even[l] + odd[l];
}

static void SR_FN(rmatvecs)(const sr_matrix *X, const int64_t *cols, int64_t m, const double *V, int64_t k,
                            double *abreast, double *out) {
    double sums[SR_VECTORS];
    for (int64_t b = 0, n_abreast; b < k; b += n_abreast) {
        n_abreast = k - b < SR_VECTORS ? k - b : SR_VECTORS;
        const int few = n_abreast <= SR_VECTORS / 2;
        for (int64_t i = 0; i < X->n_rows && !few; i++)
            for (int64_t l = 0; l < SR_VECTORS; l++)
                abreast[i * SR_VECTORS + l] = l < n_abreast ? V[(b + l) * X->n_rows + i] : 0.0;
        for (int64_t a = 0; a < m; a++) {
            const int64_t j = cols ? cols[a] : a;
            if (few || j < X->n_sparse) {
                for (int64_t l = 0; l < n_abreast; l++) {
                    out[(b + l) * m + a] = SR_FN(dot)(X, j, V + (b + l) * X->n_rows);
                }
                continue;
            }
            SR_FN(dots_abreast)(SR_FN(column_at)(X, j).values, X->n_rows, abreast, sums);
            for (int64_t l = 0; l < n_abreast; l++) out[(b + l) * m + a] = sums[l];
        }
    }
}

/* Three dense columns at once: out is read and written once for all. */
SR_WIDE static void SR_FN(axpy_abreast)(const sr_matrix *X, const int64_t *cols, const double *step, const double *s,
                                        double *restrict out) {
    const Real *x = SR_FN(column_at)(X, cols[0]).values, *y = SR_FN(column_at)(X, cols[1]).values;
    const Real *z = SR_FN(column_at)(X, cols[2]).values;
    for (int64_t i = 0; i < X->n_rows; i++) {
        const double sum = step[0] * (double)x[i] + step[1] * (double)y[i] + step[2] * (double)z[i];
        out[i] += s ? s[i] * sum : sum;
    }
}

static void SR_FN(matvec_dense)(const sr_matrix *X, const int64_t *cols, int64_t m, const double *w, double scale,
                                const double *s, double *out) {
    int64_t j[SR_ABREAST], n = 0;
    double step[SR_ABREAST];
    for (int64_t a = 0; a < m; a++) {
        if (w[a] == 0.0 || (cols ? cols[a] : a) < X->n_sparse) continue;
        j[n] = cols ? cols[a] : a, step[n++] = scale * w[a];
        if (n == SR_ABREAST) SR_FN(axpy_abreast)(X, j, step, s, out), n = 0;
    }
    for (int64_t d = 0; d < n; d++) SR_FN(axpy)(X, j[d], step[d], s, out);
}

static void SR_FN(matvec)(const sr_matrix *X, const int64_t *cols, int64_t m, const double *w, double scale,
                          const double *s, double *out) {
    for (int64_t a = 0; a < m; a++)
        if (w[a] != 0.0 && (cols ? cols[a] : a) < X->n_sparse) SR_FN(axpy)(X, cols ? cols[a] : a, scale * w[a], s, out);
    if (X->n_sparse < X->n_cols) SR_FN(matvec_dense)(X, cols, m, w, scale, s, out);
}

SR_INLINE int64_t SR_FN(subtract_rows)(SR_FN(column) x, int64_t e, int64_t begin, int64_t end, double w, double *r,
                                       const int kind) {
    if (kind == SR_KIND_DENSE) /* one condition only, so that compilers vectorise */
        for (; e < end; e++) r[e - begin] -= w * SR_VALUE(x, e, kind);
    else
        for (; e < x.n && SR_ROW(x, e, kind) < end; e++) r[SR_ROW(x, e, kind) - begin] -= w * SR_VALUE(x, e, kind);
    return e;
}

/* Of a column, the first entry of the rows from `first` on. */
SR_INLINE int64_t SR_FN(first_entry)(const sr_matrix *X, int64_t col, int64_t first) {
    if (sr_kind_of(X, col) == SR_KIND_DENSE) return first;
    const SR_FN(column) x = SR_FN(column_at)(X, col);
    int64_t e = 0;
    while (e < x.n && SR_ROW(x, e, SR_KIND_ONES) < first) e++;
    return e;
}

static double SR_FN(residual_max_abs)(const sr_matrix *X, const int64_t *cols, int64_t m, const double *w,
                                      const double *y, double base, const double *s, int64_t first, int64_t last,
                                      int64_t *next, double *r) {
    double max_abs = 0.0;
    for (int64_t a = 0; a < m; a++) next[a] = SR_FN(first_entry)(X, cols[a], first);
    for (int64_t begin = first; begin < last; begin += SR_RESIDUAL_BLOCK) {
        const int64_t end = begin + SR_RESIDUAL_BLOCK < last ? begin + SR_RESIDUAL_BLOCK : last;
        for (int64_t i = begin; i < end; i++) r[i - begin] = y[i] - base;
        for (int64_t a = 0; a < m; a++) {
            if (w[a] == 0.0) continue;
            const SR_FN(column) x = SR_FN(column_at)(X, cols[a]);
            switch (sr_kind_of(X, cols[a])) {
                case SR_KIND_ONES: next[a] = SR_FN(subtract_rows)(x, next[a], begin, end, w[a], r, SR_KIND_ONES); break;
                case SR_KIND_VALUED: next[a] = SR_FN(subtract_rows)(x, next[a], begin, end, w[a], r,
                                                                    SR_KIND_VALUED); break;
                default: next[a] = SR_FN(subtract_rows)(x, next[a], begin, end, w[a], r, SR_KIND_DENSE); break;
            }
        }
        for (int64_t i = begin; i < end; i++) {
            const double abs_r = fabs(s ? s[i] * r[i - begin] : r[i - begin]);
            if (abs_r > max_abs) max_abs = abs_r;
        }
    }
    return max_abs;
}

SR_INLINE void SR_FN(stats_kind)(SR_FN(column) x, const double *s, const sr_stats *out, int64_t a, const int kind) {
    sr_measures even = {0.0, 0.0, 0.0, 0.0}, odd = even; /* two sums, as in dot_kind */
    int64_t e = 0;
    for (; e + 2 <= x.n; e += 2) {
        sr_measure(&even, SR_VALUE(x, e, kind), s ? s[SR_ROW(x, e, kind)] : 1.0);
        sr_measure(&odd, SR_VALUE(x, e + 1, kind), s ? s[SR_ROW(x, e + 1, kind)] : 1.0);
    }
    if (e < x.n) sr_measure(&even, SR_VALUE(x, e, kind), s ? s[SR_ROW(x, e, kind)] : 1.0);
    out->sums[a] = even.sum + odd.sum;
    out->sq_norms[a] = even.sq_norm + odd.sq_norm;
    out->l1_norms[a] = even.l1_norm + odd.l1_norm;
    out->max_abs[a] = fmax(even.max_abs, odd.max_abs);
}

/* The same of a dense column, in four lanes. Magnitudes are compared as whole numbers, whose order is theirs: compilers
 * make no vector code of a maximum of doubles. */
SR_WIDE static void SR_FN(stats_dense)(SR_FN(column) x, const double *s, const sr_stats *out, int64_t a) {
    double sum[4] = {0.0}, sq[4] = {0.0}, l1[4] = {0.0};
    int64_t top[4] = {0}, e = 0;
    for (; e + 4 <= x.n; e += 4) {
        SR_ROLLED
        for (int l = 0; l < 4; l++) {
            const double v = (double)x.values[e + l], weighted = s ? s[e + l] * v : v;
            const int64_t size = sr_bits(fabs(v));
            sum[l] += weighted;
            sq[l] += weighted * v;
            l1[l] += fabs(weighted);
            top[l] = size > top[l] ? size : top[l];
        }
    }
    sr_measures rest = {0.0, 0.0, 0.0, 0.0};
    for (; e < x.n; e++) sr_measure(&rest, (double)x.values[e], s ? s[e] : 1.0);
    for (int l = 0; l < 4; l++) {
        double size;
        memcpy(&size, top + l, sizeof size);
        rest.max_abs = size > rest.max_abs ? size : rest.max_abs;
    }
    out->sums[a] = (sum[0] + sum[1]) + (sum[2] + sum[3]) + rest.sum;
    out->sq_norms[a] = (sq[0] + sq[1]) + (sq[2] + sq[3]) + rest.sq_norm;
    out->l1_norms[a] = (l1[0] + l1[1]) + (l1[2] + l1[3]) + rest.l1_norm;
    out->max_abs[a] = rest.max_abs;
}

static void SR_FN(column_stats)(const sr_matrix *X, const int64_t *cols, int64_t m, const double *s,
                                const sr_stats *out) {
    for (int64_t a = 0; a < m; a++) {
        const int64_t j = cols ? cols[a] : a;
        const SR_FN(column) x = SR_FN(column_at)(X, j);
        switch (sr_kind_of(X, j)) {
            case SR_KIND_ONES:
                if (s) SR_FN(stats_kind)(x, s, out, a, SR_KIND_ONES);
                else out->sums[a] = out->sq_norms[a] = out->l1_norms[a] = (double)x.n, out->max_abs[a] = 1.0;
                break;
            case SR_KIND_VALUED: SR_FN(stats_kind)(x, s, out, a, SR_KIND_VALUED); break;
            default: SR_FN(stats_dense)(x, s, out, a); break;
        }
    }
}

/* in and out: r = s (y - offset - X w), *r_sum = sum(r) */
static double SR_FN(cd_residual)(const sr_matrix *X, const int64_t *cols, const sr_coordinates *co,
                                 const int64_t *order, int64_t n_order, const double *s, double *r) {
    double decrease = 0.0;
    for (int64_t o = 0; o < n_order; o++) {
        const int64_t a = order[o], j = cols[a];
        const double c = SR_FN(dot)(X, j, r) - co->sums[a] / co->weight_sum * *co->r_sum;
        const double step = sr_coordinate_step(co, a, c);
        if (step == 0.0) continue;
        SR_FN(axpy)(X, j, -step, s, r);
        decrease = sr_take_step(co, a, step, decrease);
    }
    return decrease;
}

/* Prefetch both ends of the row of entry e of column x. */
SR_INLINE void SR_FN(prefetch_row)(const sr_matrix *Xt, SR_FN(column) x, int64_t e, const int kind) {
    const int64_t i = SR_ROW(x, e, kind);
    SR_PREFETCH((const Index *)Xt->indices + ((const Index *)Xt->start)[i] + Xt->before);
    SR_PREFETCH((const Index *)Xt->indices + ((const Index *)Xt->stop)[i] - 1 - Xt->after);
}

/* The row of entry e of column x; later rows are prefetched, and before them their pointers. */
SR_INLINE SR_FN(column) SR_FN(row_of)(const sr_matrix *Xt, SR_FN(column) x, int64_t e, const int kind) {
    if (e + 2 * SR_AHEAD < x.n) SR_PREFETCH((const Index *)Xt->start + SR_ROW(x, e + 2 * SR_AHEAD, kind));
    if (e + SR_AHEAD < x.n) SR_FN(prefetch_row)(Xt, x, e + SR_AHEAD, kind);
    return SR_FN(column_at)(Xt, SR_ROW(x, e, kind));
}

SR_INLINE double SR_FN(dot_of_kind)(SR_FN(column) x, const Real *dense, const double *s, const int kind) {
    double a[4] = {0.0};
    int64_t e = 0;
    for (; e + 4 <= x.n; e += 4)
        for (int l = 0; l < 4; l++) {
            const int64_t i = SR_ROW(x, e + l, kind);
            a[l] += SR_VALUE(x, e + l, kind) * (double)dense[i] * (s ? s[i] : 1.0);
        }
    for (; e < x.n; e++)
        a[0] += SR_VALUE(x, e, kind) * (double)dense[SR_ROW(x, e, kind)] * (s ? s[SR_ROW(x, e, kind)] : 1.0);
    return (a[0] + a[1]) + (a[2] + a[3]);
}

/* x_j' (s x_d), d dense. */
SR_WIDE static double SR_FN(dot_of)(const sr_matrix *X, int64_t j, int64_t d, const double *s) {
    const SR_FN(column) x = SR_FN(column_at)(X, j);
    const Real *dense = SR_FN(column_at)(X, d).values;
    switch (sr_kind_of(X, j)) {
        case SR_KIND_ONES: return SR_FN(dot_of_kind)(x, dense, s, SR_KIND_ONES);
        case SR_KIND_VALUED: return SR_FN(dot_of_kind)(x, dense, s, SR_KIND_VALUED);
        default: return SR_FN(dot_of_kind)(x, dense, s, SR_KIND_DENSE);
    }
}

#include "sr_gram_rows.tpl.h"
#include "sr_compressed.tpl.h"
#include "sr_ridge.tpl.h"
#include "sr_gradient_pass.tpl.h"
#include "sr_projection.tpl.h"
#include "sr_softmax.tpl.h"
#undef SR_ROW
#undef SR_VALUE
