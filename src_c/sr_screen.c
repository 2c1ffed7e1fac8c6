/* Screening: bounds on the gradients of columns that are not visited. Knows nothing of X. */
#include <math.h>

#include "sr_coordinate.h"

static float sr_up(double v) { return nextafterf((float)v, INFINITY); }
static float sr_down(double v) { return nextafterf((float)v, -INFINITY); }

void sr_visited(sr_penalty pen, const int64_t *cols, int64_t m, const double *c, const sr_odometer *odo, const sr_bounds *b) {
    for (int64_t a = 0; a < m; a++) {
        b->c[cols[a]] = sr_up(sr_reach(pen, c[a]));
        b->at2[cols[a]] = sr_down(odo->two);
        b->at1[cols[a]] = sr_down(odo->one);
    }
}

void sr_sum_up(int64_t p, const sr_bounds *b, int64_t block) {
    const int64_t begin = block * SR_BLOCK, end = begin + SR_BLOCK < p ? begin + SR_BLOCK : p;
    sr_block sum = {-(double)INFINITY, 0.0, 0.0, (double)INFINITY, (double)INFINITY, (double)INFINITY};
    for (int64_t j = begin; j < end; j++) {
        if (b->norm2[j] < 0.0f) continue;
        sum.c = fmax(sum.c, (double)b->c[j]);
        sum.norm2 = fmax(sum.norm2, (double)b->norm2[j]);
        sum.norm1 = fmax(sum.norm1, (double)b->norm1[j]);
        sum.at2 = fmin(sum.at2, (double)b->at2[j]);
        sum.at1 = fmin(sum.at1, (double)b->at1[j]);
        sum.factor = fmin(sum.factor, b->factor ? b->factor[j] : 1.0);
    }
    b->blocks[block] = sum;
}

SR_INLINE double sr_bound(double c, double norm2, double at2, double norm1, double at1, const sr_odometer *odo) {
    const double by2 = norm2 * (odo->two - at2 + odo->aside), by1 = odo->aside > 0.0 ? by2 : norm1 * (odo->one - at1);
    return c + (by1 < by2 ? by1 : by2);
}

void sr_screen(int64_t p, const sr_bounds *b, const sr_odometer *odo, double threshold, int32_t *out,
               int64_t *n_out, double *worst, double *largest) {
    int64_t n = 0;
    double over = 0.0, under = 0.0;
    for (int64_t block = 0; block * SR_BLOCK < p; block++) {
        const sr_block *sum = &b->blocks[block];
        const double most = sr_bound(sum->c, sum->norm2, sum->at2, sum->norm1, sum->at1, odo);
        if (!(most > threshold * sum->factor)) { /* also when no column of it counts: then c is -inf, and most NaN or -inf */
            if (most / sum->factor > under) under = most / sum->factor;
            continue;
        }
        const int64_t begin = block * SR_BLOCK, end = begin + SR_BLOCK < p ? begin + SR_BLOCK : p, before = n;
        for (int64_t j = begin; j < end; j++) {
            const double factor = b->factor ? b->factor[j] : 1.0;
            const double bound = sr_bound((double)b->c[j], (double)b->norm2[j], (double)b->at2[j], (double)b->norm1[j], (double)b->at1[j], odo);
            if (bound > threshold * factor) {
                out[n++] = (int32_t)j;
                if (bound / factor > over) over = bound / factor;
            } else if (bound / factor > under) {
                under = bound / factor;
            }
        }
        if (n == before) sr_sum_up(p, b, block);
    }
    *n_out = n;
    *worst = over;
    *largest = under;
}
