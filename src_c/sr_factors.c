/* Sums of row vectors by the levels of factors, and back to rows. Knows neither X nor what the factors stand for. */
#include "sr_coordinate.h"

/* Rows in a block: its part of v stays in the L2 cache while all factors are read, and the sums of one factor in L1. */
enum { SR_ROW_BLOCK = 32768 };

static void sr_gather(const sr_factor *f, int64_t begin, int64_t end, const double *s, double *v) {
    if (s)
        for (int64_t i = begin; i < end; i++) v[i] += s[i] * f->values[f->codes[i]];
    else
        for (int64_t i = begin; i < end; i++) v[i] += f->values[f->codes[i]];
}

/* Three factors at once, so that v is read and written once for all of them. */
static void sr_gather_three(const sr_factor *f, int64_t begin, int64_t end, const double *s, double *v) {
    const double *const x = f[0].values, *const y = f[1].values, *const z = f[2].values;
    const int32_t *const a = f[0].codes, *const b = f[1].codes, *const c = f[2].codes;
    if (s)
        for (int64_t i = begin; i < end; i++) v[i] += s[i] * (x[a[i]] + y[b[i]] + z[c[i]]);
    else
        for (int64_t i = begin; i < end; i++) v[i] += x[a[i]] + y[b[i]] + z[c[i]];
}

/* Two consecutive additions to one sum wait for each other. The first levels are usually the most frequent, so each
 * quarter of a block has sums of its own for these. Rarer levels often repeat in runs of rows, which alternating
 * between quarters separates. */
enum { SR_FREQUENT = 64, SR_LANES = 4 };

static void sr_scatter(const sr_factor *f, int64_t begin, int64_t end, const double *v, double *lanes) {
    double *sums[2 * SR_LANES]; /* a table in place of a branch, which would be mispredicted */
    for (int l = 0; l < SR_LANES; l++) sums[2 * l] = f->values, sums[2 * l + 1] = lanes + l * SR_FREQUENT;
    const int64_t quarter = (end - begin) / SR_LANES;
    for (int64_t i = begin; i < begin + quarter; i++)
        for (int lane = 0; lane < SR_LANES; lane++) {
            const int32_t c = f->codes[i + lane * quarter];
            sums[2 * lane + (c < SR_FREQUENT)][c] += v[i + lane * quarter];
        }
    for (int64_t i = begin + SR_LANES * quarter; i < end; i++) f->values[f->codes[i]] += v[i];
}

static void sr_add_lanes(const sr_factor *f, const double *lanes) {
    for (int64_t c = 0; c <= f->n_levels && c < SR_FREQUENT; c++)
        for (int lane = 0; lane < SR_LANES; lane++) f->values[c] += lanes[lane * SR_FREQUENT + c];
}

void sr_gather_scatter(int64_t n, const double *s, double *v, int64_t n_gather, const sr_factor *gather,
                       int64_t n_scatter, const sr_factor *scatter) {
    double lanes[SR_MAX_FACTORS][SR_LANES * SR_FREQUENT];
    for (int64_t a = 0; a < n_scatter; a++)
        for (int64_t l = 0; l < SR_LANES * SR_FREQUENT; l++) lanes[a][l] = 0.0;
    for (int64_t begin = 0; begin < n; begin += SR_ROW_BLOCK) {
        const int64_t end = begin + SR_ROW_BLOCK < n ? begin + SR_ROW_BLOCK : n;
        int64_t a = 0;
        for (; a + 3 <= n_gather; a += 3) sr_gather_three(&gather[a], begin, end, s, v);
        for (; a < n_gather; a++) sr_gather(&gather[a], begin, end, s, v);
        for (a = 0; a < n_scatter; a++) sr_scatter(&scatter[a], begin, end, v, lanes[a]);
    }
    for (int64_t a = 0; a < n_scatter; a++) sr_add_lanes(&scatter[a], lanes[a]);
}

