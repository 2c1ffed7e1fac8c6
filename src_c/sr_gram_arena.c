/* The entries of a growing Gram matrix: columns that grow in one arena, and move where they have no room. */
#include <string.h>

#include "sr_gram.h"

enum { SR_SMALLEST_COLUMN = 4 };

/* Move column a to a space for `cap` entries. Doubling makes appending O(1) on average. */
static void sr_gram_move(sr_gram *G, int64_t a, int64_t to, int64_t cap) {
    const int64_t begin = G->begin[a];
    const size_t n = (size_t)G->len[a];
    if (G->val) {
        memmove(G->idx + to, G->idx + begin, n * sizeof *G->idx);
        memmove(G->val + to, G->val + begin, n * sizeof *G->val);
    } else if (G->packed) memmove(G->packed + to, G->packed + begin, n * sizeof *G->packed);
    else memmove(G->pair + to, G->pair + begin, n * sizeof *G->pair);
    G->begin[a] = to;
    G->cap[a] = cap;
}

/* The packed entries that a count takes. */
static inline int64_t sr_pieces(double count) {
    return count <= SR_MAX_PIECE ? 1 : ((int64_t)count - 1) / SR_MAX_PIECE + 1;
}

/* Write a product in its pieces; returns the place behind them. */
static inline int64_t sr_gram_put(sr_gram *G, int64_t at, int64_t idx, double product) {
    if (G->val) G->idx[at] = (int32_t)idx, G->val[at] = product;
    else if (G->pair) G->pair[at] = (uint64_t)idx << 32 | (uint64_t)product;
    else {
        const uint32_t high = (uint32_t)idx << SR_COUNT_BITS;
        uint32_t rest = (uint32_t)product;
        for (; rest > SR_MAX_PIECE; rest -= SR_MAX_PIECE) G->packed[at++] = high | SR_MAX_PIECE;
        G->packed[at] = high | rest;
    }
    return at + 1;
}

/* The space a column keeps where columns are brought together. */
static int64_t sr_gram_kept(const sr_gram *G, int64_t a) {
    const int64_t wanted = G->len[a] + G->len[a] / 4;
    return wanted < G->cap[a] ? wanted : G->cap[a];
}

int64_t sr_gram_compact_size(const sr_gram *G, int64_t m) {
    int64_t size = 0;
    for (int64_t a = 0; a < m; a++) size += sr_gram_kept(G, a);
    return size;
}

void sr_gram_compact(sr_gram *G, int64_t m, const int64_t *order) {
    int64_t to = 0;
    for (int64_t k = 0; k < m; k++) {
        const int64_t kept = sr_gram_kept(G, order[k]);
        sr_gram_move(G, order[k], to, kept);
        to += kept;
    }
    G->used = to;
}

/* The space that a column of so many entries begins with. */
static int64_t sr_space_of(int64_t n) { return n < SR_SMALLEST_COLUMN ? SR_SMALLEST_COLUMN : n + n / 4; }

static int64_t sr_packed_length(const sr_gram *G, int64_t a) {
    int64_t n = 0;
    SR_GRAM_EACH(G, a, n += at >= 0 ? sr_pieces(product) : 0;);
    return n;
}

int64_t sr_gram_packed_size(const sr_gram *G, int64_t m) {
    int64_t size = 0;
    for (int64_t a = 0; a < m; a++) size += sr_space_of(sr_packed_length(G, a));
    return size;
}

void sr_gram_pack(sr_gram *G, int64_t m, uint32_t *packed) {
    sr_gram to = *G;
    to.pair = NULL, to.packed = packed, to.used = 0;
    for (int64_t a = 0; a < m; a++) {
        int64_t end = to.used;
        SR_GRAM_EACH(G, a, end = sr_gram_put(&to, end, at, product););
        const int64_t n = end - to.used;
        G->split[a] = n > G->len[a];
        G->begin[a] = to.used;
        G->len[a] = n;
        G->cap[a] = sr_space_of(n);
        to.used += G->cap[a];
    }
    *G = to;
}

/* The space that a column with no room for so many entries more moves to. */
static inline int64_t sr_gram_grown(const sr_gram *G, int64_t a, int64_t pieces) {
    const int64_t twice = 2 * G->cap[a], least = G->len[a] + pieces;
    return twice > least ? twice : least;
}

sr_status sr_gram_push(sr_gram *G, int64_t m, const int32_t *at, const double *products, int64_t n,
                       int64_t *need) {
    int64_t moves = 0, total = 0;
    for (int64_t k = 0; k < n; k++) {
        const int64_t pieces = G->packed ? sr_pieces(products[k]) : 1;
        total += pieces;
        if (k + 1 < n && G->len[at[k]] + pieces > G->cap[at[k]]) moves += sr_gram_grown(G, at[k], pieces);
    }
    const int64_t own = sr_space_of(total);
    *need = own + moves;
    if (G->used + *need > G->size) return SR_NEED_SPACE;

    int64_t to = G->used;
    G->begin[m] = to;
    G->cap[m] = own;
    G->len[m] = total;
    G->used += own;
    if (!G->val) G->split[m] = total > n;
    for (int64_t k = 0; k + 1 < n; k++) {
        const int64_t a = at[k], pieces = G->packed ? sr_pieces(products[k]) : 1;
        to = sr_gram_put(G, to, a, products[k]);
        if (G->len[a] + pieces > G->cap[a]) {
            const int64_t end = G->used, cap = sr_gram_grown(G, a, pieces);
            sr_gram_move(G, a, end, cap);
            G->used = end + cap;
        }
        sr_gram_put(G, G->begin[a] + G->len[a], m, products[k]);
        G->len[a] += pieces;
        if (pieces > 1) G->split[a] = 1;
    }
    sr_gram_put(G, to, m, products[n - 1]);
    return SR_OK;
}

void sr_gram_diagonal(const sr_gram *G, int64_t m, double *out) {
    for (int64_t a = 0; a < m; a++) {
        const int64_t end = G->begin[a] + G->len[a];
        int64_t low = G->begin[a], high = end;
        while (low < high) { /* indices of a column never decrease */
            const int64_t middle = low + (high - low) / 2;
            if (sr_gram_index(G, middle) < a) low = middle + 1;
            else high = middle;
        }
        out[a] = 0.0;
        for (; low < end && sr_gram_index(G, low) == a; low++) out[a] += sr_gram_entry(G, low);
    }
}
