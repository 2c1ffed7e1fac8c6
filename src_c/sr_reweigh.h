/* The interface of what changes the weights of some rows in a Gram matrix; rules and notation as in sr.h. */
#ifndef SR_REWEIGH_H
#define SR_REWEIGH_H

#include "sr_groups.h"

/* D += sum_k change[k] z_k z_k', where z_k are the entries of row rows[k], a column of Xt, in the m members that `work`
 * has positions of: the product of two members a and b is added to one of D[a m + b] and D[b m + a]. Work space: place
 * and value, one more than the longest row has entries.  O(entries of the rows + half the squares of their lengths) */
sr_status sr_add_rows(const sr_matrix *Xt, const int64_t *rows, int64_t n, const double *change,
                      const sr_gram_work *work, int64_t m, int32_t *place, double *value, double *D);
/* The same for n groups of rows. Work space: place, the stride. */
void sr_add_groups(const sr_groups *g, const int64_t *groups, int64_t n, const double *change, int64_t m,
                   int32_t *place, double *D);
/* G, of values, takes up what D has for each pair of members. Returns whether it has an entry for every product that
 * is not 0: if not, it is wrong, and has to be computed anew. Overwrites D.  O(m^2) */
int sr_gram_add(const sr_gram *G, int64_t m, double *D);

/* Of one row, n members with their values; NULL: ones. */
static inline void sr_add_row(const int32_t *place, const double *value, int64_t n, double change, int64_t m,
                              double *D) {
    for (int64_t a = 0; a < n; a++) {
        double *row = D + place[a] * m;
        if (value) {
            const double scaled = change * value[a];
            for (int64_t b = a; b < n; b++) row[place[b]] += scaled * value[b];
        } else {
            for (int64_t b = a; b < n; b++) row[place[b]] += change;
        }
    }
}

#endif
