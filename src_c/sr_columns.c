/* All that reads X: the template body stamped once a variant, and one switch a public function. */
#include "sr.h"

#include <math.h>
#include <string.h>

#include "sr_coordinate.h"
#include "sr_gram.h"

/* Rows ahead of the one that is read, about as many as a cache miss takes. A row often lies in two lines. */
enum { SR_AHEAD = 16 };
#if defined(__GNUC__)
#define SR_PREFETCH(address) __builtin_prefetch(address)
#else
#define SR_PREFETCH(address) ((void)(address))
#endif

enum { SR_KIND_ONES, SR_KIND_VALUED, SR_KIND_DENSE };
SR_INLINE int sr_kind_of(const sr_matrix *X, int64_t j) {
    return j < X->n_ones ? SR_KIND_ONES : j < X->n_sparse ? SR_KIND_VALUED : SR_KIND_DENSE;
}

typedef struct {
    double sum, sq_norms, size, peak;
} sr_measures;
SR_INLINE void sr_measure(sr_measures *of, double v, double s) {
    of->sum += s * v;
    of->sq_norms += s * v * v;
    of->size += fabs(s * v);
    of->peak = fabs(v) > of->peak ? fabs(v) : of->peak;
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

/* The switch over variants: CALL(suffix) is the statement to run for the variant that M is tagged with. */
#define SR_LABEL_f32 SR_F32
#define SR_LABEL_f64 SR_F64
#define SR_LABEL_i32 SR_I32
#define SR_LABEL_i64 SR_I64
#define SR_VARIANT_CASE(real_, index_) \
    case SR_LABEL_##real_ + SR_LABEL_##index_: CALL(_##real_##_##index_); break;
#define SR_SWITCH(M) \
    switch ((M)->real + (M)->index) { \
        SR_FOR_EACH_VARIANT(SR_VARIANT_CASE) \
        default: return SR_BAD_TYPE; \
    }

sr_status sr_rmatvec(const sr_matrix *X, const int64_t *cols, int64_t first, int64_t m, const double *v, double *out) {
#define CALL(suffix) sr_rmatvec##suffix(X, cols, first, m, v, out)
    SR_SWITCH(X)
#undef CALL
    return SR_OK;
}

sr_status sr_matvec(const sr_matrix *X, const int64_t *cols, int64_t m, const double *w, double scale, const double *s, double *out) {
#define CALL(suffix) sr_matvec##suffix(X, cols, m, w, scale, s, out)
    SR_SWITCH(X)
#undef CALL
    return SR_OK;
}

sr_status sr_residual_max_abs(const sr_matrix *X, const int64_t *cols, int64_t m, const double *w, const double *y, double base, const double *s,
                           int64_t *next, double *r, double *peak) {
#define CALL(suffix) *peak = sr_residual_max_abs##suffix(X, cols, m, w, y, base, s, next, r)
    SR_SWITCH(X)
#undef CALL
    return SR_OK;
}

sr_status sr_column_stats(const sr_matrix *X, const int64_t *cols, int64_t m, const double *s, const sr_stats *out) {
#define CALL(suffix) sr_column_stats##suffix(X, cols, m, s, out)
    SR_SWITCH(X)
#undef CALL
    return SR_OK;
}

sr_status sr_cd_residual(const sr_matrix *X, const int64_t *cols, const sr_coordinates *co, const int64_t *order, int64_t n_order,
                         const double *s, double *r, double *decrease) {
#define CALL(suffix) *decrease = sr_cd_residual##suffix(X, cols, co, order, n_order, s, r)
    SR_SWITCH(X)
#undef CALL
    return SR_OK;
}

sr_status sr_gauss_seidel(const sr_matrix *X, const int64_t *cols, int64_t m, const sr_ridge_quadratic *q, const double *g, const double *s,
                          double *z, double *v, double *v_sum) {
#define CALL(suffix) sr_gauss_seidel##suffix(X, cols, m, q, g, s, z, v, v_sum)
    SR_SWITCH(X)
#undef CALL
    return SR_OK;
}

sr_status sr_residual_products(const sr_matrix *Xt, const double *w, const double *y, const double *s, double shift, double *out, double *total) {
#define CALL(suffix) *total = sr_residual_products##suffix(Xt, w, y, s, shift, out)
    SR_SWITCH(Xt)
#undef CALL
    return SR_OK;
}

sr_status sr_fields(const sr_matrix *Xt, int64_t *next, int64_t max_fields, uint8_t *field, int64_t *ends, int64_t *n_fields) {
#define CALL(suffix) sr_fields##suffix(Xt, next, max_fields, field, ends, n_fields)
    SR_SWITCH(Xt)
#undef CALL
    return SR_OK;
}

sr_status sr_field_codes(const sr_matrix *Xt, const int64_t *ends, const int32_t *level, int32_t *const *codes) {
#define CALL(suffix) sr_field_codes##suffix(Xt, ends, level, codes)
    SR_SWITCH(Xt)
#undef CALL
    return SR_OK;
}

sr_status sr_dense_gram(const sr_matrix *Xt, const int32_t *position, int64_t n_at, int64_t k, const double *s, int32_t *at, double *value,
                        double *G) {
#define CALL(suffix) sr_dense_gram##suffix(Xt, position, n_at, k, s, at, value, G)
    SR_SWITCH(Xt)
#undef CALL
    return SR_OK;
}

sr_status sr_gradient_pass(const sr_matrix *Xt, int64_t begin, int64_t end, const uint16_t *code_of, uint16_t *codes, const double *y, double base,
                   const double *w, double *c, sr_pass_sums *out) {
#define CALL(suffix) sr_gradient_pass##suffix(Xt, begin, end, code_of, codes, y, base, w, c, out)
    SR_SWITCH(Xt)
#undef CALL
    return SR_OK;
}

sr_status sr_count_pairs(const sr_matrix *Xt, int64_t begin, int64_t end, const uint16_t *codes, const int16_t *position, int64_t k,
                         int16_t *members, double *G) {
#define CALL(suffix) sr_count_pairs##suffix(Xt, begin, end, codes, position, k, members, G)
    SR_SWITCH(Xt)
#undef CALL
    return SR_OK;
}

/* Column j, which has the position of member m from now on; returns the one it had. */
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
        int32_t *position = j < X->n_sparse ? (int32_t *)work->position + label : work->dense_position + (j - X->n_sparse);
        before = *position;
        *position = now;
    }
    return before;
}