void sr_crosstab_rmatvec(int64_t m, const int64_t *begin, const double *s, const double *x, const sr_factor *out) {
    const int32_t *const codes = out->codes;
    double *const sums = out->values;
    for (int64_t r = 0; r < m; r++) {
        const double own = x[r];
        for (int64_t i = begin[r]; i < begin[r + 1]; i++) sums[codes[i]] += s[i] * own;
    }
}

void sr_crosstab_matvec(int64_t m, const int64_t *begin, const double *s, const sr_factor *x, double *out) {
    const int32_t *const codes = x->codes;
    const double *const values = x->values;
    for (int64_t r = 0; r < m; r++) {
        double even = 0.0, odd = 0.0; /* two sums, as an addition waits for the one before it */
        int64_t i = begin[r];
        for (; i + 2 <= begin[r + 1]; i += 2) even += s[i] * values[codes[i]], odd += s[i + 1] * values[codes[i + 1]];
        if (i < begin[r + 1]) even += s[i] * values[codes[i]];
        out[r] += even + odd;
    }
}

SR_INLINE void sr_schur_system_of(const sr_cells *cells, double alpha, const int64_t n_factors,
                                  const sr_factor *factors, double *restrict weight, double *restrict residual) {
    const double *const n = cells->n, *const b = cells->b, *const v = cells->v;
    sr_factor f[SR_MAX_FACTORS]; /* a local copy: the compiler knows that no store changes its pointers */
    for (int64_t a = 0; a < n_factors; a++) f[a] = factors[a];
    for (int64_t r = 0; r < f[0].n_levels; r++) {
        double *const first = f[0].values + 3 * r;
        const double base = first[0];
        double sum_weight = 0.0, sum_residual = 0.0;
        for (int64_t c = cells->begin[r]; c < cells->begin[r + 1]; c++) {
            const double p = v ? alpha * v[c] : alpha, share = p / (n[c] + p);
            double x = base;
            for (int64_t a = 1; a < n_factors; a++) x += f[a].values[3 * f[a].codes[c]];
            const double w = n[c] * share, e = (b[c] - n[c] * x) * share;
            for (int64_t a = 1; a < n_factors; a++) {
                double *const own = f[a].values + 3 * f[a].codes[c];
                own[1] += w;
                own[2] += e;
            }
            sum_weight += w, sum_residual += e;
            weight[c] = w, residual[c] = e;
        }
        first[1] += sum_weight;
        first[2] += sum_residual;
    }
}

void sr_schur_system(const sr_cells *cells, double alpha, int64_t n_factors, const sr_factor *factors, double *weight,
                     double *residual) {
    if (n_factors == 2) sr_schur_system_of(cells, alpha, 2, factors, weight, residual);
    else sr_schur_system_of(cells, alpha, n_factors, factors, weight, residual);
}

/* Each loop over alphas writes one array and reads others, so that compilers vectorise it. */
SR_INLINE void sr_schur_residuals_of(const sr_cells *cells, const double *alphas, const int64_t n_factors,
                                     const sr_factor *factors, double *residual_sum, double *fitted) {
    enum { K = SR_ALPHA_BLOCK };
    const double *const n = cells->n, *const b = cells->b, *const v = cells->v;
    double alpha[K], sum_residual[K] = {0.0}, sum_fitted[K] = {0.0};
    sr_factor f[SR_MAX_FACTORS]; /* a local copy, as above */
    for (int k = 0; k < K; k++) alpha[k] = alphas[k];
    for (int64_t a = 0; a < n_factors; a++) f[a] = factors[a];
    for (int64_t c = 0; c < cells->n_cells; c++) {
        const double weight = n[c], sum = b[c], factor = v ? v[c] : 1.0;
        double x[K] = {0.0}, p[K], t[K];
        for (int64_t a = 0; a < n_factors; a++) {
            const double *own = f[a].values + 2 * K * f[a].codes[c];
            SR_ROLLED
            for (int k = 0; k < K; k++) x[k] += own[k];
        }
        SR_ROLLED
        for (int k = 0; k < K; k++) p[k] = alpha[k] * factor;
        SR_ROLLED
        for (int k = 0; k < K; k++) t[k] = (sum - weight * x[k]) / (weight + p[k]);
        SR_ROLLED
        for (int k = 0; k < K; k++) sum_fitted[k] += sum * t[k];
        SR_ROLLED
        for (int k = 0; k < K; k++) t[k] *= p[k];
        SR_ROLLED
        for (int k = 0; k < K; k++) sum_residual[k] += t[k];
        for (int64_t a = 0; a < n_factors; a++) {
            double *own = f[a].values + 2 * K * f[a].codes[c] + K;
            SR_ROLLED
            for (int k = 0; k < K; k++) own[k] += t[k];
        }
    }
    for (int k = 0; k < K; k++) residual_sum[k] = sum_residual[k];
    for (int k = 0; k < K; k++) fitted[k] = sum_fitted[k];
}

