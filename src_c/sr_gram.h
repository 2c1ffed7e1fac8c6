/* Reading the Gram's storage. Internal. */
#ifndef SR_GRAM_H
#define SR_GRAM_H

#include "sr.h"

/* Entry k of column a, where a column's entries stand in order. */
static inline double sr_gram_entry(const sr_gram *G, int64_t a, int32_t k) {
    int64_t low = G->begin[a], high = low + G->len[a];
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (G->idx[middle] < k) low = middle + 1;
        else high = middle;
    }
    return low < G->begin[a] + G->len[a] && G->idx[low] == k ? G->val[low] : 0.0;
}

#endif
