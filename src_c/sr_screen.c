/* Screening: bounds on the gradients of columns since they were last evaluated. Knows nothing of X. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "sr_coordinate.h"
#include "sr_screen.h"

/* A float that is at least v: rounding loses at most half of what is added. (nextafterf is a call.) */
SR_INLINE float sr_up(double v) { return (float)(v + fabs(v) * 0x1p-22 + (double)FLT_MIN); }

/* Floats as whole numbers of the same order, -inf included: compilers make vector code of the maxima of whole numbers
 * alone. Below 0 the bits of a float run backwards; the way there is the way back. */
SR_INLINE int32_t sr_in_order(int32_t bits) { return bits ^ (-(bits < 0) & INT32_MAX); }

SR_INLINE int32_t sr_ordered(float v) {
    int32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return sr_in_order(bits);
}

SR_INLINE double sr_of_ordered(int32_t ordered) {
    const int32_t bits = sr_in_order(ordered);
    float v;
    memcpy(&v, &bits, sizeof v);
    return (double)v;
}

/* A skipped column counts as -inf, and as no reference: by masks, as branches are in the way of vector code. */
SR_WIDE static void sr_update_block(int64_t p, const sr_bounds *b, int64_t block) {
    const int64_t begin = block * SR_BLOCK, n = begin + SR_BLOCK < p ? SR_BLOCK : p - begin;
    const float *restrict c = b->c + begin, *restrict norm2 = b->norm2 + begin, *restrict norm1 = b->norm1 + begin;
    const uint16_t *restrict at = b->at + begin;
    const int32_t none = sr_ordered(-INFINITY);
    int32_t most = none, most2 = 0, most1 = 0, first = UINT16_MAX;
    for (int64_t j = 0; j < n; j++) {
        const int32_t bits2 = sr_ordered(norm2[j]), bits1 = sr_ordered(norm1[j]), skipped = -(bits2 < 0);
        const int32_t bits = (sr_ordered(c[j]) & ~skipped) | (none & skipped);
        most = bits > most ? bits : most;
        most2 = bits2 > most2 ? bits2 : most2;
        most1 = bits1 > most1 ? bits1 : most1;
    }
    for (int64_t j = 0; j < n; j++) {
        const int32_t reference = at[j] | (-(sr_ordered(norm2[j]) < 0) & UINT16_MAX);
        first = reference < first ? reference : first;
    }
    double factor = b->factor ? (double)INFINITY : 1.0;
    for (int64_t j = begin; b->factor && j < begin + n; j++)
        if (!(b->norm2[j] < 0.0f) && b->factor[j] < factor) factor = b->factor[j];
    b->blocks[block] = (sr_block){sr_of_ordered(most), sr_of_ordered(most2), sr_of_ordered(most1), factor,
                                  most > none ? first : 0};
}

void sr_update_blocks(int64_t p, const sr_bounds *b, const int64_t *cols, int64_t m) {
    int64_t last = -1;
    for (int64_t a = 0; a < m; a++) {
        const int64_t block = cols ? cols[a] / SR_BLOCK : a;
        if (block != last) sr_update_block(p, b, block);
        last = block;
    }
}

void sr_record(sr_penalty pen, int64_t p, const int64_t *cols, int64_t m, const double *c, uint16_t at,
               const sr_bounds *b) {
    for (int64_t a = 0; a < m; a++) {
        b->c[cols[a]] = sr_up(sr_dual_magnitude(pen, c[a]));
        b->at[cols[a]] = at;
    }
    sr_update_blocks(p, b, cols, m);
}

SR_INLINE double sr_bound(double c, double norm2, double norm1, const sr_displacement *then,
                          const sr_displacement *now) {
    const double by2 = norm2 * (now->two - then->two), by1 = norm1 * (now->one - then->one);
    return c + (by1 < by2 ? by1 : by2);
}

SR_INLINE double sr_bound_on(const sr_bounds *b, int64_t j, const sr_displacement *now) {
    return sr_bound((double)b->c[j], (double)b->norm2[j], (double)b->norm1[j], &b->references[b->at[j]], now);
}