SR_WIDE void sr_schur_residuals(const sr_cells *cells, const double *alphas, int64_t n_factors,
                                const sr_factor *factors, double *residual_sum, double *fitted) {
    if (n_factors == 2) sr_schur_residuals_of(cells, alphas, 2, factors, residual_sum, fitted);
    else sr_schur_residuals_of(cells, alphas, n_factors, factors, residual_sum, fitted);
}

/* Rows between two checks for a disagreement. A branch on every row would be mispredicted at the first row of a
 * level. */
enum { SR_CHECKED_ROWS = 4096 };

int64_t sr_nested(int64_t n, const sr_factor *fine, const sr_factor *coarse, int32_t *parent) {
    const int32_t *const child = fine->codes, *const level = coarse->codes;
    parent[fine->n_levels] = (int32_t)coarse->n_levels;
    for (int64_t begin = 0; begin < n; begin += SR_CHECKED_ROWS) {
        const int64_t end = begin + SR_CHECKED_ROWS < n ? begin + SR_CHECKED_ROWS : n;
        int64_t wrong = 0;
        for (int64_t i = begin; i < end; i++) {
            const int32_t before = parent[child[i]];
            wrong += (before >= 0) & (before != level[i]);
            parent[child[i]] = level[i];
        }
        if (wrong) return 0;
    }
    for (int64_t c = 0; c < fine->n_levels; c++)
        if (parent[c] == coarse->n_levels) return 0;
    return 1;
}

void sr_number_levels(int64_t m, const int32_t *labels, const uint8_t *factor, int64_t n_factors, int32_t *level,
                      int64_t *order, int64_t *sizes) {
    int64_t begin[256], place = 0;
    for (int64_t j = 0; j < m; j++) sizes[factor[labels ? labels[j] : j]]++;
    for (int64_t f = 0; f < n_factors; f++) {
        begin[f] = place;
        place += sizes[f];
        sizes[f] = 0;
    }
    for (int64_t j = 0; j < m; j++) {
        const int64_t label = labels ? labels[j] : j;
        const int64_t number = sizes[factor[label]]++;
        level[label] = (int32_t)number;
        order[begin[factor[label]] + number] = j;
    }
}

/* Boyer & Moore 1991: the last candidate is the majority, if there is one. */
int64_t sr_majority(int64_t n, const sr_factor *fine, const sr_factor *coarse, int32_t *parent, int32_t *votes) {
    const int32_t *const child = fine->codes, *const level = coarse->codes;
    for (int64_t i = 0; i < n; i++) {
        const int32_t c = child[i];
        if (c == fine->n_levels || level[i] == coarse->n_levels) continue;
        if (votes[c] == 0) parent[c] = level[i];
        votes[c] += parent[c] == level[i] ? 1 : -1;
    }
    int64_t agreed = 0;
    for (int64_t i = 0; i < n; i++)
        if (child[i] != fine->n_levels) agreed += parent[child[i]] == level[i];
    return agreed;
}
