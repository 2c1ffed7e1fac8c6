/* Checks of a Gram's arena, and of what a residual is displaced by. */
#ifndef GRAM_H
#define GRAM_H

#include "fixture.h"
#include "fixture.h"
#include "sr_gram.h"
#include "sr_screen.h"

/* Packed columns hold what they held, and large counts in pieces: a new member has 10000 with all, and with itself. */
static void test_pack(sr_gram *G, int64_t n) {
    enum { ROOM_PACKED = 4 * P * P };
    static uint32_t packed[ROOM_PACKED];
    double before[P][P + 1] = {{0}}, products[P + 1], q[P + 1], x[P + 1] = {0};
    int32_t at[P + 1];
    int64_t need = 0, pieces = 0;
    for (int64_t a = 0; a < n; a++)
        for (int64_t e = G->begin[a]; e < G->begin[a] + G->len[a]; e++)
            before[a][sr_gram_index(G, e)] = sr_gram_entry(G, e);
    G->size = sr_gram_packed_size(G, n);
    CHECK(G->size <= ROOM_PACKED, "too little room for the test");
    sr_gram_pack(G, n, packed);
    CHECK(G->used == G->size && !G->pair && !G->split[0], "%d of %d entries", (int)G->used, (int)G->size);
    for (int k = 0; k <= n; k++) at[k] = k, products[k] = 10000.0, x[k] = 1.0, q[k] = 0.0;
    if (sr_gram_push(G, n, at, products, n + 1, &need) == SR_NEED_SPACE) G->size = G->used + need;
    CHECK(G->size <= ROOM_PACKED, "too little room for the test");
    CHECK(sr_gram_push(G, n, at, products, n + 1, &need) == SR_OK, "no room for %d", (int)need);
    sr_gram_subtract(G, n + 1, x, q);
    sr_gram_diagonal(G, n + 1, products);
    for (int64_t a = 0; a < n; a++) {
        double sum = 10000.0;
        for (int64_t b = 0; b < n; b++) sum += before[a][b];
        CHECK(q[a] == -sum && products[a] == before[a][a] && G->split[a], "column %d: %g", (int)a, q[a] + sum);
    }
    for (int64_t e = G->begin[n]; e < G->begin[n] + G->len[n]; e++) pieces += sr_gram_index(G, e) == n;
    CHECK(products[n] == 10000.0 && pieces == 3 && q[n] == -10000.0 * (double)(n + 1), "in %d pieces", (int)pieces);
}

/* Columns brought together hold what they held, in the least space, and can grow from there. */
static void test_compact(sr_gram *G, int64_t n) {
    double before[P][P] = {{0}};
    int64_t order[P];
    for (int64_t a = 0; a < n; a++) {
        int64_t k = a;
        for (; k > 0 && G->begin[order[k - 1]] > G->begin[a]; k--) order[k] = order[k - 1];
        order[k] = a;
        for (int64_t e = G->begin[a]; e < G->begin[a] + G->len[a]; e++)
            before[a][sr_gram_index(G, e)] += sr_gram_entry(G, e);
    }
    const int64_t size = sr_gram_compact_size(G, n), used = G->used;
    sr_gram_compact(G, n, order);
    CHECK(G->used == size && size < used, "%d entries are kept, not %d of %d", (int)G->used, (int)size, (int)used);
    for (int64_t a = 0; a < n; a++) {
        double now[P] = {0};
        for (int64_t e = G->begin[a]; e < G->begin[a] + G->len[a]; e++) now[sr_gram_index(G, e)] += sr_gram_entry(G, e);
        for (int b = 0; b < P; b++) CHECK(now[b] == before[a][b], "entry %d %d changed", (int)a, b);
        CHECK(G->cap[a] >= G->len[a] && G->begin[a] + G->cap[a] <= G->used, "column %d leaves the arena", (int)a);
        for (int64_t b = 0; b < n; b++)
            CHECK(a == b || G->begin[b] >= G->begin[a] + G->cap[a] || G->begin[a] >= G->begin[b] + G->cap[b],
                  "columns %d and %d overlap", (int)a, (int)b);
    }
    if (G->pair) test_pack(G, n);
}

static void test_displacement(void) {
    const double w[] = {1.0, 0.0, -2.0}, before[] = {0.5, 1.0, -2.0}, c[] = {1.0, -1.0, 5.0}, was[] = {3.0, -2.0, 7.0};
    const double c0[] = {4.0, 8.0, 9.0}, max_abs[] = {2.0, 3.0, 9.0}, sums[] = {10.0, 1.0, 7.0};
    const sr_move move = {3, w, before, c, was, c0, max_abs, sums};
    double heap[2];
    sr_moved moved;
    sr_displacement_sums(&move, 3, heap, &moved); /* steps 0.5, -1, 0, which reach 1, 3, 0 */
    CHECK(moved.squared == 0.5 * 2.0 - 1.0 * -1.0 && moved.sum == 5.0 - 1.0, "squared %g, sum %g", moved.squared,
          moved.sum);
    CHECK(moved.rounding == 0.5 * 8.0 + 11.0, "rounding %g", moved.rounding);
    CHECK(moved.reach == 4.0, "reach %g", moved.reach);
    for (int64_t longest = 1; longest < 3; longest++) {
        sr_displacement_sums(&move, longest, heap, &moved);
        CHECK(moved.reach == (longest == 1 ? 3.0 : 4.0), "reach %g of %d", moved.reach, (int)longest);
    }
}

#endif
