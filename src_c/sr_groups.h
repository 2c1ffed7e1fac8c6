/* The interface of what works on rows in groups; rules and notation as in sr.h. */
#ifndef SR_GROUPS_H
#define SR_GROUPS_H

#include "sr.h"

/* Rows grouped by which of m chosen columns of ones, the members, they have: rows of a group have equal predictors. A
 * pattern lists its members plus one; slots beyond its length are 0. Groups are split as members join. */
typedef struct {
    int64_t n_groups, stride;              /* stride: slots of a pattern, a multiple of 4 */
    int32_t *of_row, *size;                /* the group of each row; rows of each group */
    uint16_t *slots, *length;              /* stride a group; members of each group */
    double *s, *sy, *syy;                  /* of each group: sum s_i, sum s_i y_i, sum s_i y_i^2 */
    double *eta, *curvature, *reference;   /* of each group: the predictor, and two numbers that new groups inherit */
} sr_groups;

/* list[0 .. *n_list): the groups with rows in column j, of ones, at most min(n_groups, entries); size_in[g]: how many
 * of their rows, zero before; *n_new: how many of them have other rows too.  O(entries of j) */
sr_status sr_groups_meet(const sr_matrix *X, int64_t j, const sr_groups *g, int32_t *size_in, int32_t *list,
                         int64_t *n_list, int64_t *n_new);
/* Column j joins as number `member`, after `sr_groups_meet`: groups with rows in it and others not in it are split, for
 * which there must be room for n_new more; size_in becomes zero, `list` has the groups with the column. Work space:
 * target, n_groups.  O(entries of j) */
sr_status sr_groups_split(const sr_matrix *X, int64_t j, int64_t member, const double *y, const double *s,
                          sr_groups *g, int32_t *size_in, int32_t *target, int32_t *list, int64_t n_list);
/* out[a] = sum over the rows of column cols[a], of ones, of s_i mean[group of i].  O(entries of the columns) */
sr_status sr_groups_column_sums(const sr_matrix *X, const int64_t *cols, int64_t m, const double *s,
                                const sr_groups *g, const double *mean, double *out);
/* out[i] = s_i (y_i - mean[group of i]) for every row.  O(n) */
void sr_groups_residuals(const sr_groups *g, int64_t n, const double *y, const double *s, const double *mean,
                         double *out);
/* out[u] = shift + sum of step[slot] over the pattern of u, with step[0] = 0; returns max |out|.  O(slots) */
double sr_groups_step(const sr_groups *g, const double *step, double shift, double *out);
/* out[slot] += v[u] for the slots of each group, or += sy - s mean where there is a mean; out[0] takes what is beyond
 * the patterns.  O(slots) */
void sr_groups_sums(const sr_groups *g, const double *v, const double *mean, double *out);
/* out[slot] += s[u] curvature[u] for the slots of the groups u in `list`.  O(their slots) */
void sr_groups_products(const sr_groups *g, const int32_t *list, int64_t n_list, double *out);
/* The groups of each member: of member a they are groups[begin[a] .. begin[a + 1]). begin: m + 2.
 * O(slots) */
void sr_groups_of_members(const sr_groups *g, int64_t m, int64_t *begin, int32_t *groups);
/* The values of G = X_M' diag(s curvature) X_M anew; its structure stays. `begin` and `groups` as above; sum: m + 1,
 * zero before and after.  O(sum over groups of length^2) */
void sr_groups_gram(const sr_groups *g, int64_t m, const int64_t *begin, const int32_t *groups, double *sum,
                    const sr_gram *G);

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
/* *squared = sum s (mean - reference)^2, *largest = max |mean - reference|; then reference = mean.  O(n) */
void sr_mean_moved(int64_t n, const double *s, const double *mean, double *reference, double *squared,
                   double *largest);

#endif
