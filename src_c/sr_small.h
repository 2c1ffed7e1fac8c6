/* The path of a small problem on the Gram matrix of all its columns. Rules and notation as in sr.h, of which this is a
 * part. */
#ifndef SR_SMALL_H
#define SR_SMALL_H

#include "sr.h"

/* m columns, all of them penalised: l1 > 0. */
typedef struct {
    int64_t m;
    sr_penalty penalty;
    const double *gram;    /* m by m, centred, symmetric */
    const double *sq, *c0; /* m each: its diagonal, and the gradients at w = 0 */
    const double *l1, *l2; /* m each: the strengths at a scale of 1 */
    double null_deviance;  /* twice S F at w = 0 */
    double target;         /* the gap of S F that suffices */
    int64_t max_steps;     /* Newton steps and epochs at one scale, at most */
    int64_t max_work;      /* their multiplications, at most */
} sr_small;

/* Coefficients w that are solved for, their gradients c, and work space. */
typedef struct {
    double *w, *c, *l1, *l2, *b; /* m each */
    int64_t *at;                 /* m */
    double *H;                   /* m by m */
} sr_small_work;

/* Solutions at n scales of the strengths, one after the other, each from the last: w of scale k in rows of W, the first
 * from row 0, which is given, to row 1 and so on; steps[k], how many it took. Ends early where a scale takes more than
 * max_steps or max_work; returns how many were solved. On the columns with w != 0 a Newton step, to where the first
 * coefficient is 0; once no sign changes, the columns that promise most enter, few at a time: of correlated ones most
 * that are over their threshold no longer are once the first are in.  O(m + k^3 / 6 + k m) a step of k active columns
 */
int64_t sr_small_path(const sr_small *P, const double *scale, int64_t n, const sr_small_work *work, double *W,
                      int64_t *steps);

#endif
