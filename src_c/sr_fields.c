/* Rows by the level they have of a field: sums over levels and back. Knows neither X nor what the fields mean. */
#include "sr.h"

/* Rows in a block: v stays in the first cache while every field has its turn. */
enum { SR_ROW_BLOCK = 1024 };

static void sr_give(const sr_levels *f, int64_t begin, int64_t end, const double *s, double *v) {
    if (s)
        for (int64_t i = begin; i < end; i++) v[i] += s[i] * f->values[f->codes[i]];
    else
        for (int64_t i = begin; i < end; i++) v[i] += f->values[f->codes[i]];
}

static void sr_take(const sr_levels *f, int64_t begin, int64_t end, const double *v) {
    for (int64_t i = begin; i < end; i++) f->values[f->codes[i]] += v[i];
}

void sr_exchange(int64_t n, const double *s, double *v, int64_t n_give, const sr_levels *give, int64_t n_take, const sr_levels *take) {
    for (int64_t begin = 0; begin < n; begin += SR_ROW_BLOCK) {
        const int64_t end = begin + SR_ROW_BLOCK < n ? begin + SR_ROW_BLOCK : n;
        for (int64_t a = 0; a < n_give; a++) sr_give(&give[a], begin, end, s, v);
        for (int64_t a = 0; a < n_take; a++) sr_take(&take[a], begin, end, v);
    }
}

int64_t sr_nested(int64_t n, const int32_t *fine, int64_t n_fine, const int32_t *coarse, int64_t n_coarse, int32_t *parent) {
    for (int64_t i = 0; i < n; i++) {
        const int32_t c = fine[i];
        if (c == n_fine) continue;
        if (coarse[i] == n_coarse) return 0;
        if (parent[c] < 0) parent[c] = coarse[i];
        else if (parent[c] != coarse[i]) return 0;
    }
    return 1;
}
