# What sr.h and its parts declare, for the binding: the same names in the same order.

cdef extern from "sr.h" nogil:
    ctypedef enum sr_status:
        SR_OK
        SR_NEED_SPACE
        SR_BAD_INDEX
        SR_NOT_FINITE
        SR_BAD_TYPE
    ctypedef enum sr_penalty:
        SR_N_PENALTIES
    enum:
        SR_F32
        SR_F64
        SR_I32
        SR_I64
    ctypedef struct sr_matrix:
        int64_t n_rows, n_cols, n_ones, n_sparse
        const void *start
        const void *stop
        const void *indices
        const void *data
        int64_t data_shift
        const void *dense
        int64_t dense_stride
        int32_t real, index
        int64_t before, after
    ctypedef struct sr_gap_terms:
        double l1_norm, l2_sq, slope, dual_norm, fenchel
    ctypedef struct sr_coordinates:
        int64_t m
        const double *sums
        const double *centered_sq_norm
        const double *l1
        const double *l2
        double weight_sum
        sr_penalty penalty
        double *w
        double *r_sum
    ctypedef struct sr_ridge_quadratic:
        const double *sums
        const double *penalty
        const double *inverse
        double weight_sum
    ctypedef struct sr_gram:
        int64_t *begin
        int64_t *len
        int64_t *cap
        int32_t *idx
        double *val
        uint32_t *packed
        uint64_t *pair
        uint8_t *split
        int64_t used, size
        const int64_t *at
        const int32_t *place
        double sign
        const sr_gram *next
    ctypedef struct sr_products:
        int64_t *begin
        uint16_t *place
        uint16_t *count
        double *value
        int64_t size
    enum:
        SR_UNTRACKED, SR_ABREAST, SR_WORD, SR_PACKED_MEMBERS
    ctypedef struct sr_gram_work:
        void *position
        int32_t *dense_position
        const int32_t *labels
        int64_t n_places, n_cached
        const int64_t *cached
        const sr_products *products
        uint32_t *count
        double *sum
        double *row
        double *with_dense
        uint64_t *marks
        int32_t place, wide
    ctypedef struct sr_compressed:
        int64_t n_major, n_minor
        const void *start
        const void *stop
        const void *indices
        const void *data
        int32_t real, index
        int64_t before, after
    ctypedef struct sr_stats:
        double *sums
        double *sq_norms
        double *l1_norms
        double *max_abs
    ctypedef struct sr_findings:
        int64_t bad, disordered

    const char *sr_penalty_name(sr_penalty pen)
    sr_status sr_rmatvec(const sr_matrix *, const int64_t *, int64_t, int64_t, const double *, double *)
    enum: SR_VECTORS
    sr_status sr_rmatvecs(const sr_matrix *, const int64_t *, int64_t, const double *, int64_t, double *, double *)
    sr_status sr_matvec(const sr_matrix *, const int64_t *, int64_t, const double *, double, const double *, double *)
    sr_status sr_column_stats(const sr_matrix *X, const int64_t *cols, int64_t m, const double *s, const sr_stats *out)
    sr_status sr_gap_sums(sr_penalty, int64_t, const double *, const double *, const double *, const double *,
                          sr_gap_terms *)
    int64_t sr_moving(int64_t, const double *, const double *, const double *, double, double, double *, int64_t *)
    sr_status sr_cd_residual(const sr_matrix *, const int64_t *, const sr_coordinates *, const int64_t *, int64_t,
                             const double *, double *, double *)
    sr_status sr_project_residual(const sr_matrix *, const int64_t *, const sr_coordinates *, const int64_t *, int64_t,
                                  double, const double *, double *, double *)
    sr_status sr_gauss_seidel(const sr_matrix *, const int64_t *, int64_t, const sr_ridge_quadratic *, const double *,
                              const double *, double *, double *, double *)
    enum: SR_RESIDUAL_BLOCK
    sr_status sr_residual_max_abs(const sr_matrix *, const int64_t *, int64_t, const double *, const double *, double,
                                  const double *, int64_t, int64_t, int64_t *, double *, double *)
    sr_status sr_residual_products(const sr_matrix *, const double *, const double *, const double *, double, double *,
                                   double *)
    ctypedef struct sr_factor:
        const int32_t *codes
        double *values
        int64_t n_levels
    ctypedef struct sr_cells:
        int64_t n_cells
        const int64_t *begin
        const double *n
        const double *b
        const double *v
    enum:
        SR_MAX_FACTORS, SR_ALPHA_BLOCK
    sr_status sr_find_factors(const sr_matrix *, int64_t *, int64_t, uint8_t *, int64_t *, int64_t *)
    sr_status sr_factor_codes(const sr_matrix *, const int64_t *, const int32_t *, int32_t *const *)
    void sr_number_levels(int64_t, const int32_t *, const uint8_t *, int64_t, int32_t *, int64_t *, int64_t *)
    sr_status sr_dense_gram(const sr_matrix *, const int32_t *, int64_t, int64_t, const double *, int32_t *, double *,
                            double *)
    ctypedef struct sr_pass_sums:
        double rr, max_abs
    sr_status sr_gradient_pass(const sr_matrix *, int64_t, int64_t, const uint16_t *, uint16_t *, const double *,
                               double, const double *, double *, sr_pass_sums *)
    sr_status sr_count_pairs(const sr_matrix *, int64_t, int64_t, const uint16_t *, const int16_t *, int64_t,
                             int16_t *, double *)
    ctypedef struct sr_codes:
        int64_t n, width, bytes
        const uint32_t *start
        const void *codes
    void sr_codes_matvec(const sr_codes *, int64_t, int64_t, const double *, double *)
    void sr_codes_rmatvec(const sr_codes *, int64_t, int64_t, const double *, double *)
    void sr_codes_rmatvec_pair(const sr_codes *, int64_t, int64_t, const double *, double *)
    void sr_codes_count(const sr_codes *, const int32_t *, int64_t *)
    void sr_codes_rows(const sr_codes *, const int32_t *, int64_t *, int32_t *)
    int64_t sr_codes_products(const sr_codes *, int64_t, const int32_t *, const double *, double *, int32_t *, double *)
    ctypedef struct sr_triangle:
        int64_t first, stop, m
        double *sums
    void sr_codes_gram(const sr_codes *, const int32_t *, const double *, int32_t *, const sr_triangle *)
    void sr_gather_scatter(int64_t, const double *, double *, int64_t, const sr_factor *, int64_t, const sr_factor *)
    void sr_crosstab_rmatvec(int64_t, const int64_t *, const double *, const double *, const sr_factor *)
    void sr_crosstab_matvec(int64_t, const int64_t *, const double *, const sr_factor *, double *)
    void sr_schur_system(const sr_cells *, double, int64_t, const sr_factor *, double *, double *)
    void sr_schur_residuals(const sr_cells *, const double *, int64_t, const sr_factor *, double *, double *)
    int64_t sr_majority(int64_t, const sr_factor *, const sr_factor *, int32_t *, int32_t *)
    int64_t sr_nested(int64_t, const sr_factor *, const sr_factor *, int32_t *)
    sr_status sr_gram_column(const sr_matrix *, const sr_matrix *, const sr_matrix *, const double *, const int64_t *,
                             int64_t, int64_t, sr_gram_work *, int32_t *, double *, int64_t *)
    int64_t sr_find_nonzero(const double *, int64_t, int32_t *, double *)
    sr_status sr_gram_push(sr_gram *G, int64_t m, const int32_t *, const double *, int64_t n, int64_t *need)
    void sr_gram_diagonal(const sr_gram *G, int64_t m, double *out)
    int64_t sr_gram_packed_size(const sr_gram *, int64_t)
    void sr_gram_pack(sr_gram *, int64_t, uint32_t *)
    int64_t sr_gram_compact_size(const sr_gram *G, int64_t m)
    void sr_gram_compact(sr_gram *G, int64_t m, const int64_t *order)
    sr_status sr_products_take(sr_products *P, int64_t m, int64_t n, const sr_gram_work *work, double own)
    void sr_products_keep(sr_products *P, int64_t m, int64_t n)
    void sr_products_subtract(const sr_products *P, const int64_t *members, int64_t m, const double *x, int64_t n,
                              double *out)
    sr_status sr_with_dense(const sr_matrix *, const int64_t *, int64_t, double *, int64_t, int64_t *,
                            const sr_gram_work *)
    sr_status sr_gradient_by_rows(const sr_matrix *, const sr_matrix *, const double *, const double *, const double *,
                                  const sr_gram_work *, const int64_t *, int64_t, double *)
    void sr_gram_subtract(const sr_gram *G, int64_t m, const double *x, double *out)
    void sr_gram_subtract_last(const sr_gram *, int64_t, int64_t, const double *, double *)
    void sr_gram_subtract_members(const sr_gram *, const int64_t *, int64_t, int64_t, const double *, double *,
                                  uint64_t *, double *)
    int64_t sr_gram_count_own(const sr_gram *, int64_t, int64_t)
    int64_t sr_products_count(const sr_products *, const sr_gram *, int64_t, const int32_t *, int64_t)
    void sr_cd_gram(const sr_gram *, const sr_coordinates *, const int64_t *, int64_t, int64_t, double, double *,
                    int64_t *, double *)
    void sr_project_gram(const sr_gram *, const sr_coordinates *, int64_t, double, double, double *, int64_t *)
    void sr_gram_hessian(const sr_gram *, const sr_coordinates *, const int64_t *, int64_t, int64_t *, double *)
    void sr_solve_psd(int64_t n, double *A, double *b, double tiny)
    sr_status sr_inspect(const sr_compressed *, void *, uint8_t *, uint8_t *, sr_findings *)
    sr_status sr_transpose(const sr_compressed *, int64_t, void *, void *, int64_t, int64_t, void *, int64_t)
    sr_status sr_take_ends(const sr_compressed *A, void *out, int64_t stride)

