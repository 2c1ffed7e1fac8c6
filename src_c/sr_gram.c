/* The growing Gram matrix, cached products, and coordinate descent on the Gram. Knows nothing of X. */
#include <string.h>

#include "sr_coordinate.h"
#include "sr_gram.h"

enum { SR_LINE = 64, SR_MAX_COUNT = UINT16_MAX };

/* Whether a cache line is all zero, as most are where rows are short: its numbers then need not be read one by one. */
SR_INLINE int sr_line_is_zero(const void *line) {
    uint64_t w[SR_LINE / 8];
    memcpy(w, line, SR_LINE);
    return !(w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]);
}

/* The first position from a on where products are not 0; or m. */
SR_INLINE int64_t sr_next(const double *products, int64_t a, int64_t m) {
    enum { STEP = SR_LINE / sizeof *products };
    while (a < m) {
        if (a % STEP == 0 && a + STEP <= m && sr_line_is_zero(products + a)) a += STEP;
        else if (products[a] == 0.0) a++;
        else break;
    }
    return a;
}

int64_t sr_find_nonzero(const double *dense, int64_t m, int32_t *at, double *products) {
    enum { STEP = SR_LINE / sizeof *dense };
    int64_t n = 0;
    for (int64_t begin = 0; begin < m; begin += STEP) {
        const int64_t end = begin + STEP <= m ? begin + STEP : m;
        if (end == begin + STEP && sr_line_is_zero(dense + begin)) continue;
        for (int64_t a = begin; a < end; a++) {
            at[n] = (int32_t)a;
            products[n] = dense[a];
            n += dense[a] != 0.0; /* no branch, which no processor could predict */
        }
    }
    at[n] = (int32_t)m, products[n] = dense[m];
    return n + 1;
}

/* Counts of members from a to b, moved to products from n on. */
static int64_t sr_take_member_counts(uint32_t *restrict count, int64_t a, int64_t b, int32_t *at, double *products,
                                     int64_t n) {
    enum { STEP = SR_LINE / sizeof *count };
    for (int64_t begin = a; begin < b; begin += STEP) {
        const int64_t end = begin + STEP <= b ? begin + STEP : b;
        if (end == begin + STEP && sr_line_is_zero(count + begin)) continue;
        for (int64_t k = begin; k < end; k++) {
            at[n] = (int32_t)k, products[n] = count[k];
            n += count[k] != 0;
            count[k] = 0;
        }
    }
    return n;
}

int64_t sr_take_members(sr_gram_work *work, int64_t m, int32_t *at, double *products) {
    const int64_t first = SR_UNTRACKED + work->n_places, limit = first + m;
    uint32_t *count = work->count ? work->count + first : NULL;
    double *sum = work->count ? NULL : work->sum + first;
    int64_t n = 0, begin, end = first;
    while (sr_next_block(work, limit, &begin, &end)) {
        if (count) {
            n = sr_take_member_counts(count, begin - first, end - first, at, products, n);
            continue;
        }
        const int64_t last = end - first;
        for (int64_t a = sr_next(sum, begin - first, last); a < last; a = sr_next(sum, a + 1, last)) {
            at[n] = (int32_t)a, products[n++] = sum[a];
            sum[a] = 0.0;
        }
    }
    at[n] = (int32_t)m, products[n] = count ? (double)count[m] : sum[m];
    if (count) count[m] = 0;
    else sum[m] = 0.0;
    return n + 1;
}

static int64_t sr_take_counts(sr_products *P, int64_t to, int64_t first, int64_t n, uint32_t *count) {
    enum { STEP = SR_LINE / sizeof *count };
    for (int64_t begin = first; begin < n; begin += STEP) {
        const int64_t end = begin + STEP <= n ? begin + STEP : n;
        if (end == begin + STEP && sr_line_is_zero(count + begin)) continue;
        for (int64_t k = begin; k < end; k++) {
            uint32_t rest = count[k];
            for (; rest > SR_MAX_COUNT; rest -= SR_MAX_COUNT) P->place[to] = (uint16_t)k, P->count[to++] = SR_MAX_COUNT;
            P->place[to] = (uint16_t)k, P->count[to] = (uint16_t)rest;
            to += rest != 0; /* no branch, which no processor could predict */
            count[k] = 0;
        }
    }
    return to;
}

