/* The kernels without Python, against plain loops, in every variant. Run under ASan and UBSan by `make -C tests/c`. */
#include <stdlib.h>
#include "factors.h"
#include "gram.h"
#include "groups.h"
#include "projection.h"
#include "rows.h"
#include "small.h"

static void test_products(const fixture *f, const sr_matrix *X, const double *s) {
    double v[N], w[P], out[P], z[N] = {0}, sums[P], sq_norms[P], l1_norms[P], max_abs[P];
    const int64_t cols[] = {10, 0, 6};
    for (int i = 0; i < N; i++) v[i] = uniform() - 0.5;
    for (int j = 0; j < P; j++) w[j] = j % 3 || j >= N_SPARSE ? uniform() - 0.5 : 0.0;
    CHECK(sr_rmatvec(X, NULL, 0, P, v, out) == SR_OK, "rmatvec");
    for (int j = 0; j < P; j++) {
        double sum = 0.0;
        for (int i = 0; i < N; i++) sum += f->plain[i][j] * v[i];
        CHECK(near(out[j], sum), "rmatvec column %d: %g, not %g", j, out[j], sum);
    }
    double some[3];
    CHECK(sr_rmatvec(X, cols, 0, 3, v, some) == SR_OK && near(some[0], out[10]) && near(some[1], out[0])
              && near(some[2], out[6]), "listed columns");
    CHECK(sr_matvec(X, NULL, P, w, -2.0, s, z) == SR_OK, "matvec");
    for (int i = 0; i < N; i++) {
        double sum = 0.0;
        for (int j = 0; j < P; j++) sum += f->plain[i][j] * w[j];
        CHECK(near(z[i], -2.0 * sum * (s ? s[i] : 1.0)), "matvec row %d", i);
    }
    const sr_stats stats = {sums, sq_norms, l1_norms, max_abs};
    CHECK(sr_column_stats(X, NULL, P, s, &stats) == SR_OK, "stats");
    for (int j = 0; j < P; j++) {
        double sum = 0.0, square = 0.0, size = 0.0, peak = 0.0;
        for (int i = 0; i < N; i++) {
            const double x = f->plain[i][j], weight = s ? s[i] : 1.0;
            sum += weight * x, square += weight * x * x, size += weight * fabs(x), peak = fmax(peak, fabs(x));
        }
        CHECK(near(sums[j], sum) && near(sq_norms[j], square) && near(l1_norms[j], size) && near(max_abs[j], peak),
              "stats of column %d", j);
    }
}

enum { ARENA = 4 * P * P, ROOM = P, CACHED = 3, POSITIONS = SR_UNTRACKED + CACHED + ROOM };
typedef struct {
    int64_t begin[ROOM], len[ROOM], cap[ROOM], kept_begin[ROOM + 1];
    int32_t idx[ARENA], wide[P], dense_position[P - N_SPARSE];
    uint16_t position[P], kept_place[ROOM * CACHED], kept_count[ROOM * CACHED];
    uint32_t count[POSITIONS];
    uint64_t pair[ARENA], marks[1];
    uint8_t split[ROOM];
    double val[ARENA], sum[POSITIONS], row[N], kept_value[ROOM * CACHED];
} gram_room;

static double product(const fixture *f, const double *s, int64_t a, int64_t b) {
    double sum = 0.0;
    for (int i = 0; i < N; i++) sum += f->plain[i][a] * f->plain[i][b] * (s ? s[i] : 1.0);
    return sum;
}

/* Work space for a Gram of the columns `order`, n of them, of which the last few are cached until they come in
 * themselves. Positions take 16 bits or 32. */
static sr_gram_work empty_work(gram_room *g, const int64_t *order, int64_t n, const sr_products *kept, int by_rows,
                               int counting, int wide) {
    memset(g, 0, sizeof *g), memset(g->dense_position, -1, sizeof g->dense_position);
    for (int j = 0; j < P; j++) g->wide[j] = j;
    for (int k = 0; k < CACHED; k++) g->wide[order[n - CACHED + k]] = SR_UNTRACKED + k;
    for (int j = 0; j < P; j++) g->position[j] = (uint16_t)g->wide[j];
    void *position = wide ? (void *)g->wide : g->position;
    return (sr_gram_work){by_rows ? position : NULL, g->dense_position, NULL, CACHED, CACHED, order + n - CACHED, kept,
                          counting ? g->count : NULL, counting ? NULL : g->sum, g->row, -1, wide, NULL, g->marks};
}