cdef extern from "sr_gram.h" nogil:
    enum: SR_POSITIONS_PER_ENTRY
    enum:
        SR_COUNT_BITS, SR_MAX_PIECE
    double sr_gram_entry(const sr_gram *, int64_t)
    int64_t sr_gram_index(const sr_gram *, int64_t)
    void sr_mark(const sr_gram_work *, int32_t)

cdef extern from "sr_screen.h" nogil:
    ctypedef struct sr_displacement:
        double two, one
    ctypedef struct sr_block:
        double c, norm2, norm1, factor
        int64_t at
    ctypedef struct sr_bounds:
        float *c
        uint16_t *at
        const float *norm2
        const float *norm1
        const double *factor
        const sr_displacement *references
        sr_block *blocks
    enum:
        SR_BLOCK
    void sr_record(sr_penalty, int64_t, const int64_t *, int64_t, const double *, uint16_t, const sr_bounds *)
    void sr_rebase(int64_t p, const sr_displacement *now, uint16_t at, const sr_bounds *b)
    void sr_update_blocks(int64_t p, const sr_bounds *b, const int64_t *cols, int64_t m)
    void sr_last_above(int64_t, const sr_bounds *, const sr_displacement *, double, int32_t *, int64_t *, double *)
    void sr_screen(int64_t, const sr_bounds *, const sr_displacement *, double, double, int32_t *, int64_t *, double *,
                   double *)
    ctypedef struct sr_moved:
        double squared, rounding, reach, sum
    ctypedef struct sr_move:
        int64_t m
        const double *w
        const double *w_before
        const double *c
        const double *c_before
        const double *c0
        const double *max_abs
        const double *sums
    void sr_displacement_sums(const sr_move *move, int64_t longest, double *heap, sr_moved *out)

