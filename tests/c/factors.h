/* Checks of the kernels on factors, which need no design. */
#ifndef FACTORS_H
#define FACTORS_H

#include "codes.h"
#include "fixture.h"

/* Cells with coefficients of their own beside those of one to three factors, against sums one by one. */
static void test_elimination(int64_t n_factors, int with_penalty_factors) {
    enum { ROWS = 37, LEVELS = 6, K = SR_ALPHA_BLOCK };
    int32_t codes[3][ROWS];
    double n[ROWS], b[ROWS], v[ROWS], weight[ROWS], residual[ROWS], alpha[K], residual_sum[K], fitted[K];
    double x[3][LEVELS + 1], triple[3][3 * (LEVELS + 1)], both[3][2 * K * (LEVELS + 1)], to[LEVELS + 1];
    sr_factor one[3], many[3];
    for (int k = 0; k < K; k++) alpha[k] = 0.5 + k;
    for (int c = 0; c < ROWS; c++) n[c] = 5.0 * uniform(), b[c] = uniform() - 0.5, v[c] = 0.1 + uniform();
    for (int a = 0; a < 3; a++) {
        for (int c = 0; c < ROWS; c++)
            codes[a][c] = a ? (int32_t)(uniform() * (LEVELS + 1)) : (int32_t)(c * LEVELS / ROWS);
        for (int l = 0; l <= LEVELS; l++) {
            x[a][l] = triple[a][3 * l] = uniform() - 0.5, triple[a][3 * l + 1] = triple[a][3 * l + 2] = 1.0;
            for (int k = 0; k < K; k++) both[a][2 * K * l + k] = x[a][l] * k, both[a][2 * K * l + K + k] = 2.0;
        }
        one[a] = (sr_factor){codes[a], triple[a], LEVELS}, many[a] = (sr_factor){codes[a], both[a], LEVELS};
    }
    int64_t begin[LEVELS + 1] = {0};
    for (int c = 0; c < ROWS; c++) begin[codes[0][c] + 1] = c + 1;
    const sr_cells cells = {ROWS, begin, n, b, with_penalty_factors ? v : NULL};
    sr_schur_system(&cells, 2.0, n_factors, one, weight, residual);
    sr_schur_residuals(&cells, alpha, n_factors, many, residual_sum, fitted);
    double totals[K] = {0.0}, products[K] = {0.0};
    for (int c = 0; c < ROWS; c++) {
        const double factor = cells.v ? v[c] : 1.0, p = 2.0 * factor;
        double sum = 0.0;
        for (int64_t a = 0; a < n_factors; a++) sum += x[a][codes[a][c]];
        CHECK(near(weight[c], n[c] * p / (n[c] + p)), "weight of cell %d", c);
        CHECK(near(residual[c], (b[c] - n[c] * sum) * p / (n[c] + p)), "residual of cell %d", c);
        for (int64_t a = 0; a < n_factors; a++) {
            triple[a][3 * codes[a][c] + 1] -= weight[c];
            triple[a][3 * codes[a][c] + 2] -= residual[c];
        }
        for (int k = 0; k < K; k++) {
            const double q = alpha[k] * factor, t = (b[c] - n[c] * sum * k) / (n[c] + q);
            totals[k] += q * t, products[k] += b[c] * t;
            for (int64_t a = 0; a < n_factors; a++) both[a][2 * K * codes[a][c] + K + k] -= q * t;
        }
    }
    for (int k = 0; k < K; k++) CHECK(near(residual_sum[k], totals[k]) && near(fitted[k], products[k]), "alpha %d", k);
    for (int a = 0; a < 3; a++)
        for (int l = 0; l <= LEVELS; l++) {
            CHECK(near(triple[a][3 * l + 1], 1.0) && near(triple[a][3 * l + 2], 1.0), "sums of level %d", l);
            for (int k = 0; k < K; k++) CHECK(near(both[a][2 * K * l + K + k], 2.0), "residuals of level %d", l);
        }
    for (int l = 0; l <= LEVELS; l++) to[l] = 1.0;
    const sr_factor out = {codes[1], to, LEVELS}, given = {codes[1], x[1], LEVELS};
    sr_crosstab_rmatvec(LEVELS, begin, n, x[0], &out);
    for (int c = 0; c < ROWS; c++) to[codes[1][c]] -= n[c] * x[0][codes[0][c]];
    for (int l = 0; l <= LEVELS; l++) CHECK(near(to[l], 1.0), "transposed cross-tabulation, level %d", l);
    sr_crosstab_matvec(LEVELS, begin, n, &given, to);
    for (int c = 0; c < ROWS; c++) to[codes[0][c]] -= n[c] * x[1][codes[1][c]];
    for (int l = 0; l <= LEVELS; l++) CHECK(near(to[l], 1.0), "cross-tabulation, level %d", l);
}

#endif
