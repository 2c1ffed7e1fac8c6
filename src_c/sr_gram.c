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

/* A column without gaps, its last index one less than its length, is read as the dense vector that it is. */
SR_INLINE void sr_gram_axpy(const sr_gram *G, int64_t a, double step, double *restrict q) {
    const int64_t n = G->len[a];
    const int32_t *idx = G->idx + G->begin[a];
    const double *restrict val = G->val + G->begin[a];
    if (n > 0 && idx[n - 1] == n - 1) {
        SR_UNROLL
        for (int64_t e = 0; e < n; e++) q[e] -= step * val[e];
    } else {
        for (int64_t e = 0; e < n; e++) q[idx[e]] -= step * val[e];
    }
}

SR_WIDE void sr_gram_subtract(const sr_gram *G, int64_t m, const double *x, double *out) {
    for (int64_t a = 0; a < m; a++)
        if (x[a] != 0.0) sr_gram_axpy(G, a, x[a], out);
}

/* in and out: q = X_M' r, *r_sum = sum(r) */
SR_WIDE void sr_cd_gram(const sr_gram *G, const sr_coordinates *co, const int64_t *order, int64_t n_order, int64_t max_epochs, double tol,
                double *q, int64_t *epochs, double *decrease) {
    const double share = 1.0 / co->weight_sum;
    *epochs = 0;
    while (*epochs < max_epochs) {
        double moved = 0.0;
        for (int64_t o = 0; o < n_order; o++) {
            const int64_t a = order[o];
            const double c = q[a] - co->sums[a] * (*co->r_sum * share);
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

void sr_gram_hessian(const sr_gram *G, const sr_coordinates *co, const int64_t *at, int64_t k, int64_t *place, double *H) {
    for (int64_t b = 0; b < co->m; b++) place[b] = -1;
    for (int64_t a = 0; a < k; a++) place[at[a]] = a;
    for (int64_t a = 0; a < k; a++) {
        double *row = H + a * k;
        const int64_t begin = G->begin[at[a]], end = begin + G->len[at[a]];
        const double share = co->sums[at[a]] / co->weight_sum;
        for (int64_t b = a; b < k; b++) row[b] = -share * co->sums[at[b]];
        for (int64_t e = begin; e < end; e++)
            if (place[G->idx[e]] >= a) row[place[G->idx[e]]] += G->val[e];
        row[a] += co->l2[at[a]];
    }
}

/* Row k becomes d_k times that of a unit upper triangle U, with A = U' D U; a dropped column has d_k = 0. */
SR_WIDE void sr_solve_psd(int64_t n, double *A, double *b, double tiny) {
    for (int64_t i = 1; i < n; i++) A[i * n] = A[i * n + i]; /* kept in the lower triangle, which is not read */
    for (int64_t k = 0; k < n; k++) {
        double *restrict row = A + k * n;
        if (!(row[k] > tiny * row[0])) row[k] = 0.0;
        if (row[k] == 0.0) continue;
        for (int64_t i = k + 1; i < n; i++) {
            double *restrict other = A + i * n;
            const double l = row[i] / row[k];
            SR_UNROLL
            for (int64_t j = i; j < n; j++) other[j] -= l * row[j];
            b[i] -= l * b[k];
        }
    }
    for (int64_t k = n - 1; k >= 0; k--) {
        const double *row = A + k * n;
        double rest = b[k];
        for (int64_t j = k + 1; j < n; j++) rest -= row[j] * b[j];
        b[k] = row[k] > 0.0 ? rest / row[k] : 0.0;
    }
}
