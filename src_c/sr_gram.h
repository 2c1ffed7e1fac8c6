/* The Gram's storage, for sr_columns.c which fills it. Internal. */
#ifndef SR_GRAM_H
#define SR_GRAM_H

#include "sr.h"

/* Store the `met` sums of work->touched as column m, and each mirrored into its own column. */
sr_status sr_gram_push(sr_gram *G, int64_t m, const sr_gram_work *work, int64_t met, int64_t *need);

#endif