/* The first two of the cached columns, against the members that came in before any of those. */
static void test_cached(const fixture *f, const double *s, sr_products *kept, const int64_t *order, int64_t n) {
    double x[ROOM], out[CACHED] = {0};
    for (int64_t a = 0; a < n; a++) x[a] = a + CACHED < n && a != 1 ? uniform() - 0.5 : 0.0;
    sr_products_subtract(kept, NULL, n, x, 2, out);
    for (int k = 0; k < CACHED; k++) {
        double sum = 0.0;
        for (int64_t a = 0; a < n; a++) sum -= k < 2 ? x[a] * product(f, s, order[a], order[n - CACHED + k]) : 0.0;
        CHECK(near(out[k], sum), "cached %d: %g, not %g", k, out[k], sum);
    }
    double again[CACHED] = {0};
    sr_products_keep(kept, n, 2);
    sr_products_subtract(kept, NULL, n, x, CACHED, again);
    for (int k = 0; k < CACHED; k++) CHECK(again[k] == out[k], "the kept places changed");
}

/* Fills a Gram with the columns `order` of X, n of them, growing the arena as asked; checks every entry, and what
 * cached columns have with them. */
static sr_gram test_gram(const fixture *f, const sr_matrix *X, const sr_matrix *Xt, const double *s, gram_room *g,
                         const int64_t *order, int64_t n, int counting, int wide) {
    sr_gram G = {g->begin, g->len, g->cap, counting ? NULL : g->idx, counting ? NULL : g->val,
                 counting ? g->pair : NULL, NULL, g->split, 0, 1, NULL, NULL, 1.0, NULL};
    sr_products kept = {g->kept_begin, g->kept_place, counting ? g->kept_count : NULL, counting ? NULL : g->kept_value,
                        0};
    sr_gram_work work = empty_work(g, order, n, &kept, Xt != NULL, counting, wide);
    double products[ROOM];
    int32_t at[ROOM];
    int64_t need = 0, refusals = 0, full = 0, p = 0;
    for (int64_t m = 0; m < n; m++) {
        CHECK(sr_gram_column(X, NULL, Xt, s, order, m, order[m], &work, at, products, &p) == SR_OK, "gram column");
        while (sr_products_take(&kept, m, CACHED, &work, products[p - 1]) == SR_NEED_SPACE) kept.size += CACHED, full++;
        while (sr_gram_push(&G, m, at, products, p, &need) == SR_NEED_SPACE) G.size = G.used + need, refusals++;
        CHECK(G.size <= ARENA && kept.size <= ROOM * CACHED, "too little room for the test");
        double met[CACHED] = {0};
        for (int64_t e = kept.begin[m]; e < kept.begin[m + 1]; e++)
            met[kept.place[e]] += counting ? kept.count[e] : kept.value[e];
        for (int64_t k = m + CACHED < n ? 0 : m + CACHED - n + 1; k < CACHED; k++)
            CHECK(near(met[k], product(f, s, order[m], order[n - CACHED + k])), "cached %d with %d", (int)k, (int)m);
        for (int a = 0; a < POSITIONS; a++) CHECK(g->sum[a] == 0.0 && g->count[a] == 0, "sums or counts not left zero");
    }
    CHECK(refusals > 0 && full > 0 && !g->marks[0], "the refusals were never tested, or marks not left zero");
    for (int i = 0; i < N; i++) CHECK(g->row[i] == 0.0, "work row not left zero");
    sr_gram_diagonal(&G, n, products);
    for (int64_t a = 0; a < n; a++) {
        double got[P] = {0};
        for (int64_t e = G.begin[a]; e < G.begin[a] + G.len[a]; e++) got[sr_gram_index(&G, e)] += sr_gram_entry(&G, e);
        for (int64_t b = 0; b < n; b++) {
            const double sum = product(f, s, order[a], order[b]);
            CHECK(near(a == b ? products[a] : got[b], sum) && near(got[b], sum), "gram %d %d: %g", (int)a, (int)b, sum);
        }
    }
    test_cached(f, s, &kept, order, n), test_compact(&G, n);
    return G;
}