static int64_t sr_take_values(sr_products *P, int64_t to, int64_t first, int64_t n, double *sum) {
    for (int64_t k = sr_next(sum, first, n); k < n; k = sr_next(sum, k + 1, n)) {
        P->place[to] = (uint16_t)k, P->value[to++] = sum[k];
        sum[k] = 0.0;
    }
    return to;
}

sr_status sr_products_take(sr_products *P, int64_t m, int64_t n, const sr_gram_work *work, double own) {
    int64_t n_max = n;
    if (work->count && own > SR_MAX_COUNT)
        for (int64_t k = 0; k < n; k++) n_max += work->count[SR_UNTRACKED + k] / SR_MAX_COUNT;
    if (P->begin[m] + n_max > P->size) return SR_NEED_SPACE;
    int64_t to = P->begin[m], begin, end = SR_UNTRACKED;
    while (sr_next_block(work, SR_UNTRACKED + n, &begin, &end)) {
        const int64_t first = begin - SR_UNTRACKED, last = end - SR_UNTRACKED;
        if (work->count) to = sr_take_counts(P, to, first, last, work->count + SR_UNTRACKED);
        else to = sr_take_values(P, to, first, last, work->sum + SR_UNTRACKED);
    }
    P->begin[m + 1] = to;
    if (sr_is_marked(work)) memset(work->marks, 0, (size_t)(sr_positions(work, m) / SR_WORD + 1) * sizeof *work->marks);
    return SR_OK;
}

void sr_products_keep(sr_products *P, int64_t m, int64_t n) {
    int64_t to = 0;
    for (int64_t a = 0; a < m; a++) {
        const int64_t begin = P->begin[a], kept = sr_products_from(P, a, n) - begin;
        memmove(P->place + to, P->place + begin, (size_t)kept * sizeof *P->place);
        if (P->count) memmove(P->count + to, P->count + begin, (size_t)kept * sizeof *P->count);
        else memmove(P->value + to, P->value + begin, (size_t)kept * sizeof *P->value);
        P->begin[a] = to;
        to += kept;
    }
    P->begin[m] = to;
}

SR_WIDE void sr_products_subtract(const sr_products *P, const int64_t *members, int64_t m, const double *x, int64_t n,
                                  double *out) {
    const uint16_t *restrict place = P->place, *restrict count = P->count;
    const double *restrict value = P->value;
    for (int64_t i = 0; i < m; i++) {
        const double step = x[i];
        const int64_t a = members ? members[i] : i;
        if (step == 0.0) continue;
        const int64_t begin = P->begin[a], end = sr_products_from(P, a, n);
        if (count) {
            SR_UNROLL
            for (int64_t e = begin; e < end; e++) out[place[e]] -= step * count[e];
        } else {
            SR_UNROLL
            for (int64_t e = begin; e < end; e++) out[place[e]] -= step * value[e];
        }
    }
}

SR_INLINE void sr_gram_axpy_sum(const sr_gram *G, int64_t a, double step, double *restrict q) {
    for (; G; G = G->next) {
        const int64_t member = G->at[a];
        const double signed_step = G->sign * step;
        SR_GRAM_EACH(G, member, q[G->place[at]] -= signed_step * product;);
    }
}

/* A column whose last index is its length - 1 has no gaps: it is read as a dense vector, if it is not packed. */
SR_INLINE void sr_gram_axpy(const sr_gram *G, int64_t a, double step, double *restrict q) {
    if (G->at) {
        sr_gram_axpy_sum(G, a, step, q);
        return;
    }
    const int64_t n = G->len[a], begin = G->begin[a];
    const int gapless = n > 0 && (G->val || (G->pair && !G->split[a])) && sr_gram_index(G, begin + n - 1) == n - 1;
    if (!gapless) {
        SR_GRAM_EACH(G, a, q[at] -= step * product;);
    } else if (G->val) {
        const double *restrict val = G->val + begin;
        SR_UNROLL
        for (int64_t e = 0; e < n; e++) q[e] -= step * val[e];
    } else {
        const uint64_t *restrict pair = G->pair + begin;
        SR_UNROLL
        for (int64_t e = 0; e < n; e++) q[e] -= step * sr_pair_count(pair[e]);
    }
}

