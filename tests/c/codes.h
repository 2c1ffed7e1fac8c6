/* Rows by the codes of their columns, against plain loops. Included by test_kernels.c. */
#ifndef CODES_H
#define CODES_H

#include "fixture.h"

enum { CODE_ROWS = 9, CODE_COUNT = 6, CODE_WIDTH = 3, CODE_ENTRIES = CODE_ROWS * CODE_WIDTH };

static void test_codes(int bytes, int with_starts) {
    uint16_t narrow[CODE_ENTRIES];
    uint32_t wide[CODE_ENTRIES];
    uint32_t start[CODE_ROWS + 1] = {0};
    double plain[CODE_ROWS][CODE_COUNT] = {{0}}, w[CODE_COUNT], v[CODE_ROWS], s[CODE_ROWS];
    double z[CODE_ROWS] = {0}, c[CODE_COUNT] = {0}, sums[CODE_COUNT] = {0}, values[CODE_COUNT];
    int64_t e = 0;
    for (int i = 0; i < CODE_ROWS; i++) {
        const int length = with_starts ? (int)(uniform() * 4.0) : CODE_WIDTH;
        for (int a = 0; a < length; a++, e++) {
            const int code = (int)(uniform() * CODE_COUNT);
            narrow[e] = (uint16_t)code, wide[e] = (uint32_t)code, plain[i][code] += 1.0;
        }
        start[i + 1] = (uint32_t)e, v[i] = uniform() - 0.5, s[i] = i % 4 ? uniform() : 0.0;
    }
    for (int j = 0; j < CODE_COUNT; j++) w[j] = uniform() - 0.5;
    const sr_codes Z = {CODE_ROWS, CODE_WIDTH, bytes, with_starts ? start : NULL, bytes == 2 ? (void *)narrow : wide};
    sr_codes_matvec(&Z, 2, CODE_ROWS, w, z + 2);
    sr_codes_rmatvec(&Z, 2, CODE_ROWS, v + 2, c);
    for (int i = 2; i < CODE_ROWS; i++)
        for (int j = 0; j < CODE_COUNT; j++) z[i] -= plain[i][j] * w[j], c[j] -= plain[i][j] * v[i];
    double both[2 * CODE_ROWS], pair[2 * CODE_COUNT] = {0};
    for (int i = 0; i < CODE_ROWS; i++) both[2 * i] = v[i], both[2 * i + 1] = -3.0 * s[i];
    sr_codes_rmatvec_pair(&Z, 2, CODE_ROWS, both + 4, pair);
    for (int i = 2; i < CODE_ROWS; i++)
        for (int j = 0; j < CODE_COUNT; j++)
            pair[2 * j] -= plain[i][j] * v[i], pair[2 * j + 1] += plain[i][j] * 3.0 * s[i];
    for (int j = 0; j < 2 * CODE_COUNT; j++) CHECK(near(pair[j], 0.0), "rmatvec of codes by pairs, %d", j);
    for (int i = 0; i < CODE_ROWS; i++) CHECK(near(z[i], 0.0), "matvec of codes, row %d", i);
    for (int j = 0; j < CODE_COUNT; j++) CHECK(near(c[j], 0.0), "rmatvec of codes, column %d", j);

    const int32_t position[CODE_COUNT] = {-1, 0, -1, -1, 1, -1};
    int64_t begin[4] = {0};
    int32_t listed[CODE_ENTRIES], touched[CODE_ENTRIES + 1];
    double found[CODE_ENTRIES + 1];
    sr_codes_count(&Z, position, begin + 2);
    begin[3] += begin[2];
    sr_codes_rows(&Z, position, begin + 1, listed);
    for (int a = 0; a < 2; a++) {
        const int64_t m = sr_codes_products(&Z, begin[a + 1] - begin[a], listed + begin[a], s, sums, touched, found);
        memset(values, 0, sizeof values);
        for (int64_t k = 0; k < m; k++) values[touched[k]] += found[k];
        for (int j = 0; j < CODE_COUNT; j++) {
            double wanted = 0.0;
            for (int i = 0; i < CODE_ROWS; i++) wanted += s[i] * plain[i][a ? 4 : 1] * plain[i][j];
            CHECK(near(values[j], wanted) && sums[j] == 0.0, "product of codes %d, %d", a, j);
        }
    }

    double triangle[4] = {0}, h[CODE_ROWS];
    int32_t held[CODE_ENTRIES];
    for (int i = 0; i < CODE_ROWS; i++) h[i] = s[i] - 0.3;
    const sr_triangle lower = {0, 2, 2, triangle};
    sr_codes_gram(&Z, position, h, held, &lower);
    for (int i = 0; i < CODE_ROWS; i++)
        for (int a = 0; a < 2; a++)
            for (int b = 0; b <= a; b++) triangle[a * 2 + b] -= h[i] * plain[i][a ? 4 : 1] * plain[i][b ? 4 : 1];
    for (int a = 0; a < 4; a++) CHECK(near(triangle[a], 0.0), "Gram matrix of codes, entry %d", a);
}

#endif