sr_status sr_gram_column(const sr_matrix *X, const sr_matrix *Xt, const double *s, const int64_t *cols, int64_t m, int64_t j,
                         sr_gram_work *work, double *products) {
    const int32_t before = sr_make_member(X, m, j, work) - SR_UNTRACKED;
    const int64_t members = SR_UNTRACKED + work->n_places;
    work->place = before < work->n_cached ? before : -1;
#define CALL(suffix) sr_gram_column##suffix(X, Xt, s, cols, m, j, work)
    SR_SWITCH(X)
#undef CALL
    for (int64_t a = 0; a <= m; a++) products[a] = work->count ? (double)work->count[members + a] : work->sum[members + a];
    if (work->count) memset(work->count + members, 0, (size_t)(m + 1) * sizeof *work->count);
    else memset(work->sum + members, 0, (size_t)(m + 1) * sizeof *work->sum);
    if (!work->count || X->n_sparse == X->n_cols) return SR_OK;
#define CALL(suffix) sr_products_with_dense##suffix(X, cols, m, j, work, products)
    SR_SWITCH(X)
#undef CALL
    return SR_OK;
}

sr_status sr_with_dense(const sr_matrix *X, const int64_t *cols, int64_t m, double *lanes, int64_t n_lanes, int64_t *next,
                        const sr_gram_work *work) {
#define CALL(suffix) sr_with_dense##suffix(X, cols, m, lanes, n_lanes, next, work)
    SR_SWITCH(X)
#undef CALL
    return SR_OK;
}

sr_status sr_gradient_by_rows(const sr_matrix *X, const sr_matrix *Xt, const double *s, const double *y, const double *w,
                      const sr_gram_work *work, const int64_t *wanted, int64_t n, double *out) {
#define CALL(suffix) sr_gradient_by_rows##suffix(X, Xt, s, y, w, work, wanted, n, out)
    SR_SWITCH(X)
#undef CALL
    return SR_OK;
}

sr_status sr_inspect(const sr_compressed *A, void *count, uint8_t *valued, uint8_t *major_valued, sr_findings *found) {
#define CALL(suffix) return sr_inspect##suffix(A, count, valued, major_valued, found)
    SR_SWITCH(A)
#undef CALL
    return SR_OK;
}

sr_status sr_transpose(const sr_compressed *A, int64_t first_major, void *place, void *out_indices, int64_t shift, int64_t index_end, void *out_data,
                       int64_t end) {
#define CALL(suffix) sr_transpose##suffix(A, first_major, place, out_indices, shift, index_end, out_data, end)
    SR_SWITCH(A)
#undef CALL
    return SR_OK;
}

sr_status sr_take_ends(const sr_compressed *A, void *out, int64_t stride) {
#define CALL(suffix) sr_take_ends##suffix(A, out, stride)
    SR_SWITCH(A)
#undef CALL
    return SR_OK;
}
