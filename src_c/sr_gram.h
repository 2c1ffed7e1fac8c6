/* Reading cached products. Internal. */
#ifndef SR_GRAM_H
#define SR_GRAM_H

#include "sr.h"

/* The e-th entry of the arena. */
static inline double sr_gram_entry(const sr_gram *G, int64_t e) { return G->val ? G->val[e] : G->count[e]; }

/* The first entry of member a with a place of at least k. */
static inline int64_t sr_products_from(const sr_products *kept, int64_t a, int64_t k) {
    int64_t low = kept->begin[a], high = kept->begin[a + 1];
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (kept->place[middle] < k) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* The product of place k with member a, where products are values. */
static inline double sr_product(const sr_products *kept, int64_t a, int64_t k) {
    const int64_t e = sr_products_from(kept, a, k);
    return e < kept->begin[a + 1] && kept->place[e] == k ? kept->value[e] : 0.0;
}

#endif