/* Counts: of the columns of ones alone, which come first in every row. */
static void test_counts(const fixture *f, int index, int wide) {
    static gram_room room;
    const int64_t order[N_ONES] = {3, 0, 4, 2, 1};
    int64_t stop64[N];
    int32_t stop32[N];
    for (int i = 0; i < N; i++) {
        stop64[i] = f->first64[i];
        while (stop64[i] < f->first64[i + 1] && f->cols64[stop64[i]] < N_ONES) stop64[i]++;
        stop32[i] = (int32_t)stop64[i];
    }
    sr_matrix X = columns(f, SR_F64, index), Xt = rows(f, SR_F64, index);
    X.n_cols = X.n_sparse = N_ONES, Xt.n_ones = N;
    Xt.stop = index == SR_I64 ? (const void *)stop64 : stop32;
    test_gram(f, &X, &Xt, NULL, &room, order, N_ONES, 1, wide);
    test_gram(f, &X, NULL, NULL, &room, order, N_ONES, 1, wide);
}

/* What cached columns of ones have with dense columns, so many at a time that some are left over. */
static void test_with_dense(const fixture *f, int real, int index) {
    enum { DENSE = P - N_SPARSE, LANES = 9 };
    const int64_t cached[CACHED] = {3, 0, 4}, cols[DENSE] = {N_ONES + 2, N_ONES, N_ONES + 3, N_ONES + 1};
    double lanes[SR_ABREAST * LANES], got[DENSE * CACHED];
    int64_t next[CACHED];
    sr_matrix X = columns(f, real, index);
    X.n_sparse = N_ONES, X.n_cols = N_ONES + DENSE; /* column N_ONES + d is N_SPARSE + d of the fixture */
    sr_gram_work work = {0};
    work.n_places = work.n_cached = CACHED, work.cached = cached, work.with_dense = got;
    for (int64_t m = 1; m <= DENSE; m++) {
        memset(got, 0, sizeof got);
        CHECK(sr_with_dense(&X, cols, m, lanes, LANES, next, &work) == SR_OK, "with dense");
        for (int64_t a = 0; a < DENSE; a++)
            for (int64_t k = 0; k < CACHED; k++) {
                const int64_t d = cols[a] - N_ONES;
                const double sum = a < m ? product(f, NULL, cached[k], N_SPARSE + d) : 0.0;
                CHECK(near(got[d * CACHED + k], sum), "cached %d with dense %d: %g, not %g", (int)k, (int)d,
                      got[d * CACHED + k], sum);
            }
    }
}

