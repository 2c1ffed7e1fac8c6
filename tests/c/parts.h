/* Checks of columns put in order by parts of the rows. */
#ifndef PARTS_H
#define PARTS_H

#include "fixture.h"

enum { PARTS = 3 };

/* Rows i of part i % PARTS, which are numbered part by part. */
static void test_parts(const fixture *f, int real, int index) {
    const int wide = index == SR_I64, full = real == SR_F64;
    int32_t place32[N], rows32[MAX_ENTRIES], begin32[PARTS * N_SPARSE], work32[N];
    int64_t place64[N], rows64[MAX_ENTRIES], begin64[PARTS * N_SPARSE], work64[N], old[N], next[PARTS + 1];
    uint16_t part[N];
    float values_f[MAX_ENTRIES], work_f[N];
    double values_d[MAX_ENTRIES], work_d[N], v[N], sums[PARTS * N_SPARSE];
    int64_t at = 0;
    for (int k = 0; k < PARTS; k++)
        for (int i = k; i < N; i += PARTS) part[i] = (uint16_t)k, old[at] = i, place64[i] = at++;
    for (int i = 0; i < N; i++) place32[i] = (int32_t)place64[i], v[i] = uniform();
    for (int k = 0; k < PARTS * N_SPARSE; k++)
        begin64[k] = f->start64[k % N_SPARSE], begin32[k] = f->start32[k % N_SPARSE];
    memcpy(rows32, f->rows32, sizeof rows32), memcpy(rows64, f->rows64, sizeof rows64);
    memcpy(values_f, f->values_f, sizeof values_f), memcpy(values_d, f->values_d, sizeof values_d);
    sr_matrix X = columns(f, real, index);
    X.n_cols = N_SPARSE;
    const sr_row_parts P_ = {PARTS, N_SPARSE, wide ? (const void *)place64 : place32, part, v,
                             wide ? (void *)work64 : work32, full ? (void *)work_d : work_f, next};
    const sr_status status = sr_part_rows(&X, &P_, wide ? (void *)rows64 : rows32,
                                          full ? (void *)values_d : values_f, wide ? (void *)begin64 : begin32, sums);
    CHECK(status == SR_OK, "parts of the rows");
    for (int j = 0; j < N_SPARSE; j++)
        for (int k = 0; k < PARTS; k++) {
            const int64_t begin = wide ? begin64[k * N_SPARSE + j] : begin32[k * N_SPARSE + j];
            double sum = 0.0;
            int64_t e = begin;
            for (int i = k; i < N; i += PARTS) {
                if (f->plain[i][j] == 0.0) continue;
                const double value = j < N_ONES ? 1.0 : full ? values_d[e - f->shift] : (double)values_f[e - f->shift];
                CHECK(old[wide ? rows64[e] : rows32[e]] == i && near(value, f->plain[i][j]), "row %d of %d", i, j);
                sum += f->plain[i][j] * v[i], e++;
            }
            CHECK(near(sums[k * N_SPARSE + j], sum), "the sum of column %d over part %d", j, k);
        }
}

#endif
