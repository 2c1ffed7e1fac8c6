/* Reading a Gram's entries, and cached products. Internal. */
#ifndef SR_GRAM_H
#define SR_GRAM_H

#include "sr.h"

/* Index and count in one number. */
enum { SR_COUNT_BITS = 12, SR_MAX_PIECE = (1 << SR_COUNT_BITS) - 1 };
static inline int64_t sr_packed_index(uint32_t packed) { return packed >> SR_COUNT_BITS; }
static inline double sr_packed_count(uint32_t packed) { return (int32_t)(packed & SR_MAX_PIECE); }
static inline int64_t sr_pair_index(uint64_t pair) { return (int64_t)(pair >> 32); }
static inline double sr_pair_count(uint64_t pair) { return (int32_t)(pair & INT32_MAX); }

/* The e-th entry of the arena, and the member that it is for. */
static inline double sr_gram_entry(const sr_gram *G, int64_t e) {
    return G->val ? G->val[e] : G->pair ? sr_pair_count(G->pair[e]) : sr_packed_count(G->packed[e]);
}
static inline int64_t sr_gram_index(const sr_gram *G, int64_t e) {
    return G->val ? G->idx[e] : G->pair ? sr_pair_index(G->pair[e]) : sr_packed_index(G->packed[e]);
}

/* For the entries of column a in turn: what follows, with `at`, the member, and `product`. */
#define SR_GRAM_EACH(G, a, ...)                                                     \
    do {                                                                            \
        const int64_t sr_from = (G)->begin[a], sr_n = (G)->len[a];                  \
        if ((G)->val) {                                                             \
            const int32_t *restrict sr_idx = (G)->idx + sr_from;                    \
            const double *restrict sr_val = (G)->val + sr_from;                     \
            for (int64_t e = 0; e < sr_n; e++) {                                    \
                const int64_t at = sr_idx[e];                                       \
                const double product = sr_val[e];                                   \
                __VA_ARGS__                                                         \
            }                                                                       \
        } else if ((G)->pair) {                                                     \
            const uint64_t *restrict sr_pair = (G)->pair + sr_from;                 \
            for (int64_t e = 0; e < sr_n; e++) {                                    \
                const int64_t at = sr_pair_index(sr_pair[e]);                       \
                const double product = sr_pair_count(sr_pair[e]);                   \
                __VA_ARGS__                                                         \
            }                                                                       \
        } else {                                                                    \
            const uint32_t *restrict sr_packed = (G)->packed + sr_from;             \
            for (int64_t e = 0; e < sr_n; e++) {                                    \
                const int64_t at = sr_packed_index(sr_packed[e]);                   \
                const double product = sr_packed_count(sr_packed[e]);               \
                __VA_ARGS__                                                         \
            }                                                                       \
        }                                                                           \
    } while (0)

/* Entries in use once the m columns, in the `order` of their begin, stand close together, each with space to grow by a
 * quarter at most.  O(m) */
int64_t sr_gram_compact_size(const sr_gram *G, int64_t m);
/* Bring them there.  O(entries) */
void sr_gram_compact(sr_gram *G, int64_t m, const int64_t *order);
/* The same for pairs that are packed.  O(entries) */
int64_t sr_gram_packed_size(const sr_gram *G, int64_t m);
void sr_gram_pack(sr_gram *G, int64_t m, uint32_t *packed);

/* A column whose rows have at most one entry for so many positions has the positions that it meets marked. */
enum { SR_POSITIONS_PER_ENTRY = 128 };

/* Positions in use while there are m members and a new one. */
static inline int64_t sr_positions(const sr_gram_work *work, int64_t m) {
    return SR_UNTRACKED + work->n_places + m + 1;
}

static inline void sr_mark(const sr_gram_work *work, int32_t position) {
    work->marks[position / SR_WORD] |= (uint64_t)1 << (position % SR_WORD / SR_MARKED);
}

static inline int sr_is_marked(const sr_gram_work *work) { return work->marks && work->marks[0]; }

/* Move the products of member m, the new one, with the members and itself from count or sum, as sr_gram_column gives
 * them. */
int64_t sr_take_members(sr_gram_work *work, int64_t m, int32_t *at, double *products);

/* The next positions, from *end on and before `limit`, that products may stand at: all where none are marked. */
static inline int sr_next_block(const sr_gram_work *work, int64_t limit, int64_t *begin, int64_t *end) {
    *begin = *end;
    *end = limit;
    if (!sr_is_marked(work)) return *begin < limit;
    while (*begin < limit) {
        const uint64_t left = work->marks[*begin / SR_WORD] >> (*begin % SR_WORD / SR_MARKED);
        if (left & 1) {
            const int64_t next = (*begin / SR_MARKED + 1) * SR_MARKED;
            if (next < limit) *end = next;
            return 1;
        }
        *begin = left ? (*begin / SR_MARKED + 1) * SR_MARKED : (*begin / SR_WORD + 1) * SR_WORD;
    }
    return 0;
}

/* The place of the lowest bit of a number that is not 0. */
static inline int sr_lowest_bit(uint64_t bits) {
#if defined(__GNUC__)
    return __builtin_ctzll(bits);
#else
    int n = 0;
    for (; !(bits & 1); bits >>= 1) n++;
    return n;
#endif
}

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