/* Both descents must end where no coordinate violates, at the same w. */
static void test_descent(const fixture *f, const sr_matrix *X, const sr_matrix *Xt, const double *s, sr_penalty pen) {
    static gram_room room;
    int64_t cols[P], order[P];
    for (int64_t m = 0; m < P; m++) cols[m] = (m * 7 + 3) % P;
    const int wide = s != NULL;
    const sr_gram G = test_gram(f, X, Xt, s, &room, cols, P, 0, wide);
    double y[N], sums[P], sq_norms[P], l1_norms[P], max_abs[P], l1[P], l2[P], total = 0.0, mean = 0.0;
    for (int i = 0; i < N; i++) y[i] = uniform() * 3.0, total += s ? s[i] : 1.0, mean += (s ? s[i] : 1.0) * y[i];
    const sr_stats stats = {sums, sq_norms, l1_norms, max_abs};
    sr_column_stats(X, cols, P, s, &stats);
    for (int a = 0; a < P; a++) sq_norms[a] -= sums[a] * sums[a] / total, l1[a] = 0.4, l2[a] = 0.1 * a, order[a] = a;

    double w_r[P] = {0}, w_g[P] = {0}, r[N], q[P], r_sum = 0.0, g_sum = 0.0, decrease = 0.0;
    for (int i = 0; i < N; i++) r[i] = (s ? s[i] : 1.0) * (y[i] - mean / total), r_sum += r[i];
    sr_rmatvec(X, cols, 0, P, r, q);
    g_sum = r_sum;
    sr_coordinates by_r = {P, sums, sq_norms, l1, l2, total, pen, w_r, &r_sum}, by_g = {P, sums, sq_norms, l1, l2,
                                                                                        total, pen, w_g, &g_sum};
    test_projection(X, cols, &G, by_r, s, r, q), test_rows(&G, &by_g, q);
    for (int epoch = 0; epoch < 5000; epoch++) CHECK(sr_cd_residual(X, cols, &by_r, order, P, s, r,
                                                                    &decrease) == SR_OK, "cd");
    int64_t epochs = 0;
    sr_cd_gram(&G, &by_g, order, P, 5000, 0.0, q, &epochs, &decrease);
    CHECK(epochs > 1, "one epoch cannot do");

    double c[P], q_now[P], norm = 0.0;
    sr_rmatvec(X, cols, 0, P, r, q_now);
    for (int a = 0; a < P; a++) c[a] = q_now[a] - sums[a] / total * r_sum, norm = fmax(norm, fabs(w_r[a]));
    CHECK(norm > 0.0, "nothing was fitted");
    sr_gap_terms terms;
    CHECK(sr_gap_sums(pen, P, w_r, c, l1, l2, &terms) == SR_OK && terms.dual_norm < 1.0 + 1e-7, "dual norm %g",
          terms.dual_norm);
    for (int a = 0; a < P; a++) {
        const double over = w_r[a] == 0.0 ? sr_dual_magnitude(pen, c[a]) - l1[a]
                                          : fabs(c[a] - copysign(l1[a], w_r[a]) - l2[a] * w_r[a]);
        CHECK(over < 1e-8, "not stationary by %g at %d", over, a);
        CHECK(near(w_r[a], w_g[a]), "residual and Gram disagree at %d: %g, %g", a, w_r[a], w_g[a]);
        CHECK(near(q[a], q_now[a]), "q drifted at %d", a);
        CHECK(pen != SR_PENALTY_elastic_net_nonneg || w_r[a] >= 0.0, "negative coefficient");
    }
    double own[2], at_place[SR_UNTRACKED + CACHED + P] = {0}; /* on their own rows, from y and w alone */
    if (Xt) {
        const int64_t wanted[2] = {cols[4], cols[8]};
        const sr_gram_work work = {wide ? (void *)room.wide : room.position, room.dense_position, NULL, CACHED, 0,
                                   NULL, NULL, NULL, NULL, NULL, -1, wide, NULL, NULL};
        double centred[N];
        for (int i = 0; i < N; i++) centred[i] = y[i] - mean / total;
        for (int a = 0; a < P; a++) at_place[SR_UNTRACKED + CACHED + a] = w_r[a];
        CHECK(sr_gradient_by_rows(X, Xt, s, centred, at_place, &work, wanted, 2, own) == SR_OK, "own rows");
        CHECK(near(own[0], q_now[4]) && near(own[1], q_now[8]), "own rows: %g %g, not %g %g", own[0], own[1], q_now[4],
              q_now[8]);
    }
}

