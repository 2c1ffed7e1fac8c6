/* All that reads X: the template body once for each variant of types, and one switch for each function of sr.h. */
#include "sr.h"

#include <math.h>
#include <string.h>

#include "sr_coordinate.h"
#include "sr_gram.h"
#include "sr_reweigh.h"
#include "sr_rows.h"

/* Rows to prefetch ahead: reading so many takes about as long as a cache miss. */
enum { SR_AHEAD = 16 };
#if defined(__GNUC__)
#define SR_PREFETCH(address) __builtin_prefetch(address)
#else
#define SR_PREFETCH(address) ((void)(address))
#endif
/* The line of a cache after an address, which may be beyond the array. */
#define SR_PREFETCH_NEXT(address) SR_PREFETCH((const void *)((uintptr_t)(address) + 64))

/* Products with a vector of more rows read it by blocks of rows: 1 MB stays in a cache while so many columns read it,
 * those with as many entries a block at least. */
enum { SR_ROWS_ABREAST = 1 << 17, SR_TILE = 128, SR_BLOCK_ENTRIES = 64 };
enum { SR_KIND_ONES, SR_KIND_VALUED, SR_KIND_DENSE };
SR_INLINE int sr_kind_of(const sr_matrix *X, int64_t j) {
    return j < X->n_ones ? SR_KIND_ONES : j < X->n_sparse ? SR_KIND_VALUED : SR_KIND_DENSE;
}

typedef struct {
    double sum, sq_norm, l1_norm, max_abs;
} sr_measures;
SR_INLINE void sr_measure(sr_measures *of, double v, double s) {
    of->sum += s * v;
    of->sq_norm += s * v * v;
    of->l1_norm += fabs(s * v);
    of->max_abs = fabs(v) > of->max_abs ? fabs(v) : of->max_abs;
}

