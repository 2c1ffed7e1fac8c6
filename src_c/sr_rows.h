/* Kernels where a column has a row of coefficients, one for each of K outputs: targets of a multi-task problem, or
 * classes. Rules and notation as in sr.h, of which this is a part. */
#ifndef SR_ROWS_H
#define SR_ROWS_H

#include "sr.h"

/* What coordinate descent over m chosen columns reads of each, and what it updates; see sr_coordinates. The penalty is
 * sum_a l1_a |w_a|_2 + l2_a/2 |w_a|_2^2 over the rows w_a. */
typedef struct {
    int64_t m, n_outputs;
    const double *sums, *centered_sq_norm, *l1, *l2; /* m each */
    double weight_sum;                               /* S */
    double *w;                                       /* m by K, in and out */
    double *r_sum;                                   /* K, in and out: the sums of the residuals */
} sr_row_coordinates;

/* Epochs of block coordinate descent, one exact minimum of a row after the other, on the Gram that all outputs share.
 * In and out: q = X_M' R, m by K. Work space: step, K. Stops after max_epochs or when *decrease, the largest
 * (centered_sq_norm_a + l2_a) |step_a|^2 of an epoch, is at most tol. An epoch is O(K (m + entries of G in the columns
 * whose rows change)). */
void sr_cd_gram_rows(const sr_gram *G, const sr_row_coordinates *co, const int64_t *order, int64_t n_order,
                     int64_t max_epochs, double tol, double *step, double *q, int64_t *epochs, double *decrease);

/* ---- the multinomial loss ------------------------------------------------------------------------------------------
 * Its second-order model at a reference, where the K classes of row i have the probabilities p_ik: with d the
 * predictors less those of the reference,  sum_i s_i/2 (sum_k p_ik d_ik^2 - (sum_k p_ik d_ik)^2)  beyond first order.
 * Vectors over rows and classes hold class k from k n_rows on. */
typedef struct {
    int64_t n_outputs;
    const double *p, *sp; /* K n each: p_ik and s_i p_ik */
    double *d;            /* K n, in and out */
    double *mean;         /* n, in and out: sum_k p_ik d_ik */
} sr_softmax_model;

/* Coordinates: a column and a class each. */
typedef struct {
    int64_t m;
    const int64_t *cols, *outputs; /* m each */
    const double *shift;           /* m: subtracted from every value; only columns with an entry in each row may */
    const double *c, *h, *l1, *l2; /* m each: the negative gradient of the loss at the reference, and the curvature */
    double *w;                     /* m, in and out */
} sr_pairs;

/* out[a] = sum_i s_i p_ik (1 - p_ik) x_ij^2, the curvature along coordinate a.  O(entries of the columns) */
sr_status sr_softmax_curvatures(const sr_matrix *X, const sr_softmax_model *model, const sr_pairs *pairs, double *out);
/* One epoch over the n_order coordinates `order`: the exact minimum along each, with the elastic net's penalty.
 * *decrease: the largest (h + l2) step^2.  O(entries of the columns) */
sr_status sr_softmax_cd(const sr_matrix *X, const sr_softmax_model *model, const sr_pairs *pairs, const int64_t *order,
                        int64_t n_order, double *decrease);

#endif