/* Sweeps there and back reach the solution of H z = g, and keep v = S X z; a column with inverse 0 is passed over. */
static void test_gauss_seidel(const fixture *f, const sr_matrix *X, const double *s) {
    double sums[P], sq_norms[P], l1_norms[P], max_abs[P], penalty[P], inverse[P], g[P], z[P] = {0};
    double v[N] = {0}, v_sum = 0.0, total = 0.0;
    int64_t there[P], back[P];
    const sr_stats stats = {sums, sq_norms, l1_norms, max_abs};
    for (int i = 0; i < N; i++) total += s ? s[i] : 1.0;
    sr_column_stats(X, NULL, P, s, &stats);
    for (int j = 0; j < P; j++) {
        penalty[j] = 0.5 + uniform(), g[j] = uniform() - 0.5, there[j] = j, back[j] = P - 1 - j;
        inverse[j] = j == 4 ? 0.0 : 1.0 / (sq_norms[j] - sums[j] * sums[j] / total + penalty[j]);
    }
    const sr_ridge_quadratic q = {sums, penalty, inverse, total};
    for (int sweep = 0; sweep < 500; sweep++)
        CHECK(sr_gauss_seidel(X, sweep % 2 ? back : there, P, &q, g, s, z, v, &v_sum) == SR_OK, "sweep");
    double sum = 0.0;
    for (int i = 0; i < N; i++) {
        double row = 0.0;
        for (int j = 0; j < P; j++) row += f->plain[i][j] * z[j];
        CHECK(near(v[i], row * (s ? s[i] : 1.0)), "v drifted at row %d", i);
        sum += v[i];
    }
    CHECK(near(v_sum, sum) && z[4] == 0.0, "sum(v), or a column that should be passed over");
    for (int j = 0; j < P; j++) {
        double hz = penalty[j] * z[j] - sums[j] / total * v_sum;
        for (int i = 0; i < N; i++) hz += f->plain[i][j] * v[i];
        CHECK(j == 4 || fabs(hz - g[j]) < 1e-8, "H z - g is %g at %d", hz - g[j], j);
    }
}

/* To the digits of a float32. */
static int close_to(double a, double b) { return fabs(a - b) <= 1e-6 * (1.0 + fabs(b)); }

static void test_screen(void) {
    const double c[] = {1.0, -3.0, 2.0, 9.0, 0.5}, factor[] = {1.0, 2.0, 1.0, 1.0, 1.0};
    const float norm2[] = {1.0f, 1.0f, 1.0f, -INFINITY, 4.0f}, norm1[] = {9.0f, 9.0f, 9.0f, -INFINITY, 0.1f};
    const sr_displacement references[] = {{0.0, 0.0}, {1.0, 0.0}, {2.0, 0.0}}, now = {2.0, 1.0};
    const uint16_t visit[] = {0, 1, 2, 0, 0};
    for (int pen = 0; pen < SR_N_PENALTIES; pen++) {
        const int one_sided = pen == SR_PENALTY_elastic_net_nonneg;
        float kept[5];
        uint16_t at[5];
        sr_block block;
        const sr_bounds bounds = {kept, at, norm2, norm1, factor, references, &block};
        for (int64_t j = 0; j < 5; j++) sr_record((sr_penalty)pen, 5, &j, 1, &c[j], visit[j], &bounds);
        CHECK(close_to(block.c, one_sided ? 2.0 : 3.0) && block.norm2 == 4.0 && block.at == 0 && block.factor == 1.0,
              "block");
        int32_t out[5];
        int64_t n;
        double worst, largest;
        /* bounds: 1 + 2, (3 + 1) / 2 or (-3 + 1) / 2, 2 + 0, passed over, 0.5 + min(8, 0.1) */
        sr_screen(5, &bounds, &now, 0.0, 2.5, out, &n, &worst, &largest);
        CHECK(n == 1 && out[0] == 0 && close_to(worst, 3.0) && close_to(largest, 2.0), "screen: %d, %g, %g", (int)n,
              worst, largest);
        CHECK(worst >= 3.0 && largest >= 2.0, "a bound was rounded down");
        /* a shift: Hoelder is of no use, 0.5 + 4 * 2.5 */
        sr_screen(5, &bounds, &now, 0.5, 2.5, out, &n, &worst, &largest);
        CHECK(n == 3 && out[2] == 4 && close_to(worst, 10.5), "shifted: %d, %g", (int)n, worst);
        sr_screen(5, &bounds, &references[0], 0.0, 100.0, out, &n, &worst, &largest);
        CHECK(n == 0 && largest < 9.0, "a column passed over never counts");
        const sr_displacement further[] = {{2.0, 1.0}, {0.0, 0.0}, {0.0, 0.0}};
        const sr_bounds renewed = {kept, at, norm2, norm1, factor, further, &block};
        sr_rebase(5, &now, 0, &bounds);
        sr_screen(5, &renewed, &now, 0.0, 2.5, out, &n, &worst, &largest);
        CHECK(n == 1 && out[0] == 0 && close_to(worst, 3.0) && close_to(largest, 2.0), "renewed: %d, %g, %g", (int)n,
              worst, largest);
    }
}

