/* The growing Gram matrix and coordinate descent on it. Knows nothing of X. */
#include <string.h>

#include "sr_coordinate.h"

enum { SR_SMALLEST_COLUMN = 4 };

/* Give column a room for twice its entries at the end of the arena. Doubling makes appending O(1) on average. */
static void sr_gram_move(sr_gram *G, int64_t a, int64_t cap) {
    const int64_t to = G->used, n = G->len[a];
    memcpy(G->idx + to, G->idx + G->begin[a], (size_t)n * sizeof *G->idx);
    memcpy(G->val + to, G->val + G->begin[a], (size_t)n * sizeof *G->val);
    G->begin[a] = to;
    G->cap[a] = cap;
    G->used += cap;
}

sr_status sr_gram_push(sr_gram *G, int64_t m, const double *products, int64_t *need) {
    int64_t met = 1, moves = 0;
    for (int64_t a = 0; a < m; a++) {
        if (products[a] == 0.0) continue;
        met++;
        if (G->len[a] == G->cap[a]) moves += 2 * G->cap[a];
    }
    const int64_t own = met < SR_SMALLEST_COLUMN ? SR_SMALLEST_COLUMN : met + met / 4;
    *need = own + moves;
    if (G->used + *need > G->size) return SR_NEED_SPACE;

    int64_t to = G->used;
    G->begin[m] = to;
    G->cap[m] = own;
    G->len[m] = met;
    G->used += own;
    for (int64_t a = 0; a < m; a++) {
        if (products[a] == 0.0) continue;
        G->idx[to] = (int32_t)a;
        G->val[to++] = products[a];
        if (G->len[a] == G->cap[a]) sr_gram_move(G, a, 2 * G->cap[a]);
        const int64_t at = G->begin[a] + G->len[a]++;
        G->idx[at] = (int32_t)m;
        G->val[at] = products[a];
    }
    G->idx[to] = (int32_t)m;
    G->val[to] = products[m];
    return SR_OK;
}

SR_INLINE void sr_gram_axpy(const sr_gram *G, int64_t a, double step, double *q) {
    const int32_t *idx = G->idx + G->begin[a];
    const double *val = G->val + G->begin[a];
    for (int64_t e = 0; e < G->len[a]; e++) q[idx[e]] -= step * val[e];
}

void sr_gram_subtract(const sr_gram *G, int64_t m, const double *x, double *out) {
    for (int64_t a = 0; a < m; a++)
        if (x[a] != 0.0) sr_gram_axpy(G, a, x[a], out);
}

/* in and out: q = X_M' r, *r_sum = sum(r) */
void sr_cd_gram(const sr_gram *G, const sr_coordinates *co, const int64_t *order, int64_t n_order, int64_t max_epochs, double tol,
                double *q, int64_t *epochs, double *decrease) {
    *epochs = 0;
    while (*epochs < max_epochs) {
        double moved = 0.0;
        for (int64_t o = 0; o < n_order; o++) {
            const int64_t a = order[o];
            const double c = q[a] - co->sums[a] / co->weight_sum * *co->r_sum;
            const double step = sr_coordinate_step(co, a, c);
            if (step == 0.0) continue;
            sr_gram_axpy(G, a, step, q);
            moved = sr_take_step(co, a, step, moved);
        }
        ++*epochs;
        *decrease = moved;
        if (moved <= tol) return;
    }
}

SR_INLINE double sr_dot(int64_t n, const double *a, const double *b) {
    double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
    int64_t t = 0;
    for (; t + 4 <= n; t += 4) {
        s0 += a[t] * b[t];
        s1 += a[t + 1] * b[t + 1];
        s2 += a[t + 2] * b[t + 2];
        s3 += a[t + 3] * b[t + 3];
    }
    for (; t < n; t++) s0 += a[t] * b[t];
    return (s0 + s1) + (s2 + s3);
}

/* Row i of L holds l_ik for k < i, and d_i stands on the diagonal; dropped columns have d_i = 0 and l_ik = 0. */
void sr_solve_psd(int64_t n, double *A, double *b, double tiny) {
    for (int64_t i = 0; i < n; i++) {
        double *row = A + i * n;
        const double original = row[i];
        for (int64_t k = 0; k < i; k++) { /* row[k] becomes l_ik d_k */
            const double *other = A + k * n;
            row[k] = other[k] > 0.0 ? row[k] - sr_dot(k, row, other) : 0.0;
        }
        for (int64_t k = 0; k < i; k++) {
            const double d = A[k * n + k], l = d > 0.0 ? row[k] / d : 0.0;
            row[i] -= row[k] * l;
            row[k] = l;
        }
        if (!(row[i] > tiny * original)) row[i] = 0.0;
    }
    for (int64_t i = 0; i < n; i++) b[i] -= sr_dot(i, A + i * n, b);
    for (int64_t i = 0; i < n; i++) b[i] = A[i * n + i] > 0.0 ? b[i] / A[i * n + i] : 0.0;
    for (int64_t i = n - 1; i > 0; i--)
        for (int64_t k = 0; k < i; k++) b[k] -= A[i * n + k] * b[i];
}