SR_INLINE int64_t sr_bits(double v) {
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

#define Real float
#define Index int32_t
#define SR_FN(name) sr_##name##_f32_i32
#include "sr_columns.tpl.h"
#undef Real
#undef SR_FN
#define Real double
#define SR_FN(name) sr_##name##_f64_i32
#include "sr_columns.tpl.h"
#undef Index
#undef SR_FN
#define Index int64_t
#define SR_FN(name) sr_##name##_f64_i64
#include "sr_columns.tpl.h"
#undef Real
#undef SR_FN
#define Real float
#define SR_FN(name) sr_##name##_f32_i64
#include "sr_columns.tpl.h"
#undef Real
#undef Index
#undef SR_FN

/* Run `call_<real>_<index>(arguments)` for the variant that M is tagged with; `call` may begin with an assignment. */
#define SR_RUN(M, call, ...) \
    switch ((M)->real + (M)->index) { \
        case SR_F32 + SR_I32: call##_f32_i32(__VA_ARGS__); break; \
        case SR_F64 + SR_I32: call##_f64_i32(__VA_ARGS__); break; \
        case SR_F32 + SR_I64: call##_f32_i64(__VA_ARGS__); break; \
        case SR_F64 + SR_I64: call##_f64_i64(__VA_ARGS__); break; \
        default: return SR_BAD_TYPE; \
    }

sr_status sr_rmatvec(const sr_matrix *X, const int64_t *cols, int64_t first, int64_t m, const double *v, double *out) {
    SR_RUN(X, sr_rmatvec, X, cols, first, m, v, out);
    return SR_OK;
}

sr_status sr_rmatvecs(const sr_matrix *X, const int64_t *cols, int64_t m, const double *V, int64_t k, double *abreast,
                      double *out) {
    SR_RUN(X, sr_rmatvecs, X, cols, m, V, k, abreast, out);
    return SR_OK;
}

sr_status sr_matvec(const sr_matrix *X, const int64_t *cols, int64_t m, const double *w, double scale, const double *s,
                    double *out) {
    SR_RUN(X, sr_matvec, X, cols, m, w, scale, s, out);
    return SR_OK;
}

sr_status sr_residual_max_abs(const sr_matrix *X, const int64_t *cols, int64_t m, const double *w, const double *y,
                              double base, const double *s, int64_t first, int64_t last,
                              int64_t *next, double *r, double *max_abs) {
    SR_RUN(X, *max_abs = sr_residual_max_abs, X, cols, m, w, y, base, s, first, last, next, r);
    return SR_OK;
}

sr_status sr_column_stats(const sr_matrix *X, const int64_t *cols, int64_t m, const double *s, const sr_stats *out) {
    SR_RUN(X, sr_column_stats, X, cols, m, s, out);
    return SR_OK;
}

sr_status sr_cd_residual(const sr_matrix *X, const int64_t *cols, const sr_coordinates *co, const int64_t *order,
                         int64_t n_order,
                         const double *s, double *r, double *decrease) {
    SR_RUN(X, *decrease = sr_cd_residual, X, cols, co, order, n_order, s, r);
    return SR_OK;
}

sr_status sr_project_residual(const sr_matrix *X, const int64_t *cols, const sr_coordinates *co, const int64_t *order,
                              int64_t n_order, double margin, const double *s, double *r, double *violation) {
    SR_RUN(X, *violation = sr_project_residual, X, cols, co, order, n_order, margin, s, r);
    return SR_OK;
}

sr_status sr_gauss_seidel(const sr_matrix *X, const int64_t *cols, int64_t m, const sr_ridge_quadratic *q,
                          const double *g, const double *s,
                          double *z, double *v, double *v_sum) {
    SR_RUN(X, sr_gauss_seidel, X, cols, m, q, g, s, z, v, v_sum);
    return SR_OK;
}

sr_status sr_residual_products(const sr_matrix *Xt, const double *w, const double *y, const double *s, double shift,
                               double *out, double *total) {
    SR_RUN(Xt, *total = sr_residual_products, Xt, w, y, s, shift, out);
    return SR_OK;
}

sr_status sr_find_factors(const sr_matrix *Xt, int64_t *next, int64_t max_factors, uint8_t *factor, int64_t *ends,
                          int64_t *n_factors) {
    SR_RUN(Xt, sr_find_factors, Xt, next, max_factors, factor, ends, n_factors);
    return SR_OK;
}

sr_status sr_factor_codes(const sr_matrix *Xt, const int64_t *ends, const int32_t *level, int32_t *const *codes) {
    SR_RUN(Xt, sr_factor_codes, Xt, ends, level, codes);
    return SR_OK;
}

sr_status sr_dense_gram(const sr_matrix *Xt, const int32_t *position, int64_t n_pos, int64_t k, const double *s,
                        int32_t *at, double *value, double *G) {
    SR_RUN(Xt, sr_dense_gram, Xt, position, n_pos, k, s, at, value, G);
    return SR_OK;
}

sr_status sr_gradient_pass(const sr_matrix *Xt, int64_t begin, int64_t end, const uint16_t *code_of, uint16_t *codes,
                           const double *y, double base,
                   const double *w, double *c, sr_pass_sums *out) {
    SR_RUN(Xt, sr_gradient_pass, Xt, begin, end, code_of, codes, y, base, w, c, out);
    return SR_OK;
}

sr_status sr_count_pairs(const sr_matrix *Xt, int64_t begin, int64_t end, const uint16_t *codes,
                         const int16_t *position, int64_t k,
                         int16_t *members, double *G) {
    SR_RUN(Xt, sr_count_pairs, Xt, begin, end, codes, position, k, members, G);
    return SR_OK;
}

/* Give column j the position of member m; returns the one it had. */
static int32_t sr_make_member(const sr_matrix *X, int64_t m, int64_t j, const sr_gram_work *work) {
    const int32_t now = (int32_t)(SR_UNTRACKED + work->n_places + m);
    const int64_t label = work->labels && j < X->n_sparse ? work->labels[j] : j;
    int32_t before = -1;
    if (!work->position) return before;
    if (j < X->n_sparse && !work->wide) {
        uint16_t *position = work->position;
        before = position[label];
        position[label] = (uint16_t)now;
    } else {
        int32_t *sparse = work->position, *dense = work->dense_position;
        int32_t *position = j < X->n_sparse ? sparse + label : dense + (j - X->n_sparse);
        before = *position;
        *position = now;
    }
    return before;
}

sr_status sr_gram_column(const sr_matrix *X, const sr_matrix *more, const sr_matrix *Xt, const double *s,
                         const int64_t *cols, int64_t m, int64_t j, sr_gram_work *work, int32_t *at, double *products,
                         int64_t *n) {
    const int32_t before = sr_make_member(X, m, j, work) - SR_UNTRACKED;
    const int64_t members = SR_UNTRACKED + work->n_places;
    work->place = before < work->n_cached ? before : -1;
    SR_RUN(X, sr_gram_column, X, more, Xt, s, cols, m, j, work);
    if (!work->count || X->n_sparse == X->n_cols) {
        *n = sr_take_members(work, m, at, products);
        return SR_OK;
    }
    for (int64_t a = members; a <= members + m; a++) products[a - members] = work->count[a];
    memset(work->count + members, 0, (size_t)(m + 1) * sizeof *work->count);
    SR_RUN(X, sr_products_with_dense, X, cols, m, j, work, products);
    *n = sr_find_nonzero(products, m, at, products);
    return SR_OK;
}

sr_status sr_with_dense(const sr_matrix *X, const int64_t *cols, int64_t m, double *lanes, int64_t n_lanes,
                        int64_t *next,
                        const sr_gram_work *work) {
    SR_RUN(X, sr_with_dense, X, cols, m, lanes, n_lanes, next, work);
    return SR_OK;
}

sr_status sr_gradient_by_rows(const sr_matrix *X, const sr_matrix *Xt, const double *s, const double *y,
                              const double *w,
                      const sr_gram_work *work, const int64_t *wanted, int64_t n, double *out) {
    SR_RUN(X, sr_gradient_by_rows, X, Xt, s, y, w, work, wanted, n, out);
    return SR_OK;
}

sr_status sr_add_rows(const sr_matrix *Xt, const int64_t *rows, int64_t n, const double *change,
                      const sr_gram_work *work, int64_t m, int32_t *place, double *value, double *D) {
    SR_RUN(Xt, sr_add_rows, Xt, rows, n, change, work, m, place, value, D);
    return SR_OK;
}

sr_status sr_inspect(const sr_compressed *A, void *count, uint8_t *valued, uint8_t *major_valued, sr_findings *found) {
    SR_RUN(A, return sr_inspect, A, count, valued, major_valued, found);
    return SR_OK;
}

sr_status sr_transpose(const sr_compressed *A, int64_t first_major, void *place, void *out_indices, int64_t shift,
                       int64_t index_end, void *out_data,
                       int64_t end) {
    SR_RUN(A, sr_transpose, A, first_major, place, out_indices, shift, index_end, out_data, end);
    return SR_OK;
}

sr_status sr_take_ends(const sr_compressed *A, void *out, int64_t stride) {
    SR_RUN(A, sr_take_ends, A, out, stride);
    return SR_OK;
}

sr_status sr_softmax_curvatures(const sr_matrix *X, const sr_softmax_model *model, const sr_pairs *pairs, double *out) {
    SR_RUN(X, sr_softmax_curvatures, X, model, pairs, out);
    return SR_OK;
}

sr_status sr_softmax_cd(const sr_matrix *X, const sr_softmax_model *model, const sr_pairs *pairs, const int64_t *order,
                        int64_t n_order, double *decrease) {
    SR_RUN(X, *decrease = sr_softmax_cd, X, model, pairs, order, n_order);
    return SR_OK;
}
