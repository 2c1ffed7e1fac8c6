/* A Gram matrix whose rows change their weights. Knows nothing of X. */
#include "sr_reweigh.h"

void sr_add_groups(const sr_groups *g, const int64_t *groups, int64_t n, const double *change, int64_t m,
                   int32_t *place, double *D) {
    for (int64_t k = 0; k < n; k++) {
        const uint16_t *slots = g->slots + groups[k] * g->stride;
        const int64_t length = g->length[groups[k]];
        for (int64_t e = 0; e < length; e++) place[e] = slots[e] - 1;
        sr_add_row(place, NULL, length, change[k], m, D);
    }
}

int sr_gram_add(const sr_gram *G, int64_t m, double *D) {
    int complete = 1;
    for (int64_t a = 0; a < m; a++)
        for (int64_t b = a + 1; b < m; b++) D[a * m + b] = D[b * m + a] = D[a * m + b] + D[b * m + a];
    for (int64_t a = 0; a < m; a++) {
        double *row = D + a * m;
        for (int64_t e = G->begin[a]; e < G->begin[a] + G->len[a]; e++) {
            G->val[e] += row[G->idx[e]];
            row[G->idx[e]] = 0.0;
        }
        for (int64_t b = 0; b < m; b++) complete &= row[b] == 0.0;
    }
    return complete;
}
