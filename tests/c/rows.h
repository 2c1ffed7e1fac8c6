/* Checks of the kernels where a column has a coefficient for each of several outputs. */
#ifndef ROWS_H
#define ROWS_H

#include "fixture.h"
#include "sr_rows.h"

enum { OUTPUTS = 3, PAIRS = OUTPUTS * P };

/* Epochs over rows of coefficients end where each block is at its minimum, and q and the sums are kept up to date. */
static void test_rows(const sr_gram *G, const sr_coordinates *one, const double *q_one) {
    double w[PAIRS] = {0}, q[PAIRS], r_sum[OUTPUTS], step[OUTPUTS], decrease = 1.0;
    int64_t order[P], epochs = 0;
    for (int k = 0; k < OUTPUTS; k++) r_sum[k] = *one->r_sum * (1.0 + k);
    for (int a = 0; a < P; a++) {
        order[a] = P - 1 - a;
        for (int k = 0; k < OUTPUTS; k++) q[a * OUTPUTS + k] = q_one[a] * (1.0 + k);
    }
    const sr_row_coordinates co = {P, OUTPUTS, one->sums, one->centered_sq_norm, one->l1, one->l2, one->weight_sum,
                                   w, r_sum};
    sr_cd_gram_rows(G, &co, order, P, 20000, 0.0, step, q, &epochs, &decrease);
    CHECK(epochs > 1, "one epoch cannot do");
    int moved = 0;
    for (int a = 0; a < P; a++) {
        double norm = 0.0, over = 0.0, c_norm = 0.0, c[OUTPUTS];
        for (int k = 0; k < OUTPUTS; k++) {
            double now = q_one[a] * (1.0 + k);
            for (int64_t e = G->begin[a]; e < G->begin[a] + G->len[a]; e++)
                now -= G->val[e] * w[G->idx[e] * OUTPUTS + k];
            CHECK(near(now, q[a * OUTPUTS + k]), "q drifted at %d", a);
            c[k] = now - one->sums[a] / one->weight_sum * r_sum[k];
            norm += w[a * OUTPUTS + k] * w[a * OUTPUTS + k], c_norm += c[k] * c[k];
        }
        norm = sqrt(norm), moved += norm > 0.0;
        for (int k = 0; k < OUTPUTS; k++) {
            const double mine = w[a * OUTPUTS + k];
            over = fmax(over, norm > 0.0 ? fabs(c[k] - (one->l1[a] / norm + one->l2[a]) * mine) : 0.0);
        }
        CHECK(over < 1e-7 && (norm > 0.0 || sqrt(c_norm) <= one->l1[a] * (1.0 + 1e-9)), "not stationary at %d", a);
    }
    CHECK(moved > 0, "nothing was fitted");
}

/* The model's derivative along a coordinate, by its definition: c - x' S p (d - mean) for d = X W. */
static double softmax_slope(const fixture *f, const sr_softmax_model *model, const sr_pairs *pairs, int64_t a) {
    double sum = pairs->c[a];
    for (int i = 0; i < N; i++) {
        double d[OUTPUTS] = {0}, mean = 0.0;
        for (int64_t b = 0; b < pairs->m; b++)
            d[pairs->outputs[b]] += pairs->w[b] * (f->plain[i][pairs->cols[b]] - pairs->shift[b]);
        for (int k = 0; k < OUTPUTS; k++) mean += model->p[k * N + i] * d[k];
        sum -= (f->plain[i][pairs->cols[a]] - pairs->shift[a]) * model->sp[pairs->outputs[a] * N + i]
             * (d[pairs->outputs[a]] - mean);
    }
    return sum;
}

/* Coordinate descent on the multinomial model ends where every coordinate is at its minimum. */
static void test_softmax(const fixture *f, const sr_matrix *X, const double *s) {
    double p[OUTPUTS * N], sp[OUTPUTS * N], d[OUTPUTS * N] = {0}, mean[N] = {0}, decrease = 1.0;
    double shift[PAIRS], c[PAIRS], h[PAIRS], l1[PAIRS], l2[PAIRS], w[PAIRS] = {0};
    int64_t cols[PAIRS], outputs[PAIRS], order[PAIRS];
    for (int i = 0; i < N; i++) {
        double total = 0.0;
        for (int k = 0; k < OUTPUTS; k++) total += p[k * N + i] = 0.1 + uniform();
        for (int k = 0; k < OUTPUTS; k++) p[k * N + i] /= total, sp[k * N + i] = p[k * N + i] * (s ? s[i] : 1.0);
    }
    for (int a = 0; a < PAIRS; a++) {
        cols[a] = a % P, outputs[a] = a / P, order[a] = (a * 5) % PAIRS;
        shift[a] = cols[a] >= N_SPARSE ? 0.25 : 0.0;
        c[a] = 4.0 * uniform() - 2.0, l1[a] = 0.3, l2[a] = 0.05, h[a] = 0.0;
    }
    const sr_softmax_model model = {OUTPUTS, p, sp, d, mean};
    const sr_pairs pairs = {PAIRS, cols, outputs, shift, c, h, l1, l2, w};
    CHECK(sr_softmax_curvatures(X, &model, &pairs, h) == SR_OK, "curvatures");
    for (int a = 0; a < PAIRS; a++) {
        double sum = 0.0;
        for (int i = 0; i < N; i++) {
            const double x = f->plain[i][cols[a]] - shift[a], own = p[outputs[a] * N + i];
            sum += sp[outputs[a] * N + i] * (1.0 - own) * x * x;
        }
        CHECK(near(h[a], sum), "curvature %d: %g, not %g", a, h[a], sum);
    }
    for (int epoch = 0; epoch < 3000 && decrease > 1e-26; epoch++)
        CHECK(sr_softmax_cd(X, &model, &pairs, order, PAIRS, &decrease) == SR_OK, "softmax cd");
    int moved = 0;
    for (int64_t a = 0; a < PAIRS; a++) {
        const double slope = softmax_slope(f, &model, &pairs, a);
        const double over = w[a] == 0.0 ? fabs(slope) - l1[a] : fabs(slope - copysign(l1[a], w[a]) - l2[a] * w[a]);
        CHECK(over < 1e-8, "not stationary by %g at %d", over, (int)a);
        moved += w[a] != 0.0;
    }
    CHECK(moved > 0, "nothing was fitted");
}

#endif
