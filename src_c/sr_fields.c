/* Rows by the level they have of a field: sums over levels and back. Knows neither X nor what the fields mean. */
#include "sr_coordinate.h"

/* Rows in a block: v stays in the second cache while every field has its turn, and a field's sums come back to the first. */
enum { SR_ROW_BLOCK = 32768 };

static void sr_give(const sr_levels *f, int64_t begin, int64_t end, const double *s, double *v) {
    if (s)
        for (int64_t i = begin; i < end; i++) v[i] += s[i] * f->values[f->codes[i]];
    else
        for (int64_t i = begin; i < end; i++) v[i] += f->values[f->codes[i]];
}

/* Three at once: v is read and written once for them all. */
static void sr_give_three(const sr_levels *f, int64_t begin, int64_t end, const double *s, double *v) {
    const double *const x = f[0].values, *const y = f[1].values, *const z = f[2].values;
    const int32_t *const a = f[0].codes, *const b = f[1].codes, *const c = f[2].codes;
    if (s)
        for (int64_t i = begin; i < end; i++) v[i] += s[i] * (x[a[i]] + y[b[i]] + z[c[i]]);
    else
        for (int64_t i = begin; i < end; i++) v[i] += x[a[i]] + y[b[i]] + z[c[i]];
}

/* An addition to a sum waits for the one before it. Levels come most frequent first: each quarter of a block has sums of its own
 * for the first few of them. Others repeat in runs of rows, if they do, and the quarters take turns row by row. */
enum { SR_FREQUENT = 64, SR_LANES = 4 };

static void sr_take(const sr_levels *f, int64_t begin, int64_t end, const double *v, double *lanes) {
    double *const sums[2 * SR_LANES] = {f->values, lanes, f->values, lanes + SR_FREQUENT, f->values, lanes + 2 * SR_FREQUENT,
                                        f->values, lanes + 3 * SR_FREQUENT}; /* looked up: a branch would be guessed wrong */
    const int64_t quarter = (end - begin) / SR_LANES;
    for (int64_t i = begin; i < begin + quarter; i++)
        for (int lane = 0; lane < SR_LANES; lane++) {
            const int32_t c = f->codes[i + lane * quarter];
            sums[2 * lane + (c < SR_FREQUENT)][c] += v[i + lane * quarter];
        }
    for (int64_t i = begin + SR_LANES * quarter; i < end; i++) f->values[f->codes[i]] += v[i];
}

static void sr_gather_lanes(const sr_levels *f, double *lanes, int64_t m) {
    for (int64_t c = 0; c < m && c < SR_FREQUENT; c++)
        for (int lane = 0; lane < SR_LANES; lane++) f->values[c] += lanes[lane * SR_FREQUENT + c];
}

void sr_exchange(int64_t n, const double *s, double *v, int64_t n_give, const sr_levels *give, int64_t n_take, const sr_levels *take) {
    double lanes[SR_MOST_FIELDS][SR_LANES * SR_FREQUENT];
    for (int64_t a = 0; a < n_take; a++)
        for (int64_t l = 0; l < SR_LANES * SR_FREQUENT; l++) lanes[a][l] = 0.0;
    for (int64_t begin = 0; begin < n; begin += SR_ROW_BLOCK) {
        const int64_t end = begin + SR_ROW_BLOCK < n ? begin + SR_ROW_BLOCK : n;
        int64_t g = 0;
        for (; g + 3 <= n_give; g += 3) sr_give_three(&give[g], begin, end, s, v);
        for (; g < n_give; g++) sr_give(&give[g], begin, end, s, v);
        for (int64_t a = 0; a < n_take; a++) sr_take(&take[a], begin, end, v, lanes[a]);
    }
    for (int64_t a = 0; a < n_take; a++) sr_gather_lanes(&take[a], lanes[a], take[a].m + 1);
}

void sr_carry(int64_t m, const int64_t *begin, const double *s, const double *x, const sr_levels *take) {
    const int32_t *const to = take->codes;
    double *const sums = take->values;
    for (int64_t r = 0; r < m; r++) {
        const double own = x[r];
        for (int64_t i = begin[r]; i < begin[r + 1]; i++) sums[to[i]] += s[i] * own;
    }
}

void sr_collect(int64_t m, const int64_t *begin, const double *s, const sr_levels *give, double *out) {
    const int32_t *const from = give->codes;
    const double *const x = give->values;
    for (int64_t r = 0; r < m; r++) {
        double even = 0.0, odd = 0.0; /* an addition waits for the one before it */
        int64_t i = begin[r];
        for (; i + 2 <= begin[r + 1]; i += 2) even += s[i] * x[from[i]], odd += s[i + 1] * x[from[i + 1]];
        if (i < begin[r + 1]) even += s[i] * x[from[i]];
        out[r] += even + odd;
    }
}

SR_INLINE void sr_weigh_rows(const int64_t *begin, const double *n, const double *b, const double *v, double alpha, const int64_t n_fields,
                             const sr_levels *give, const sr_levels *take, double *restrict weight, double *restrict rest) {
    sr_levels from[SR_MOST_FIELDS], to[SR_MOST_FIELDS]; /* of which no store can be thought to change a pointer */
    for (int64_t a = 0; a < n_fields; a++) from[a] = give[a], to[a] = take[a];
    for (int64_t r = 0; r < give->m; r++) {
        const double base = from[0].values[r];
        double sum_weight = 0.0, sum_rest = 0.0;
        for (int64_t c = begin[r]; c < begin[r + 1]; c++) {
            const double p = v ? alpha * v[c] : alpha, share = p / (n[c] + p);
            double x = base;
            for (int64_t a = 1; a < n_fields; a++) x += from[a].values[from[a].codes[c]];
            const double w = n[c] * share, e = (b[c] - n[c] * x) * share;
            for (int64_t a = 1; a < n_fields; a++) {
                double *own = to[a].values + 2 * to[a].codes[c];
                own[0] += w;
                own[1] += e;
            }
            sum_weight += w, sum_rest += e;
            weight[c] = w, rest[c] = e;
        }
        to[0].values[2 * r] += sum_weight;
        to[0].values[2 * r + 1] += sum_rest;
    }
}

