/* The path of a small problem, against the conditions of a minimum. Included by test_kernels.c. */
#include "sr_small.h"

/* Several vectors at once, with few and with many left over, against one by one. */
static void test_several_products(const sr_matrix *X) {
    enum { VECTORS = 14 };
    const int64_t cols[] = {10, 0, P - 1};
    double V[VECTORS * N], abreast[SR_VECTORS * N], every[VECTORS * P], some[VECTORS * 3], out[P];
    for (int i = 0; i < VECTORS * N; i++) V[i] = uniform() - 0.5;
    for (int k = VECTORS - 3; k <= VECTORS; k += 3) {
        CHECK(sr_rmatvecs(X, NULL, P, V, k, abreast, every) == SR_OK, "every column");
        CHECK(sr_rmatvecs(X, cols, 3, V, k, abreast, some) == SR_OK, "listed columns");
        for (int b = 0; b < k; b++) {
            sr_rmatvec(X, NULL, 0, P, V + b * N, out);
            for (int j = 0; j < P; j++) CHECK(near(every[b * P + j], out[j]), "vector %d, column %d", b, j);
            for (int a = 0; a < 3; a++) CHECK(near(some[b * 3 + a], out[cols[a]]), "vector %d, listed column %d", b, a);
        }
    }
}

static void test_small_path(sr_penalty pen) {
    enum { M = 6, ROWS = 9, STRENGTHS = 4 };
    double x[ROWS][M], y[ROWS], gram[M * M], sq[M], c0[M], l1[M], l2[M], room[5][M], H[M * M];
    double W[(STRENGTHS + 1) * M] = {0.0}, squares = 0.0, scale[STRENGTHS];
    int64_t at[M], steps[STRENGTHS];
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < M; j++) x[i][j] = uniform() - 0.5 + (j ? 0.5 * x[i][j - 1] : 0.0);
        y[i] = uniform() - 0.5, squares += y[i] * y[i];
    }
    for (int a = 0; a < M; a++) {
        c0[a] = 0.0, l1[a] = 0.5 + uniform(), l2[a] = a % 2 ? uniform() : 0.0;
        for (int i = 0; i < ROWS; i++) c0[a] += x[i][a] * y[i];
        for (int b = 0; b < M; b++) {
            gram[a * M + b] = 0.0;
            for (int i = 0; i < ROWS; i++) gram[a * M + b] += x[i][a] * x[i][b];
        }
        sq[a] = gram[a * M + a];
    }
    for (int k = 0; k < STRENGTHS; k++) scale[k] = pow(0.3, k + 1);
    const sr_small problem = {M, pen, gram, sq, c0, l1, l2, squares, 1e-14 * squares, 100, 1000000};
    const sr_small_work work = {room[0], room[1], room[2], room[3], room[4], at, H};
    CHECK(sr_small_path(&problem, scale, STRENGTHS, &work, W, steps) == STRENGTHS, "not every strength is solved");
    for (int k = 1; k <= STRENGTHS; k++)
        for (int a = 0; a < M; a++) {
            const double w = W[k * M + a], strength = scale[k - 1];
            double c = c0[a] - strength * l2[a] * w;
            for (int b = 0; b < M; b++) c -= gram[a * M + b] * W[k * M + b];
            const double over = sr_dual_magnitude(pen, c) - strength * l1[a];
            CHECK(w != 0.0 ? fabs(over) < 1e-6 : over < 1e-6, "strength %d, column %d", k, a);
            CHECK(pen != SR_PENALTY_elastic_net_nonneg || w >= 0.0, "below 0");
        }
    /* A step is needed where something enters, which with the signs of c0 may be nothing. */
    const sr_small hasty = {M, pen, gram, sq, c0, l1, l2, squares, 0.0, 0, 1000000};
    int entered = 0;
    for (int a = 0; a < M; a++) entered += W[STRENGTHS * M + a] != 0.0;
    CHECK(sr_small_path(&hasty, scale + STRENGTHS - 1, 1, &work, W, steps) == !entered, "solved in no steps");
}

static void test_small_paths(void) {
    for (int k = 0; k < 10 * SR_N_PENALTIES; k++) test_small_path((sr_penalty)(k / 10));
}