cdef extern from "sr_small.h" nogil:
    ctypedef struct sr_small:
        int64_t m
        sr_penalty penalty
        const double *gram
        const double *sq
        const double *c0
        const double *l1
        const double *l2
        double null_deviance, target
        int64_t max_steps
        int64_t max_work
    ctypedef struct sr_small_work:
        double *w
        double *c
        double *l1
        double *l2
        double *b
        int64_t *at
        double *H
    int64_t sr_small_path(const sr_small *, const double *, int64_t, const sr_small_work *, double *, int64_t *)
cdef extern from "sr_groups.h" nogil:
    ctypedef struct sr_groups:
        int64_t n_groups, stride, longest
        int32_t *of_row
        int32_t *size
        uint16_t *slots
        uint16_t *length
        double *s
        double *sy
        double *syy
        double *eta
        double *curvature
        double *reference
    sr_status sr_groups_meet(const sr_matrix *, int64_t, const sr_groups *, int32_t *, int32_t *, int64_t *, int64_t *)
    sr_status sr_groups_split(const sr_matrix *, int64_t, int64_t, const double *, const double *, sr_groups *,
                              int32_t *, int32_t *, int32_t *, int64_t)
    void sr_groups_sum_up(const sr_groups *, int64_t, const double *)
    sr_status sr_groups_column_sums(const sr_matrix *, const int64_t *, int64_t, const double *, const sr_groups *,
                                    const double *, double *)
    void sr_groups_residuals(const sr_groups *, int64_t, const double *, const double *, const double *, double *)
    void sr_groups_products(const sr_groups *g, const int32_t *list, int64_t n_list, double *out)
    ctypedef struct sr_members:
        int64_t n_groups, m
        int64_t *begin
        int32_t *groups
    void sr_members_list(const sr_groups *g, int64_t m, sr_members *out)
    void sr_members_append(sr_members *members, const int32_t *list, int64_t n)
    double sr_members_step(const sr_members *, const sr_groups *, const double *, double, double *)
    void sr_members_sums(const sr_members *, const sr_groups *, double *v, const double *, int64_t m, double *out)
    void sr_members_gram(const sr_members *, const sr_groups *, double *sum, const sr_gram *G)