void sr_weigh(const int64_t *begin, const double *n, const double *b, const double *v, double alpha, int64_t n_fields, const sr_levels *give,
              const sr_levels *take, double *weight, double *rest) {
    if (n_fields == 2) sr_weigh_rows(begin, n, b, v, alpha, 2, give, take, weight, rest);
    else sr_weigh_rows(begin, n, b, v, alpha, n_fields, give, take, weight, rest);
}

/* Loops over strengths write to one array each, and to none that others are read from, so that compilers make vectors of them. */
SR_INLINE void sr_eliminate_rows(int64_t n_rows, const double *n, const double *b, const double *v, const double *alpha, const int64_t n_fields,
                                 const sr_levels *fields, double *left, double *met) {
    enum { K = SR_STRENGTHS };
    double strength[K], sum_left[K] = {0.0}, sum_met[K] = {0.0};
    sr_levels field[SR_MOST_FIELDS]; /* of which no store can be thought to change a pointer */
    for (int k = 0; k < K; k++) strength[k] = alpha[k];
    for (int64_t a = 0; a < n_fields; a++) field[a] = fields[a];
    for (int64_t c = 0; c < n_rows; c++) {
        const double rows = n[c], sum = b[c], factor = v ? v[c] : 1.0;
        double x[K] = {0.0}, p[K], t[K];
        for (int64_t a = 0; a < n_fields; a++) {
            const double *own = field[a].values + 2 * K * field[a].codes[c];
            SR_ROLLED
            for (int k = 0; k < K; k++) x[k] += own[k];
        }
        SR_ROLLED
        for (int k = 0; k < K; k++) p[k] = strength[k] * factor;
        SR_ROLLED
        for (int k = 0; k < K; k++) t[k] = (sum - rows * x[k]) / (rows + p[k]);
        SR_ROLLED
        for (int k = 0; k < K; k++) sum_met[k] += sum * t[k];
        SR_ROLLED
        for (int k = 0; k < K; k++) t[k] *= p[k];
        SR_ROLLED
        for (int k = 0; k < K; k++) sum_left[k] += t[k];
        for (int64_t a = 0; a < n_fields; a++) {
            double *own = field[a].values + 2 * K * field[a].codes[c] + K;
            SR_ROLLED
            for (int k = 0; k < K; k++) own[k] += t[k];
        }
    }
    for (int k = 0; k < K; k++) left[k] = sum_left[k];
    for (int k = 0; k < K; k++) met[k] = sum_met[k];
}

SR_WIDE void sr_eliminate(int64_t n_rows, const double *n, const double *b, const double *v, const double *alpha, int64_t n_fields,
                          const sr_levels *fields, double *left, double *met) {
    if (n_fields == 2) sr_eliminate_rows(n_rows, n, b, v, alpha, 2, fields, left, met);
    else sr_eliminate_rows(n_rows, n, b, v, alpha, n_fields, fields, left, met);
}

/* Rows between two looks at whether any has disagreed: no branch on a row, as nothing could predict which is the first of its level. */
enum { SR_GLANCE = 4096 };

int64_t sr_nested(int64_t n, const int32_t *fine, int64_t n_fine, const int32_t *coarse, int64_t n_coarse, int32_t *parent) {
    parent[n_fine] = (int32_t)n_coarse;
    for (int64_t begin = 0; begin < n; begin += SR_GLANCE) {
        const int64_t end = begin + SR_GLANCE < n ? begin + SR_GLANCE : n;
        int64_t wrong = 0;
        for (int64_t i = begin; i < end; i++) {
            const int32_t before = parent[fine[i]];
            wrong += (before >= 0) & (before != coarse[i]);
            parent[fine[i]] = coarse[i];
        }
        if (wrong) return 0;
    }
    for (int64_t c = 0; c < n_fine; c++)
        if (parent[c] == n_coarse) return 0;
    return 1;
}

void sr_number_levels(int64_t m, const int32_t *labels, const uint8_t *field, int64_t n_fields, int32_t *level, int64_t *order, int64_t *sizes) {
    int64_t begin[256], place = 0;
    for (int64_t j = 0; j < m; j++) sizes[field[labels ? labels[j] : j]]++;
    for (int64_t f = 0; f < n_fields; f++) {
        begin[f] = place;
        place += sizes[f];
        sizes[f] = 0;
    }
    for (int64_t j = 0; j < m; j++) {
        const int64_t at = labels ? labels[j] : j;
        const int64_t number = sizes[field[at]]++;
        level[at] = (int32_t)number;
        order[begin[field[at]] + number] = j;
    }
}

/* Boyer & Moore 1991: the candidate that is left has the majority, if any has. */
int64_t sr_majority(int64_t n, const int32_t *fine, int64_t n_fine, const int32_t *coarse, int64_t n_coarse, int32_t *parent, int32_t *votes) {
    for (int64_t i = 0; i < n; i++) {
        const int32_t c = fine[i];
        if (c == n_fine || coarse[i] == n_coarse) continue;
        if (votes[c] == 0) parent[c] = coarse[i];
        votes[c] += parent[c] == coarse[i] ? 1 : -1;
    }
    int64_t agreed = 0;
    for (int64_t i = 0; i < n; i++)
        if (fine[i] != n_fine) agreed += parent[fine[i]] == coarse[i];
    return agreed;
}