SR_WIDE void sr_gram_subtract(const sr_gram *G, int64_t m, const double *x, double *out) {
    for (int64_t a = 0; a < m; a++)
        if (x[a] != 0.0) sr_gram_axpy(G, a, x[a], out);
}

void sr_gram_subtract_last(const sr_gram *G, int64_t first, int64_t m, const double *x, double *out) {
    for (int64_t a = first; a < m; a++) {
        double sum = 0.0;
        SR_GRAM_EACH(G, a, sum += product * x[at];);
        out[a] -= sum;
    }
}

/* Of one store: total less x times the row, whose entries are marked; row and marks are zeros again. */
static double sr_take_row(const double *x, double sign, int pieces, double *row, uint64_t *marks, int64_t n_marks,
                          double total) {
    for (int64_t k = 0; k < n_marks; k++) {
        for (uint64_t left = marks[k]; left; left &= left - 1) {
            const int64_t b = 64 * k + sr_lowest_bit(left);
            const double step = sign * x[b];
            double rest = row[b]; /* a count in pieces, as sr_take_counts makes of it */
            for (; pieces && rest > SR_MAX_COUNT; rest -= SR_MAX_COUNT) total -= step * SR_MAX_COUNT;
            total -= step * rest;
            row[b] = 0.0;
        }
        marks[k] = 0;
    }
    return total;
}

void sr_gram_subtract_members(const sr_gram *G, const int64_t *members, int64_t n, int64_t m, const double *x,
                              double *row, uint64_t *marks, double *out) {
    const int64_t n_marks = m / 64 + 1;
    for (int64_t i = 0; i < n; i++) {
        for (const sr_gram *g = G; g; g = g->next) {
            SR_GRAM_EACH(g, members[i], {
                const int32_t place = g->place[at];
                row[place] += product;
                marks[place / 64] |= (uint64_t)1 << place % 64;
            });
            out[i] = sr_take_row(x, g->sign, !g->val, row, marks, n_marks, out[i]);
        }
    }
}

int64_t sr_gram_count_own(const sr_gram *G, int64_t first, int64_t m) {
    int64_t n = 0;
    for (; G; G = G->next)
        for (int64_t a = first; a < m; a++)
            for (int64_t e = G->begin[G->at[a]]; e < G->begin[G->at[a]] + G->len[G->at[a]]; e++)
                n += G->place[sr_gram_index(G, e)] < a ? 2 : G->place[sr_gram_index(G, e)] == a;
    return n;
}

int64_t sr_products_count(const sr_products *P, const sr_gram *G, int64_t a, const int32_t *place_of, int64_t n) {
    int64_t found = 0, last = -1;
    for (int64_t e = P->begin[a]; e < P->begin[a + 1] && P->place[e] < n; e++) {
        found += P->place[e] != last; /* a count may be in pieces */
        last = P->place[e];
    }
    for (int64_t e = G->begin[a]; e < G->begin[a] + G->len[a] && sr_gram_index(G, e) < a; e++)
        found += place_of[sr_gram_index(G, e)] >= 0 && place_of[sr_gram_index(G, e)] < n;
    return found;
}

