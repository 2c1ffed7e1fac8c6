/* The Gram's storage, for sr_columns.c which fills it. Internal. */
#ifndef SR_GRAM_H
#define SR_GRAM_H

#include "sr.h"

/* Store the sums that are not 0, of m + 1 columns, as column m, and each mirrored into its own column. */
sr_status sr_gram_push(sr_gram *G, int64_t m, const double *sum, int64_t *need);

#endif
