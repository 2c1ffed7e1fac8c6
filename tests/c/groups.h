/* Checks of the kernels for rows in groups, and of the losses they serve. */
#ifndef GROUPS_H
#define GROUPS_H

#include "fixture.h"
#include "sr_groups.h"
#include "sr_means.h"

/* Columns of ones join; each row's group has its predictor step, and sums over groups are those over rows. */
static void test_groups(const fixture *f, const sr_matrix *X, const double *s) {
    enum { STRIDE = 4 * ((N_ONES + 3) / 4) };
    int32_t of_row[N] = {0}, size[N] = {N}, size_in[N] = {0}, target[N], list[N];
    uint16_t slots[N * STRIDE] = {0}, length[N] = {0};
    double sums[N] = {0}, sy[N] = {0}, syy[N] = {0}, eta[N] = {0}, curvature[N] = {0.25}, reference[N] = {0};
    double y[N], rho[N], step[N_ONES + 1] = {0}, out[N], products[4 * (N_ONES + 1)] = {0}, c[N_ONES], largest;
    int64_t n_list = 0, n_new = 0, cols[N_ONES], begin[N_ONES + 2] = {0};
    int32_t groups[N * N_ONES];
    sr_members members = {0, 0, begin, groups}; /* of the first columns' groups, later ones by slots */
    sr_groups g = {1, STRIDE, 0, of_row, size, slots, length, sums, sy, syy, eta, curvature, reference};
    for (int i = 0; i < N; i++) {
        y[i] = uniform() * 2.0;
        sums[0] += s ? s[i] : 1.0, sy[0] += (s ? s[i] : 1.0) * y[i], syy[0] += (s ? s[i] : 1.0) * y[i] * y[i];
    }
    for (int a = 0; a < N_ONES; a++) {
        cols[a] = a, step[a + 1] = uniform() - 0.5;
        CHECK(sr_groups_meet(X, a, &g, size_in, list, &n_list, &n_new) == SR_OK, "meet");
        const int64_t before = g.n_groups;
        const double *targets = s || a & 1 ? y : NULL; /* NULL: the sums are made anew at the end */
        CHECK(sr_groups_split(X, a, a, targets, s, &g, size_in, target, list, n_list) == SR_OK, "split");
        CHECK(g.n_groups == before + n_new, "new groups of column %d", a);
        sr_members_append(&members, list, n_list);
        if (a == N_ONES / 2) sr_members_list(&g, a + 1, &members);
        double product[N_ONES + 1] = {0}, expected = 0.0;
        sr_groups_products(&g, list, n_list, product);
        for (int i = 0; i < N; i++) expected += 0.25 * (s ? s[i] : 1.0) * f->plain[i][a];
        CHECK(near(product[a + 1], expected), "product %d", a);
    }
    if (!s) sr_groups_sum_up(&g, N, y);
    CHECK(sr_groups_meet(X, N_ONES, &g, size_in, list, &n_list, &n_new) == SR_BAD_INDEX, "values");
    CHECK(sr_groups_split(X, N_ONES, N_ONES, y, s, &g, size_in, target, list, n_list) == SR_BAD_INDEX, "values");
    largest = sr_members_step(&members, &g, step, 0.5, out);
    for (int i = 0; i < N; i++) {
        double expected = 0.5;
        for (int a = 0; a < N_ONES; a++) expected += step[a + 1] * f->plain[i][a];
        CHECK(near(out[of_row[i]], expected) && fabs(expected) <= largest * (1 + 1e-12), "step of row %d", i);
    }
    sr_members_sums(&members, &g, rho, out, N_ONES, products);
    CHECK(sr_groups_column_sums(X, cols, N_ONES, s, &g, out, c) == SR_OK, "sums of columns");
    for (int a = 0; a < N_ONES; a++) {
        double sum_y = 0.0;
        for (int i = 0; i < N; i++) sum_y += (s ? s[i] : 1.0) * y[i] * f->plain[i][a];
        CHECK(near(products[a + 1], sum_y - c[a]), "sums of residuals %d", a);
    }
}

