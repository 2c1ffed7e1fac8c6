/* Checks of the kernels that know rows by the levels of fields, which need no design. */
#ifndef FIELDS_H
#define FIELDS_H

#include "fixture.h"

/* Rows with a coefficient of their own beside those of two or three fields, against sums one by one. */
static void test_elimination(int64_t n_fields, int with_factors) {
    enum { ROWS = 37, LEVELS = 6, K = SR_STRENGTHS };
    int32_t codes[3][ROWS];
    double n[ROWS], b[ROWS], factor[ROWS], weight[ROWS], rest[ROWS], alpha[K], left[K], met[K];
    double x[3][LEVELS + 1], sums[3][2 * (LEVELS + 1)], both[3][2 * K * (LEVELS + 1)], to[LEVELS + 1];
    sr_levels give[3], take[3], fields[3];
    for (int k = 0; k < K; k++) alpha[k] = 0.5 + k;
    for (int c = 0; c < ROWS; c++) n[c] = 5.0 * uniform(), b[c] = uniform() - 0.5, factor[c] = 0.1 + uniform();
    for (int a = 0; a < 3; a++) {
        for (int c = 0; c < ROWS; c++) codes[a][c] = a ? (int32_t)(uniform() * (LEVELS + 1)) : (int32_t)(c * LEVELS / ROWS);
        for (int l = 0; l <= LEVELS; l++) {
            x[a][l] = uniform() - 0.5, sums[a][2 * l] = sums[a][2 * l + 1] = 1.0;
            for (int k = 0; k < K; k++) both[a][2 * K * l + k] = x[a][l] * k, both[a][2 * K * l + K + k] = 2.0;
        }
        give[a] = (sr_levels){codes[a], x[a], LEVELS}, take[a] = (sr_levels){codes[a], sums[a], LEVELS};
        fields[a] = (sr_levels){codes[a], both[a], LEVELS};
    }
    int64_t begin[LEVELS + 1] = {0};
    for (int c = 0; c < ROWS; c++) begin[codes[0][c] + 1] = c + 1;
    const double *v = with_factors ? factor : NULL;
    sr_weigh(begin, n, b, v, 2.0, n_fields, give, take, weight, rest);
    sr_eliminate(ROWS, n, b, v, alpha, n_fields, fields, left, met);
    double totals[K] = {0.0}, products[K] = {0.0};
    for (int c = 0; c < ROWS; c++) {
        const double p = 2.0 * (v ? v[c] : 1.0);
        double sum = 0.0;
        for (int64_t a = 0; a < n_fields; a++) sum += x[a][codes[a][c]];
        CHECK(near(weight[c], n[c] * p / (n[c] + p)) && near(rest[c], (b[c] - n[c] * sum) * p / (n[c] + p)), "weigh");
        for (int64_t a = 0; a < n_fields; a++) sums[a][2 * codes[a][c]] -= weight[c], sums[a][2 * codes[a][c] + 1] -= rest[c];
        for (int k = 0; k < K; k++) {
            const double q = alpha[k] * (v ? v[c] : 1.0), t = (b[c] - n[c] * sum * k) / (n[c] + q);
            totals[k] += q * t, products[k] += b[c] * t;
            for (int64_t a = 0; a < n_fields; a++) both[a][2 * K * codes[a][c] + K + k] -= q * t;
        }
    }
    for (int k = 0; k < K; k++) CHECK(near(left[k], totals[k]) && near(met[k], products[k]), "eliminate, strength %d", k);
    for (int a = 0; a < 3; a++)
        for (int l = 0; l <= LEVELS; l++) {
            CHECK(near(sums[a][2 * l], 1.0) && near(sums[a][2 * l + 1], 1.0), "sums of level %d", l);
            for (int k = 0; k < K; k++) CHECK(near(both[a][2 * K * l + K + k], 2.0), "left to level %d", l);
        }
    for (int l = 0; l <= LEVELS; l++) to[l] = 1.0;
    const sr_levels carried = {codes[1], to, LEVELS}, given = {codes[1], x[1], LEVELS};
    sr_carry(LEVELS, begin, n, x[0], &carried);
    for (int c = 0; c < ROWS; c++) to[codes[1][c]] -= n[c] * x[0][codes[0][c]];
    for (int l = 0; l <= LEVELS; l++) CHECK(near(to[l], 1.0), "carried to level %d", l);
    sr_collect(LEVELS, begin, n, &given, to);
    for (int c = 0; c < ROWS; c++) to[codes[0][c]] -= n[c] * x[1][codes[1][c]];
    for (int l = 0; l <= LEVELS; l++) CHECK(near(to[l], 1.0), "collected from level %d", l);
}

#endif
