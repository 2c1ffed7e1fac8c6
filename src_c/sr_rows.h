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

#endif
