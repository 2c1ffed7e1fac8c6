/* The interface of what works on rows in groups; rules and notation as in sr.h. */
#ifndef SR_GROUPS_H
#define SR_GROUPS_H

#include "sr.h"

/* Rows grouped by which of m chosen columns of ones, the members, they have: rows of a group have equal predictors. A
 * pattern lists its members plus one; slots beyond its length are 0. Groups are split as members join. */
typedef struct {
    int64_t n_groups, stride, longest;     /* stride: slots of a pattern, a multiple of 4; longest: most in use */
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
 * target, n_groups. y NULL, without weights: sums of y are left for sr_groups_sum_up, as the additions to one group
 * wait for each other.  O(entries of j) */
sr_status sr_groups_split(const sr_matrix *X, int64_t j, int64_t member, const double *y, const double *s,
                          sr_groups *g, int32_t *size_in, int32_t *target, int32_t *list, int64_t n_list);
/* The sums of y and of y^2 over the n rows, of weight 1, anew.  O(n) */
void sr_groups_sum_up(const sr_groups *g, int64_t n, const double *y);
/* out[a] = sum over the rows of column cols[a], of ones, of s_i mean[group of i].  O(entries of the columns) */
sr_status sr_groups_column_sums(const sr_matrix *X, const int64_t *cols, int64_t m, const double *s,
                                const sr_groups *g, const double *mean, double *out);
/* out[i] = s_i (y_i - mean[group of i]) for every row.  O(n) */
void sr_groups_residuals(const sr_groups *g, int64_t n, const double *y, const double *s, const double *mean,
                         double *out);
/* out[slot] += s[u] curvature[u] for the slots of the groups u in `list`.  O(their slots) */
void sr_groups_products(const sr_groups *g, const int32_t *list, int64_t n_list, double *out);

/* The first n_groups groups by member: those of member a are groups[begin[a] .. begin[a + 1]). Patterns of the others
 * are read slot by slot: groups that were split off since the lists were made. */
typedef struct {
    int64_t n_groups, m;
    int64_t *begin;  /* m + 2 */
    int32_t *groups; /* room for all slots in use */
} sr_members;

/* The lists of all groups of g and its m members.  O(slots) */
void sr_members_list(const sr_groups *g, int64_t m, sr_members *out);
/* The next member, which the n groups of `list` have. Groups that are read by slots are left out.  O(n) */
void sr_members_append(sr_members *members, const int32_t *list, int64_t n);
/* out[u] = shift + sum of step[slot] over the pattern of u, with step[0] = 0; returns max |out|.  O(slots) */
double sr_members_step(const sr_members *members, const sr_groups *g, const double *step, double shift, double *out);
/* out[slot] = sum of v[u] over the groups with it, or of sy - s mean where there is a mean, and v is work space for the
 * groups in lists, for slots up to m; out[0] takes what is beyond the patterns. Of out 4 (m + 1) numbers are used, zero
 * before.  O(slots + m) */
void sr_members_sums(const sr_members *members, const sr_groups *g, double *v, const double *mean, int64_t m,
                     double *out);
/* The values of G = X_M' diag(s curvature) X_M anew, by lists of all groups; its structure stays. sum: m + 1, zero
 * before and after.  O(sum over groups of length^2) */
void sr_members_gram(const sr_members *members, const sr_groups *g, double *sum, const sr_gram *G);

#endif
