/* Screening: bounds on gradients by the displacement of the residual. Rules and notation as in sr.h, of which this is a
 * part. */
#ifndef SR_SCREEN_H
#define SR_SCREEN_H

#include "sr.h"

/* The residual's cumulative displacement, a sum of |r_new - r_old|: in the 2-norm, and in the largest entry
 * (centred). */
typedef struct {
    double two, one;
} sr_displacement;

/* A block of SR_BLOCK columns: the largest c and norms, the earliest reference and the smallest factor in it. */
typedef struct {
    double c, norm2, norm1, factor;
    int64_t at;
} sr_block;
enum { SR_BLOCK = 256 };

/* What is known of the gradients of p columns. norm2 = -inf: the column is skipped. */
typedef struct {
    float *c;                   /* dual_magnitude of the gradient when it was last evaluated, rounded up ... */
    uint16_t *at;               /* ... and the number of that reference: the displacement then was references[at] */
    const float *norm2, *norm1; /* |x_j - mean_j|_s and sum_i s_i |x_ij| */
    const double *factor;       /* factors of the threshold; NULL: all one */
    const sr_displacement *references;
    sr_block *blocks;
} sr_bounds;

/* Record the gradients c of the m columns `cols`, just evaluated at reference number `at`.  O(m + columns of their
 * blocks) */
void sr_record(sr_penalty pen, int64_t p, const int64_t *cols, int64_t m, const double *c, uint16_t at,
               const sr_bounds *b);
/* Add the displacement since its reference to every bound, and make reference `at`, the present point, that of all. 
 * O(p) */
void sr_rebase(int64_t p, const sr_displacement *now, uint16_t at, const sr_bounds *b);
/* Compute the blocks of these columns anew, or with cols NULL the first m blocks. A column skipped later still
 * counts in its block until then, which leaves all bounds valid.  O(columns of the blocks) */
void sr_update_blocks(int64_t p, const sr_bounds *b, const int64_t *cols, int64_t m);
/* If the residual moved by d since c_j was recorded, then by Cauchy-Schwarz and Hoelder
 *   dual_magnitude(x_j' r) <= c_j + min(norm2_j |d|_2, norm1_j |d|_max),
 * where |d| is at most the displacement since the reference. The second is sharper for short columns. `shift`:
 * 2-norm distance of the dual point from the residual; unless it is 0, only Cauchy-Schwarz applies. out[0 ..
 * *n_out): the j whose bound exceeds threshold * factor_j; *worst: the largest bound / factor_j among them;
 * *largest: at least the largest of the others. A block whose own bound is below the threshold is not read, so that
 * columns should be in the order of their norms.  O(blocks + columns of blocks above the threshold) */
void sr_screen(int64_t p, const sr_bounds *b, const sr_displacement *now, double shift, double threshold, int32_t *out,
               int64_t *n_out, double *worst, double *largest);

/* out[0 .. *n_out): the j, none skipped, whose gradient had a dual magnitude over threshold * factor_j when it was
 * last evaluated. *widest: the largest share of its threshold by which the bound of one has grown since.  O(blocks +
 * columns of blocks with one) */
void sr_last_above(int64_t p, const sr_bounds *b, const sr_displacement *now, double threshold, int32_t *out,
                   int64_t *n_out, double *widest);

/* What m columns moved the residual by, from coefficients w_before to w, in sums over them with step = w - w_before. */
typedef struct {
    double squared;  /* step' (c_before - c) = |X step|^2, c the centred gradients */
    double rounding; /* |step|' (|c| + |c_before| + |c0|), of which a share of 1e-16 is rounding */
    double reach;    /* sum of the `longest` largest |step_a| max_abs_a: as many as a row has entries, at most */
    double sum;      /* sums' step */
} sr_moved;
typedef struct {
    int64_t m;
    const double *w, *w_before, *c, *c_before, *c0, *max_abs, *sums; /* m each */
} sr_move;
/* heap: room for `longest` numbers, where these are fewer than m */
void sr_displacement_sums(const sr_move *move, int64_t longest, double *heap, sr_moved *out);

#endif