void sr_rebase(int64_t p, const sr_displacement *now, uint16_t at, const sr_bounds *b) {
    for (int64_t j = 0; j < p; j++) {
        if (!(b->norm2[j] < 0.0f)) b->c[j] = sr_up(sr_bound_on(b, j, now));
        b->at[j] = at;
    }
    sr_update_blocks(p, b, NULL, (p + SR_BLOCK - 1) / SR_BLOCK);
}

void sr_screen(int64_t p, const sr_bounds *b, const sr_displacement *now, double shift, double threshold, int32_t *out,
               int64_t *n_out,
               double *worst, double *largest) {
    const sr_displacement dual = {now->two + shift, shift > 0.0 ? (double)INFINITY : now->one};
    int64_t n = 0;
    double above_max = 0.0, below_max = 0.0;
    for (int64_t block = 0; block * SR_BLOCK < p; block++) {
        const sr_block *sum = &b->blocks[block];
        const double bound_max = sr_bound(sum->c, sum->norm2, sum->norm1, &b->references[sum->at], &dual);
        if (!(bound_max > threshold * sum->factor)) { /* also when all its columns are skipped: then c is -inf */
            if (bound_max / sum->factor > below_max) below_max = bound_max / sum->factor;
            continue;
        }
        /* No branch on the comparison, which no processor can predict. A skipped column has -inf or, without any
         * displacement, NaN: neither is larger than anything. */
        const int64_t begin = block * SR_BLOCK, end = begin + SR_BLOCK < p ? begin + SR_BLOCK : p;
        for (int64_t j = begin; j < end; j++) {
            const double bound = sr_bound_on(b, j, &dual), scaled = b->factor ? bound / b->factor[j] : bound;
            const int passes = scaled > threshold;
            const double above = passes ? scaled : 0.0, below = passes ? 0.0 : scaled;
            out[n] = (int32_t)j;
            n += passes;
            above_max = above > above_max ? above : above_max;
            below_max = below > below_max ? below : below_max;
        }
    }
    *n_out = n;
    *worst = above_max;
    *largest = below_max;
}

void sr_last_above(int64_t p, const sr_bounds *b, const sr_displacement *now, double threshold, int32_t *out,
                   int64_t *n_out, double *widest) {
    int64_t n = 0;
    double grown = 0.0;
    for (int64_t block = 0; block * SR_BLOCK < p; block++) {
        if (!(b->blocks[block].c > threshold * b->blocks[block].factor)) continue;
        const int64_t begin = block * SR_BLOCK, end = begin + SR_BLOCK < p ? begin + SR_BLOCK : p;
        for (int64_t j = begin; j < end; j++) {
            const double least = b->factor ? threshold * b->factor[j] : threshold;
            if (b->norm2[j] < 0.0f || !((double)b->c[j] > least)) continue;
            const double since = (sr_bound_on(b, j, now) - (double)b->c[j]) / least;
            grown = since > grown ? since : grown;
            out[n++] = (int32_t)j;
        }
    }
    *n_out = n;
    *widest = grown;
}

/* Put v in place of the least number of a heap, which is its root. */
static void sr_replace_least(double *heap, int64_t n, double v) {
    int64_t at = 0;
    for (int64_t child = 1; child < n; child = 2 * at + 1) {
        child += child + 1 < n && heap[child + 1] < heap[child];
        if (!(heap[child] < v)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = v;
}

void sr_displacement_sums(const sr_move *move, int64_t longest, double *heap, sr_moved *out) {
    const int64_t n = longest < move->m ? longest : 0;
    double largest = 0.0;
    sr_moved total = {0.0, 0.0, 0.0, 0.0};
    for (int64_t k = 0; k < n; k++) heap[k] = 0.0;
    for (int64_t a = 0; a < move->m; a++) {
        const double step = move->w[a] - move->w_before[a], size = fabs(step), reach = size * move->max_abs[a];
        total.squared += step * (move->c_before[a] - move->c[a]);
        total.rounding += size * (fabs(move->c[a]) + fabs(move->c_before[a]) + fabs(move->c0[a]));
        total.reach += reach;
        total.sum += move->sums[a] * step;
        if (n && reach > heap[0]) sr_replace_least(heap, n, reach);
    }
    for (int64_t k = 0; k < n; k++) largest += heap[k];
    if (n && largest < total.reach) total.reach = largest; /* not where a reach is no number */
    *out = total;
}
