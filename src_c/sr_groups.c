/* Rows grouped by their pattern over the working set. */
#include <math.h>
#include <string.h>

#include "sr_coordinate.h"
#include "sr_groups.h"

#define Index int32_t
#define SR_FN(name) sr_##name##_i32
#include "sr_groups.tpl.h"
#undef Index
#undef SR_FN
#define Index int64_t
#define SR_FN(name) sr_##name##_i64
#include "sr_groups.tpl.h"
#undef Index
#undef SR_FN

static void sr_groups_copy(const sr_groups *g, int64_t from, int64_t to, int32_t size) {
    memcpy(g->slots + to * g->stride, g->slots + from * g->stride, (size_t)g->stride * sizeof *g->slots);
    g->length[to] = g->length[from];
    g->size[to] = size, g->size[from] -= size;
    g->s[to] = g->sy[to] = g->syy[to] = 0.0;
    g->eta[to] = g->eta[from], g->curvature[to] = g->curvature[from], g->reference[to] = g->reference[from];
}

sr_status sr_groups_meet(const sr_matrix *X, int64_t j, const sr_groups *g, int32_t *size_in, int32_t *list,
                         int64_t *n_list, int64_t *n_new) {
    if (j >= X->n_ones) return SR_BAD_INDEX;
    const int64_t met = X->index == SR_I64 ? sr_groups_meet_i64(X, j, g, size_in, list)
                                           : sr_groups_meet_i32(X, j, g, size_in, list);
    *n_new = 0;
    for (int64_t a = 0; a < met; a++) *n_new += size_in[list[a]] < g->size[list[a]];
    *n_list = met;
    return SR_OK;
}

sr_status sr_groups_split(const sr_matrix *X, int64_t j, int64_t member, const double *y, const double *s,
                          sr_groups *g, int32_t *size_in, int32_t *target, int32_t *list, int64_t n_list) {
    if (j >= X->n_ones || member + 1 > UINT16_MAX) return SR_BAD_INDEX;
    for (int64_t a = 0; a < n_list; a++) {
        const int32_t from = list[a];
        int32_t to = from;
        if (size_in[from] < g->size[from]) {
            to = (int32_t)g->n_groups++;
            sr_groups_copy(g, from, to, size_in[from]);
        }
        size_in[from] = 0;
        target[from] = to;
        g->slots[to * g->stride + g->length[to]++] = (uint16_t)(member + 1);
        g->longest = g->length[to] > g->longest ? g->length[to] : g->longest;
    }
    if (X->index == SR_I64) sr_groups_move_i64(X, j, y, s, g, target);
    else sr_groups_move_i32(X, j, y, s, g, target);
    for (int64_t a = 0; a < n_list; a++) {
        const int32_t from = list[a], to = list[a] = target[from];
        if (to == from) continue;
        if (!y) {
            g->s[from] = g->size[from], g->s[to] = g->size[to];
            continue;
        }
        g->s[from] -= g->s[to], g->sy[from] -= g->sy[to], g->syy[from] -= g->syy[to];
        if (g->s[from] < 0.0) g->s[from] = 0.0; /* rounding */
    }
    return SR_OK;
}

void sr_groups_sum_up(const sr_groups *g, int64_t n, const double *y) {
    for (int64_t u = 0; u < g->n_groups; u++) g->sy[u] = g->syy[u] = 0.0;
    for (int64_t i = 0; i < n; i++) {
        g->sy[g->of_row[i]] += y[i];
        g->syy[g->of_row[i]] += y[i] * y[i];
    }
}

sr_status sr_groups_column_sums(const sr_matrix *X, const int64_t *cols, int64_t m, const double *s,
                                const sr_groups *g, const double *mean, double *out) {
    for (int64_t a = 0; a < m; a++) {
        if (cols[a] >= X->n_ones) return SR_BAD_INDEX;
        out[a] = X->index == SR_I64 ? sr_groups_sum_i64(X, cols[a], s, g, mean)
                                    : sr_groups_sum_i32(X, cols[a], s, g, mean);
    }
    return SR_OK;
}

void sr_groups_residuals(const sr_groups *g, int64_t n, const double *y, const double *s, const double *mean,
                         double *out) {
    for (int64_t i = 0; i < n; i++) out[i] = (s ? s[i] : 1.0) * (y[i] - mean[g->of_row[i]]);
}

/* Slots in use, rounded up to four: slot 0, of step 0, stands beyond them. */
SR_INLINE int64_t sr_padded(int64_t length) { return (length + 3) & ~(int64_t)3; }

/* Not 0 unless the weight is, so that the structure of the Gram is that of the patterns. */
SR_INLINE double sr_groups_weight(const sr_groups *g, int64_t u) {
    const double h = g->s[u] * g->curvature[u];
    return g->s[u] > 0.0 && h < 1e-300 ? 1e-300 : h;
}

void sr_groups_products(const sr_groups *g, const int32_t *list, int64_t n_list, double *out) {
    for (int64_t a = 0; a < n_list; a++) {
        const uint16_t *slots = g->slots + list[a] * g->stride;
        const int64_t n = sr_padded(g->length[list[a]]);
        const double weight = sr_groups_weight(g, list[a]);
        for (int64_t k = 0; k < n; k += 4) {
            out[slots[k]] += weight, out[slots[k + 1]] += weight;
            out[slots[k + 2]] += weight, out[slots[k + 3]] += weight;
        }
    }
}