static void test_names(void) {
    CHECK(sr_penalty_name(SR_N_PENALTIES) == NULL, "a name that does not exist");
    for (int k = 0; k < SR_N_PENALTIES; k++) CHECK(sr_penalty_name((sr_penalty)k) != NULL, "a penalty without a name");
}

static void test_compressed(const fixture *f, int real, int index) {
    const int wide = index == SR_I64, full = real == SR_F64;
    sr_compressed A = {N, P, wide ? (const void *)f->first64 : f->first32,
                       wide ? (const void *)(f->first64 + 1) : f->first32 + 1,
                       wide ? (const void *)f->cols64 : f->cols32,
                       full ? (const void *)f->row_values_d : f->row_values_f, real, index, 0, 0};
    int32_t count32[P] = {0}, place32[P], back32[MAX_ENTRIES];
    int64_t count64[P] = {0}, place64[P], back64[MAX_ENTRIES];
    uint8_t valued[P] = {0}, major_valued[N] = {0};
    sr_findings found;
    CHECK(sr_inspect(&A, wide ? (void *)count64 : count32, valued, major_valued,
                     &found) == SR_OK && found.disordered == 0, "inspect");
    int64_t total = 0, shift = 0;
    for (int j = 0; j < P; j++) {
        CHECK(valued[j] == (j >= N_ONES), "column %d valued", j);
        if (j == N_ONES) shift = total;
        place32[j] = (int32_t)(place64[j] = total), total += wide ? count64[j] : count32[j];
    }
    CHECK(total == f->row_entries, "counts");
    float out_f[MAX_ENTRIES];
    double out_d[MAX_ENTRIES];
    const sr_status status = sr_transpose(&A, 0, wide ? (void *)place64 : place32, wide ? (void *)back64 : back32,
                                          shift, f->row_entries,
                                          full ? (void *)out_d : out_f, f->row_entries);
    CHECK(status == SR_OK, "transpose");
    for (int j = 0; j < P; j++)
        for (int64_t e = j ? (wide ? place64[j - 1] : place32[j - 1]) : 0; e < (wide ? place64[j] : place32[j]); e++) {
            const double v = e < shift ? 1.0 : full ? out_d[e - shift] : (double)out_f[e - shift];
            CHECK(near(v, f->plain[wide ? back64[e] : back32[e]][j]), "transposed entry of column %d", j);
        }
    /* Without column 0: its entries are sent beyond the end of everything, and nothing is written there. */
    const int64_t less = wide ? count64[0] : count32[0], end = total - less;
    int64_t next = 0;
    for (int j = 0; j < P; j++) {
        place32[j] = (int32_t)(place64[j] = j ? next : end);
        if (j) next += wide ? count64[j] : count32[j];
    }
    double *own_d = malloc((size_t)(end - (shift - less)) * sizeof *own_d);
    float *own_f = malloc((size_t)(end - (shift - less)) * sizeof *own_f);
    CHECK(sr_transpose(&A, 0, wide ? (void *)place64 : place32, wide ? (void *)back64 : back32, shift - less, end,
                       full ? (void *)own_d : own_f, end) == SR_OK, "transpose without a column");
    for (int j = 1; j < P; j++)
        for (int64_t e = j > 1 ? (wide ? place64[j - 1] : place32[j - 1]) : 0;
             e < (wide ? place64[j] : place32[j]); e++) {
            const int64_t at = e - (shift - less);
            const double v = at < 0 ? 1.0 : full ? own_d[at] : (double)own_f[at];
            CHECK(near(v, f->plain[wide ? back64[e] : back32[e]][j]), "entry of column %d without column 0", j);
        }
    /* The dense columns, which stand at the ends of rows, are passed over by the one and taken by the other. */
    A.after = P - N_SPARSE;
    for (int64_t j = 0, at = 0; j < P; j++) {
        place32[j] = (int32_t)(place64[j] = j < N_SPARSE ? at : -1);
        at += wide ? count64[j] : count32[j];
    }
    const int64_t sparse = total - A.after * N;
    CHECK(sr_transpose(&A, 0, wide ? (void *)place64 : place32, wide ? (void *)back64 : back32, shift, sparse,
                       full ? (void *)out_d : out_f, sparse) == SR_OK, "transpose without ends");
    for (int64_t e = shift; e < sparse; e++)
        CHECK(full ? out_d[e - shift] == f->values_d[e - shift] : out_f[e - shift] == f->values_f[e - shift],
              "value %d", (int)e);
    CHECK((wide ? place64[P - 1] : place32[P - 1]) == -1, "a column that should be passed over");
    CHECK(sr_take_ends(&A, full ? (void *)out_d : out_f, N) == SR_OK, "ends");
    for (int64_t e = 0; e < A.after * N; e++)
        CHECK(full ? out_d[e] == f->dense_d[e] : out_f[e] == f->dense_f[e], "dense value %d", (int)e);
    A.after = 0, free(own_d), free(own_f);
    double bad_d[MAX_ENTRIES];
    float bad_f[MAX_ENTRIES];
    memcpy(bad_d, f->row_values_d, sizeof bad_d), memcpy(bad_f, f->row_values_f, sizeof bad_f);
    bad_d[7] = (double)NAN, bad_f[7] = -INFINITY;
    A.data = full ? (const void *)bad_d : bad_f;
    CHECK(sr_inspect(&A, NULL, NULL, NULL, &found) == SR_NOT_FINITE && found.bad == 7, "NaN at 7, found at %d",
          (int)found.bad);
    A.n_minor = 3;
    CHECK(sr_inspect(&A, NULL, NULL, NULL, &found) == SR_BAD_INDEX, "an index outside"); A.index = 77;
    CHECK(sr_inspect(&A, NULL, NULL, NULL, &found) == SR_BAD_TYPE, "a type that does not exist");
}

