/* Checks of the kernels that project a dual point. */
#ifndef PROJECTION_H
#define PROJECTION_H

#include "fixture.h"
#include "sr_penalty.h"

/* Projections from u = 0 on the residual and on the Gram, whose r and q they change: to the same dual point, within all
 * thresholds, with what is kept up to date being right. */
static void test_projection(const sr_matrix *X, const int64_t *cols, const sr_gram *G, sr_coordinates co,
                            const double *s, const double *at_zero, const double *q_at_zero) {
    const double r_sum_at_zero = *co.r_sum, margin = 1e-6;
    double r[N], q[P], q_now[P], last[P], u_r[P] = {0}, u_g[P] = {0}, violation = 1.0;
    double r_sum = r_sum_at_zero, g_sum = r_sum_at_zero;
    int64_t order[P], sweeps = 0, moved = 0;
    memcpy(r, at_zero, sizeof r), memcpy(q, q_at_zero, sizeof q);
    for (int64_t a = 0; a < P; a++) order[a] = a;
    co.w = u_g, co.r_sum = &g_sum;
    sr_project_gram(G, &co, 10000, margin, margin, q, &sweeps);
    CHECK(sweeps > 1 && sweeps < 10000, "%d sweeps", (int)sweeps);
    co.w = u_r, co.r_sum = &r_sum;
    for (int64_t sweep = 0; sweep < sweeps; sweep++)
        CHECK(sr_project_residual(X, cols, &co, order, P, margin, s, r, &violation) == SR_OK, "project");
    CHECK(violation <= 2.0 * margin, "violation of %g", violation);
    sr_rmatvec(X, cols, 0, P, r, q_now);
    for (int a = 0; a < P; a++) {
        const double c = q_now[a] - co.sums[a] / co.weight_sum * r_sum - co.l2[a] * u_r[a];
        CHECK(sr_dual_magnitude(co.penalty, c) <= co.l1[a] * (1.0 + 10.0 * margin), "not within at %d", a);
        CHECK(near(u_r[a], u_g[a]) && near(q[a], q_now[a]), "residual and Gram disagree at %d", a);
        moved += u_r[a] != 0.0;
    }
    CHECK(moved > 0 && near(r_sum, g_sum), "nothing moved, or sums differ");
    memcpy(last, q_at_zero, sizeof last);
    sr_gram_subtract_last(G, P - 3, P, u_g, last);
    for (int a = 0; a < P; a++) CHECK(near(last[a], a < P - 3 ? q_at_zero[a] : q[a]), "subtract_last at %d", a);
}

#endif
