/* Losses a(z) - y z, by rows or by groups of rows with equal predictors; rules and notation as in sr.h. */
#ifndef SR_MEANS_H
#define SR_MEANS_H

#include "sr.h"

/* Losses a(z) - y z of n rows or groups, with sums of weights s, of s y and of s y^2, at z = eta + t step + shift (step
 * NULL: 0). Exponents are cut at -708 and 708. */
typedef enum { SR_MEAN_LOGISTIC, SR_MEAN_POISSON, SR_N_MEANS } sr_mean;
const char *sr_mean_name(sr_mean mean);
typedef struct {
    const double *s, *sy, *syy;
} sr_unit_sums;
typedef struct {
    const double *eta, *step;
    double t, shift;
} sr_predictor;
typedef struct {
    double slope;     /* sum (sy - s mean) */
    double curvature; /* sum s a''(z) */
    double squared;   /* sum over the rows of s (y - mean)^2 / a''(z), or a bound above it */
} sr_mean_totals;
/* mean = a'(z).  O(n) */
sr_status sr_mean_of(sr_mean kind, int64_t n, const sr_unit_sums *sums, const sr_predictor *at, double *mean,
                     sr_mean_totals *out);
/* curvature = a''(eta).  O(n) */
sr_status sr_mean_curvature(sr_mean kind, int64_t n, const double *eta, double *curvature);
/* *value = sum (s a(z) - sy z) at z = eta.  O(n) */
sr_status sr_mean_value(sr_mean kind, int64_t n, const double *s, const double *sy, const double *eta, double *value);
/* mean += share a'', in place; a'' follows from the mean.  O(n) */
sr_status sr_mean_correct(sr_mean kind, int64_t n, double share, double *mean);
/* out = m log(m / mu) - m + mu with m = mu + difference, to a few units in the last place where |difference| <= mu / 2;
 * how many are further apart is returned, and what is written there is of no use.  O(n) */
int64_t sr_near_entropies(int64_t n, const double *mu, const double *difference, double *out);
/* Between two points a and b with predictors eta[.] and dual points y - mean[.], at a share t of the way to b: how far
 * the dual point is from the residual, d = (mean - a') / a'' a unit.  O(n) */
typedef struct {
    const double *eta[2], *mean[2];
    double t;
} sr_line;
typedef struct {
    double squares; /* sum s a'' d^2 */
    double largest; /* max |d| */
    double squared; /* as in sr_mean_totals */
} sr_apart;
sr_status sr_mean_apart(sr_mean kind, int64_t n, const sr_unit_sums *sums, const sr_line *line, sr_apart *out);
/* A dual point y - q from predictors d of a step, with h = a''(eta): d less its mean under s h, if `centred`, then q =
 * mean + h d, *squares = sum s h (d + correction)^2, *largest = max |d + correction|, and d is replaced by s h d.
 * O(n) */
sr_status sr_mean_toward(sr_mean kind, int64_t n, const double *s, const double *eta, const double *mean,
                         double correction, int centred, double *d, double *q, double *squares, double *largest);
/* *squared = sum s (mean - reference)^2, *largest = max |mean - reference|; then reference = mean.  O(n) */
void sr_mean_moved(int64_t n, const double *s, const double *mean, double *reference, double *squared,
                   double *largest);

/* The same for n single rows, with targets y, weights s (NULL: 1) and predictors z + shift. */
typedef struct {
    double slope, curvature, size; /* sum s (y - mean), sum s a'', sum s mean */
    double squared;                /* sum s (y - mean)^2 / a'' */
} sr_row_totals;
/* out = s (y - mean), which keeps its digits where a class is all but certain; NULL: only the totals.  O(n) */
sr_status sr_rows_residuals(sr_mean kind, int64_t n, const double *y, const double *s, const double *z, double shift,
                            double *out, sr_row_totals *totals);
/* *sum = sum s (relative entropy of (1 - t) y + t mean and mean); *far: how many entropies are of numbers so far apart
 * that the series does not serve, as in sr_near_entropies: the sum then is of no use.  O(n) */
sr_status sr_rows_gap(sr_mean kind, int64_t n, const double *y, const double *s, const double *z, double t, double *sum,
                      int64_t *far);

#endif
