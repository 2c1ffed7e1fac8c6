/* What the checks of the kernels share: counting failures, numbers at random, and a small design in every type. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sr.h"

enum { N = 23, P = 13, N_ONES = 5, N_SPARSE = 9, MAX_ENTRIES = N * P };

static int failures = 0, checks = 0;
#define CHECK(condition, ...) \
    do { \
        checks++; \
        if (!(condition)) { \
            failures++; \
            printf("%s:%d: ", __FILE__, __LINE__); \
            printf(__VA_ARGS__); \
            printf("\n"); \
        } \
    } while (0)
static int near(double a, double b) { return fabs(a - b) <= 1e-9 * (1.0 + fabs(a) + fabs(b)); }

static uint64_t seed = 1;
static double uniform(void) { /* xorshift64, so that every machine sees the same numbers */
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (double)(seed >> 11) / 9007199254740992.0;
}

/* One design in plain form, and its arrays in the types under test. */
typedef struct {
    double plain[N][P];
    int32_t start32[P], stop32[P], rows32[MAX_ENTRIES], first32[N + 1], cols32[MAX_ENTRIES];
    int64_t start64[P], stop64[P], rows64[MAX_ENTRIES], first64[N + 1], cols64[MAX_ENTRIES];
    float values_f[MAX_ENTRIES], dense_f[N * P], row_values_f[MAX_ENTRIES];
    double values_d[MAX_ENTRIES], dense_d[N * P], row_values_d[MAX_ENTRIES];
    int64_t shift, row_entries;
} fixture;

static void fill(fixture *f) {
    int64_t e = 0;
    memset(f, 0, sizeof *f);
    for (int j = 0; j < P; j++) {
        if (j == N_ONES) f->shift = e;
        if (j < N_SPARSE) f->start64[j] = e, f->start32[j] = (int32_t)e;
        for (int i = 0; i < N; i++) {
            const int dense = j >= N_SPARSE;
            if (!dense && uniform() > 0.3) continue;
            const double v = j < N_ONES ? 1.0 : (double)(float)(uniform() * 4.0 - 2.0);
            f->plain[i][j] = v;
            if (dense) {
                f->dense_d[(j - N_SPARSE) * N + i] = v, f->dense_f[(j - N_SPARSE) * N + i] = (float)v;
                continue;
            }
            f->rows64[e] = i, f->rows32[e] = i;
            if (j >= N_ONES) f->values_d[e - f->shift] = v, f->values_f[e - f->shift] = (float)v;
            e++;
        }
        if (j < N_SPARSE) f->stop64[j] = e, f->stop32[j] = (int32_t)e;
    }
    int64_t g = 0;
    for (int i = 0; i < N; i++) {
        f->first64[i] = g, f->first32[i] = (int32_t)g;
        for (int j = 0; j < P; j++)
            if (f->plain[i][j] != 0.0) {
                f->cols64[g] = j, f->cols32[g] = j;
                f->row_values_d[g] = f->plain[i][j], f->row_values_f[g] = (float)f->plain[i][j];
                g++;
            }
    }
    f->first64[N] = g, f->first32[N] = (int32_t)g, f->row_entries = g;
}

static sr_matrix columns(const fixture *f, int real, int index) {
    const int wide = index == SR_I64, full = real == SR_F64;
    return (sr_matrix){N, P, N_ONES, N_SPARSE,
                       wide ? (const void *)f->start64 : f->start32, wide ? (const void *)f->stop64 : f->stop32,
                       wide ? (const void *)f->rows64 : f->rows32, full ? (const void *)f->values_d : f->values_f,
                       f->shift, full ? (const void *)f->dense_d : f->dense_f, N, real, index, 0, 0};
}

static sr_matrix rows(const fixture *f, int real, int index) {
    const int wide = index == SR_I64, full = real == SR_F64;
    return (sr_matrix){P, N, 0, N, wide ? (const void *)f->first64 : f->first32,
                       wide ? (const void *)(f->first64 + 1) : f->first32 + 1,
                       wide ? (const void *)f->cols64 : f->cols32,
                       full ? (const void *)f->row_values_d : f->row_values_f, 0, NULL, 0, real, index, 0, 0};
}

#endif
