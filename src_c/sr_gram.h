/* Reading cached products. Internal. */
#ifndef SR_GRAM_H
#define SR_GRAM_H

#include "sr.h"

/* The first entry of member a with a place of at least k. */
static inline int64_t sr_products_from(const sr_products *P, int64_t a, int64_t k) {
    int64_t low = P->begin[a], high = P->begin[a + 1];
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (P->place[middle] < k) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* The product of place k with member a, where products are values. */
static inline double sr_product(const sr_products *P, int64_t a, int64_t k) {
    const int64_t e = sr_products_from(P, a, k);
    return e < P->begin[a + 1] && P->place[e] == k ? P->value[e] : 0.0;
}

#endif