cdef extern from "sr_reweigh.h" nogil:
    sr_status sr_add_rows(const sr_matrix *, const int64_t *, int64_t, const double *, const sr_gram_work *, int64_t,
                          int32_t *, double *, double *)
    void sr_add_groups(const sr_groups *, const int64_t *, int64_t, const double *, int64_t, int32_t *, double *)
    int sr_gram_add(const sr_gram *, int64_t, double *)

cdef extern from "sr_means.h" nogil:
    ctypedef enum sr_mean:
        SR_N_MEANS
    const char *sr_mean_name(sr_mean mean)
    ctypedef struct sr_unit_sums:
        const double *s
        const double *sy
        const double *syy
    ctypedef struct sr_predictor:
        const double *eta
        const double *step
        double t, shift
    ctypedef struct sr_mean_totals:
        double slope, curvature, squared
    sr_status sr_mean_of(sr_mean, int64_t, const sr_unit_sums *, const sr_predictor *, double *, sr_mean_totals *)
    sr_status sr_mean_curvature(sr_mean, int64_t, const double *, double *)
    sr_status sr_mean_value(sr_mean, int64_t, const double *, const double *, const double *, double *)
    sr_status sr_mean_correct(sr_mean kind, int64_t n, double share, double *mean)
    int64_t sr_near_entropies(int64_t, const double *, const double *, double *)
    ctypedef struct sr_line:
        const double *eta[2]
        const double *mean[2]
        double t
    ctypedef struct sr_apart:
        double squares
        double largest
        double squared
    sr_status sr_mean_apart(sr_mean, int64_t, const sr_unit_sums *, const sr_line *, sr_apart *)
    sr_status sr_mean_toward(sr_mean, int64_t, const double *, const double *, const double *, double, int, double *,
                             double *, double *, double *)
    void sr_mean_moved(int64_t, const double *, const double *, double *, double *, double *)
    ctypedef struct sr_row_totals:
        double slope, curvature, size, squared
    sr_status sr_rows_residuals(sr_mean, int64_t, const double *, const double *, const double *, double, double *,
                                sr_row_totals *)
    sr_status sr_rows_gap(sr_mean, int64_t, const double *, const double *, const double *, double, double *, int64_t *)
