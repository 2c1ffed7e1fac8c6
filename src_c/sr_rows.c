/* Coordinate descent on the Gram where each column has a row of K coefficients, one for each of K targets. */
#include "sr_rows.h"

#include <math.h>

#include "sr_coordinate.h"
#include "sr_gram.h"

/* The step of row a from w_a to the exact minimiser of its block, in `step`; returns its squared length. */
static double sr_row_step(const sr_row_coordinates *co, int64_t a, const double *q, double *step) {
    const double *w = co->w + a * co->n_outputs, curvature = co->centered_sq_norm[a];
    const double share = co->sums[a] / co->weight_sum;
    double squared = 0.0, moved = 0.0;
    for (int64_t k = 0; k < co->n_outputs; k++) {
        step[k] = q[a * co->n_outputs + k] - share * co->r_sum[k] + curvature * w[k];
        squared += step[k] * step[k];
    }
    const double norm = sqrt(squared), over = norm - co->l1[a], total = curvature + co->l2[a];
    const double scale = over > 0.0 && total > 0.0 ? over / (norm * total) : 0.0;
    for (int64_t k = 0; k < co->n_outputs; k++) {
        step[k] = scale * step[k] - w[k];
        moved += step[k] * step[k];
    }
    return moved;
}

/* out[b] -= G_ab step for every member b. */
static void sr_row_axpy(const sr_gram *G, int64_t a, int64_t n_outputs, const double *restrict step,
                        double *restrict q) {
    SR_GRAM_EACH(G, a, {
        double *row = q + at * n_outputs;
        for (int64_t k = 0; k < n_outputs; k++) row[k] -= product * step[k];
    });
}

SR_WIDE void sr_cd_gram_rows(const sr_gram *G, const sr_row_coordinates *co, const int64_t *order, int64_t n_order,
                             int64_t max_epochs, double tol, double *step, double *q, int64_t *epochs,
                             double *decrease) {
    *epochs = 0;
    while (*epochs < max_epochs) {
        double most = 0.0;
        for (int64_t o = 0; o < n_order; o++) {
            const int64_t a = order[o];
            const double moved = sr_row_step(co, a, q, step);
            if (moved == 0.0) continue;
            sr_row_axpy(G, a, co->n_outputs, step, q);
            for (int64_t k = 0; k < co->n_outputs; k++) {
                co->w[a * co->n_outputs + k] += step[k];
                co->r_sum[k] -= step[k] * co->sums[a];
            }
            const double now = (co->centered_sq_norm[a] + co->l2[a]) * moved;
            most = now > most ? now : most;
        }
        ++*epochs;
        *decrease = most;
        if (most <= tol) return;
    }
}