int main(void) {
    static fixture f;
    double s[N];
    for (int round = 0; round < 5; round++) {
        fill(&f);
        for (int i = 0; i < N; i++) s[i] = i % 5 ? uniform() * 2.0 : 0.0;
        const int reals[] = {SR_F32, SR_F64}, indices[] = {SR_I32, SR_I64};
        for (int v = 0; v < 4; v++) {
            const sr_matrix X = columns(&f, reals[v / 2], indices[v % 2]), Xt = rows(&f, reals[v / 2], indices[v % 2]);
            test_compressed(&f, reals[v / 2], indices[v % 2]);
            test_counts(&f, indices[v % 2], v / 2), test_several_products(&X);
            test_with_dense(&f, reals[v / 2], indices[v % 2]);
            for (int weighted = 0; weighted < 2; weighted++) {
                test_products(&f, &X, weighted ? s : NULL), test_softmax(&f, &X, weighted ? s : NULL);
                test_gauss_seidel(&f, &X, weighted ? s : NULL), test_groups(&f, &X, weighted ? s : NULL);
                for (int k = 0; k < 2 * SR_N_PENALTIES; k++)
                    test_descent(&f, &X, k % 2 ? &Xt : NULL, weighted ? s : NULL, (sr_penalty)(k / 2));
            }
        }
    }
    for (int k = 0; k < 20; k++) test_codes(k % 2 ? 2 : 4, k / 2 % 2);
    test_screen(), test_displacement(), test_names(), test_means(), test_small_paths();
    for (int64_t n = 1; n <= 3; n++) test_elimination(n, 0), test_elimination(n, 1);
    printf("%d checks, %d failed\n", checks, failures);
    return failures != 0;
}
