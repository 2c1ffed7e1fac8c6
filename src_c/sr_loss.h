/* Loss formulas, one row at a time: value, slope and curvature in the predictor z. Knows nothing of X or of penalties. */
#ifndef SR_LOSS_H
#define SR_LOSS_H

#include "sr_registry.h"

typedef struct {
    double value, slope, curvature; /* loss, its first and second derivative in z */
} sr_point;

static inline sr_point sr_loss_at_squared(double y, double z) {
    const double d = z - y;
    return (sr_point){0.5 * d * d, d, 1.0};
}

#endif