/* in and out: q = X_M' r, *r_sum = sum(r) */
SR_WIDE void sr_cd_gram(const sr_gram *G, const sr_coordinates *co, const int64_t *order, int64_t n_order,
                        int64_t max_epochs, double tol,
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

/* in and out: q = X_M' r, *r_sum = sum(r) */
SR_WIDE void sr_project_gram(const sr_gram *G, const sr_coordinates *co, int64_t max_sweeps, double enough,
                             double margin, double *q, int64_t *sweeps) {
    const double share = 1.0 / co->weight_sum;
    for (*sweeps = 0; *sweeps < max_sweeps;) {
        double worst = 0.0, violation;
        for (int64_t a = 0; a < co->m; a++) {
            const double c = q[a] - co->sums[a] * (*co->r_sum * share);
            const double step = sr_projection_step(co, a, c, margin, &violation);
            if (step == 0.0) continue;
            worst = violation > worst ? violation : worst;
            sr_gram_axpy(G, a, step, q);
            sr_take_step(co, a, step, 0.0);
        }
        ++*sweeps;
        if (worst <= enough) return;
    }
}

void sr_gram_hessian(const sr_gram *G, const sr_coordinates *co, const int64_t *members, int64_t k, int64_t *place,
                     double *H) {
    for (int64_t b = 0; b <= co->m; b++) place[b] = -1;
    for (int64_t a = 0; a < k; a++) place[members[a]] = a;
    for (int64_t a = 0; a < k; a++) {
        double *row = H + a * k;
        const double share = co->sums[members[a]] / co->weight_sum;
        for (int64_t b = a; b < k; b++) row[b] = -share * co->sums[members[b]];
        for (const sr_gram *g = G; g; g = g->next) {
            const int64_t col = g->at ? g->at[members[a]] : members[a];
            SR_GRAM_EACH(g, col, {
                const int64_t b = place[g->at ? g->place[at] : at];
                if (b >= a) row[b] += g->sign * product;
            });
        }
        row[a] += co->l2[members[a]];
    }
}

/* Rows that are subtracted from the later ones together: each of these is then read and written once for all. */
enum { SR_PIVOTS = 4 };

/* What row i takes away of pivot row k; 0 of a dropped column. */
SR_INLINE double sr_multiplier(const double *row, int64_t k, int64_t i) {
    return row[k] > 0.0 ? row[i] / row[k] : 0.0;
}

/* Row k becomes d_k times that of a unit upper triangle U, with A = U' D U; a dropped column has d_k = 0. */
SR_WIDE void sr_solve_psd(int64_t n, double *A, double *b, double tiny) {
    for (int64_t i = 1; i < n; i++) A[i * n] = A[i * n + i]; /* the diagonal, into the lower triangle, not read */
    for (int64_t first = 0; first < n; first += SR_PIVOTS) {
        const int64_t end = first + SR_PIVOTS < n ? first + SR_PIVOTS : n;
        for (int64_t k = first; k < end; k++) {
            double *restrict row = A + k * n;
            for (int64_t above = first; above < k; above++) {
                const double *restrict pivot = A + above * n, l = sr_multiplier(pivot, above, k);
                SR_UNROLL
                for (int64_t j = k; j < n; j++) row[j] -= l * pivot[j];
                b[k] -= l * b[above];
            }
            if (!(row[k] > tiny * row[0])) row[k] = 0.0;
        }
        if (end == n) break;
        const double *restrict p = A + first * n, *restrict q = p + n, *restrict r = q + n, *restrict s = r + n;
        for (int64_t i = end; i < n; i++) {
            double *restrict other = A + i * n;
            const double l0 = sr_multiplier(p, first, i), l1 = sr_multiplier(q, first + 1, i),
                         l2 = sr_multiplier(r, first + 2, i), l3 = sr_multiplier(s, first + 3, i);
            SR_UNROLL
            for (int64_t j = i; j < n; j++)
                other[j] = (((other[j] - l0 * p[j]) - l1 * q[j]) - l2 * r[j]) - l3 * s[j];
            b[i] = (((b[i] - l0 * b[first]) - l1 * b[first + 1]) - l2 * b[first + 2]) - l3 * b[first + 3];
        }
    }
    for (int64_t k = n - 1; k >= 0; k--) {
        const double *row = A + k * n;
        double rest = b[k];
        for (int64_t j = k + 1; j < n; j++) rest -= row[j] * b[j];
        b[k] = row[k] > 0.0 ? rest / row[k] : 0.0;
    }
}