/* Of single rows: residuals, their sums, and the gap at t = 1, which is 0. */
static void test_rows_of_means(void) {
    double y[700], s[700], z[700], rho[700], gap;
    int64_t far;
    sr_row_totals totals;
    for (int i = 0; i < 700; i++) y[i] = i & 1, s[i] = uniform(), z[i] = 8.0 * (uniform() - 0.5);
    CHECK(sr_rows_residuals(SR_N_MEANS, 700, y, s, z, 0.0, rho, &totals) == SR_BAD_TYPE, "residuals of no loss");
    CHECK(sr_rows_gap(SR_N_MEANS, 700, y, s, z, 0.5, &gap, &far) == SR_BAD_TYPE, "gap of no loss");
    for (int k = 0; k < SR_N_MEANS; k++)
        for (int weighted = 0; weighted < 2; weighted++) {
            const double *weights = weighted ? s : NULL;
            double sum = 0.0;
            CHECK(sr_rows_residuals((sr_mean)k, 699, y, weights, z, 0.0, NULL, &totals) == SR_OK, "totals");
            CHECK(sr_rows_residuals((sr_mean)k, 699, y, weights, z, 0.0, rho, &totals) == SR_OK, "residuals");
            for (int i = 0; i < 699; i++) sum += rho[i];
            CHECK(fabs(sum - totals.slope) < 1e-9 && totals.curvature > 0.0 && totals.size > 0.0, "slope of rows");
            CHECK(sr_rows_gap((sr_mean)k, 699, y, weights, z, 1.0, &gap, &far) == SR_OK && gap == 0.0 && far == 0,
                  "gap at the residual");
            CHECK(sr_rows_gap((sr_mean)k, 699, y, weights, z, 0.99, &gap, &far) == SR_OK && gap > 0.0, "gap beside it");
        }
}

static void test_means(void) {
    double eta[700], s[700], sy[700], syy[700], mean[700], value = 0.0, squared, largest;
    sr_mean_totals totals;
    for (int u = 0; u < 700; u++) {
        eta[u] = 40.0 * (uniform() - 0.5), s[u] = uniform();
        sy[u] = syy[u] = s[u] * uniform();
    }
    const sr_unit_sums sums = {s, sy, syy};
    const sr_predictor at = {eta, NULL, 0.0, 0.5};
    CHECK(sr_mean_of(SR_N_MEANS, 700, &sums, &at, mean, &totals) == SR_BAD_TYPE, "a loss that does not exist");
    for (int k = 0; k < SR_N_MEANS; k++) {
        double slope = 0.0;
        CHECK(sr_mean_of((sr_mean)k, 700, &sums, &at, mean, &totals) == SR_OK, "means");
        for (int u = 0; u < 700; u++) {
            const double z = eta[u] + 0.5, expected = k == SR_MEAN_LOGISTIC ? 1.0 / (1.0 + exp(-z)) : exp(z);
            CHECK(fabs(mean[u] / expected - 1.0) < 1e-14, "mean %d of %s", u, sr_mean_name((sr_mean)k));
            slope += sy[u] - s[u] * mean[u];
        }
        CHECK(fabs(totals.slope - slope) < 1e-9 * (1.0 + fabs(slope)), "slope");
        CHECK(totals.squared >= 0.0 && totals.curvature > 0.0, "totals");
        CHECK(sr_mean_value((sr_mean)k, 700, s, sy, eta, &value) == SR_OK && value == value, "value");
        const sr_line line = {{eta, eta}, {mean, mean}, 0.25};
        sr_apart apart;
        CHECK(sr_mean_apart((sr_mean)k, 700, &sums, &line, &apart) == SR_OK && apart.largest > 0.0, "apart");
        CHECK(sr_mean_apart(SR_N_MEANS, 700, &sums, &line, &apart) == SR_BAD_TYPE, "a loss that does not exist");
        CHECK(sr_mean_correct((sr_mean)k, 700, 0.0, mean) == SR_OK, "no correction");
        double d[700], q[700];
        for (int u = 0; u < 700; u++) d[u] = 0.25;
        CHECK(sr_mean_toward((sr_mean)k, 699, s, eta, mean, 0.5, 1, d, q, &squared, &largest) == SR_OK, "toward");
        CHECK(fabs(largest - 0.5) < 1e-12 && fabs(q[698] - mean[698]) < 1e-12 && d[699] == 0.25, "centred");
        CHECK(sr_mean_toward(SR_N_MEANS, 700, s, eta, mean, 0.5, 1, d, q, &squared, &largest) == SR_BAD_TYPE, "none");
    }
    test_rows_of_means();
    const double mu[3] = {2.0, 2.0, 0.0}, apart[3] = {1.0, -1.01, 0.0};
    double entropy[3];
    CHECK(sr_near_entropies(3, mu, apart, entropy) == 2, "entropies far apart");
    CHECK(fabs(entropy[0] - (3.0 * log(1.5) - 1.0)) < 1e-14, "entropy");
    sr_mean_moved(700, s, eta, mean, &squared, &largest);
    CHECK(squared > 0.0 && largest > 0.0 && mean[5] == eta[5], "moved");
}

#endif