/* Patterns differ in length by group, which no processor could predict; lists of groups by member are long. */
void sr_members_list(const sr_groups *g, int64_t m, sr_members *out) {
    int64_t *begin = out->begin;
    out->n_groups = g->n_groups, out->m = m;
    memset(begin, 0, (size_t)(m + 2) * sizeof *begin);
    for (int64_t u = 0; u < g->n_groups; u++)
        for (int64_t k = 0; k < g->length[u]; k++) begin[g->slots[u * g->stride + k] + 1]++;
    for (int64_t a = 0; a <= m; a++) begin[a + 1] += begin[a];
    for (int64_t u = 0; u < g->n_groups; u++)
        for (int64_t k = 0; k < g->length[u]; k++)
            out->groups[begin[g->slots[u * g->stride + k]]++] = (int32_t)u;
}

void sr_members_append(sr_members *members, const int32_t *list, int64_t n) {
    int64_t to = members->begin[members->m];
    for (int64_t k = 0; k < n; k++) {
        members->groups[to] = list[k];
        to += list[k] < members->n_groups; /* no branch, which no processor could predict */
    }
    members->begin[++members->m] = to;
}

/* So many slots are read of every group before its length is asked for: the mean, of some groups, rounded up. A branch
 * that follows lengths is often foretold wrongly, which takes as long as four slots. */
static int64_t sr_usual(const sr_groups *g, int64_t first) {
    const int64_t stride = (g->n_groups - first) / 256 + 1;
    int64_t sum = 0, n = 0;
    for (int64_t u = first; u < g->n_groups; u += stride, n++) sum += g->length[u];
    return n ? sr_padded((sum + n - 1) / n) : 0;
}

double sr_members_step(const sr_members *members, const sr_groups *g, const double *step, double shift, double *out) {
    const int64_t usual = sr_usual(g, members->n_groups);
    double largest = 0.0;
    for (int64_t u = 0; u < members->n_groups; u++) out[u] = shift;
    for (int64_t a = 0; a < members->m; a++) {
        const double by = step[a + 1];
        if (by == 0.0) continue;
        for (int64_t e = members->begin[a]; e < members->begin[a + 1]; e++) out[members->groups[e]] += by;
    }
    for (int64_t u = members->n_groups; u < g->n_groups; u++) {
        const uint16_t *slots = g->slots + u * g->stride;
        const int64_t n = sr_padded(g->length[u]);
        double a = 0.0, b = 0.0;
        int64_t k = 0;
        for (; k < usual; k += 4) {
            a += step[slots[k]] + step[slots[k + 1]];
            b += step[slots[k + 2]] + step[slots[k + 3]];
        }
        for (; k < n; k += 4) {
            a += step[slots[k]] + step[slots[k + 1]];
            b += step[slots[k + 2]] + step[slots[k + 3]];
        }
        out[u] = shift + (a + b);
    }
    for (int64_t u = 0; u < g->n_groups; u++) largest = fabs(out[u]) > largest ? fabs(out[u]) : largest;
    return largest;
}

/* The groups from `first` on. Every fourth slot adds to the same of four vectors of m + 1, which are added up, as
 * additions to one place wait for each other: what is beyond the patterns falls on slot 0, and many groups have the
 * same members. */
static void sr_slots_sums(const sr_groups *g, int64_t first, const double *v, const double *mean, int64_t m,
                          double *out) {
    const int64_t usual = sr_usual(g, first);
    double *second = out + (m + 1), *third = second + (m + 1), *fourth = third + (m + 1);
    for (int64_t u = first; u < g->n_groups; u++) {
        const uint16_t *slots = g->slots + u * g->stride;
        const int64_t n = sr_padded(g->length[u]);
        const double value = mean ? g->sy[u] - g->s[u] * mean[u] : v[u];
        int64_t k = 0;
        for (; k < usual; k += 4) {
            out[slots[k]] += value, second[slots[k + 1]] += value;
            third[slots[k + 2]] += value, fourth[slots[k + 3]] += value;
        }
        for (; k < n; k += 4) {
            out[slots[k]] += value, second[slots[k + 1]] += value;
            third[slots[k + 2]] += value, fourth[slots[k + 3]] += value;
        }
    }
    for (int64_t a = 0; a <= m; a++) out[a] = (out[a] + second[a]) + (third[a] + fourth[a]);
}

void sr_members_sums(const sr_members *members, const sr_groups *g, double *v, const double *mean, int64_t m,
                     double *out) {
    sr_slots_sums(g, members->n_groups, v, mean, m, out);
    for (int64_t u = 0; mean && u < members->n_groups; u++) v[u] = g->sy[u] - g->s[u] * mean[u];
    for (int64_t a = 0; a < members->m; a++) {
        const int32_t *groups = members->groups + members->begin[a];
        const int64_t n = members->begin[a + 1] - members->begin[a];
        double sum[4] = {0.0};
        int64_t e = 0;
        for (; e + 4 <= n; e += 4)
            for (int k = 0; k < 4; k++) sum[k] += v[groups[e + k]];
        for (; e < n; e++) sum[0] += v[groups[e]];
        out[a + 1] += (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
}

/* Column a of the Gram from the groups of member a: `sum`, by slot, is zero before and after. */
void sr_members_gram(const sr_members *members, const sr_groups *g, double *sum, const sr_gram *G) {
    for (int64_t a = 0; a < members->m; a++) {
        const int64_t begin = members->begin[a];
        sr_groups_products(g, members->groups + begin, members->begin[a + 1] - begin, sum);
        for (int64_t e = G->begin[a]; e < G->begin[a] + G->len[a]; e++) {
            G->val[e] = sum[G->idx[e] + 1];
            sum[G->idx[e] + 1] = 0.0;
        }
        sum[0] = 0.0;
    }
}
