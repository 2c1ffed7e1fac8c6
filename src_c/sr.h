/* The interface of the kernels: every type and function that callers may use.
 *
 * Rules: plain C11; nothing here allocates, prints, keeps state or calls Python. The caller passes work space of the
 * stated size. Inputs are const and never written. Vectors over rows and columns are double, whatever the type of X,
 * and sums run in double. The objective is in docs/design.md.
 *
 * Notation, used everywhere inside:
 *   X   the design, n rows by p columns          j, k  columns        i  rows        e  stored entries
 *   Xt  the rows of X as the columns of an sr_matrix
 *   s   row weights (NULL: all one)              S     their sum
 *   w   coefficients                             r     the weighted residual s * (y - offset - X w), not centred
 *   q   X' r                                     c     the centred gradient, q_j - (sums_j / S) * sum(r)
 *   sums_j = x_j' s                              l1_j, l2_j  the penalty on coordinate j of the unnormalised sum S * F
 * */
#ifndef SR_H
#define SR_H

#include <stddef.h>
#include <stdint.h>

#include "sr_registry.h"

typedef enum {
    SR_OK = 0,
    SR_NEED_SPACE = 1,  /* an outcome: enlarge the buffer and call again */
    SR_BAD_INDEX = -1,  /* an index outside the matrix, or pointers that decrease */
    SR_NOT_FINITE = -2, /* NaN or infinity among the values */
    SR_BAD_TYPE = -3    /* a tag that names no variant */
} sr_status;

/* A borrowed view of X by columns. Columns come in three kinds, always in this order:
 *   [0, n_ones)         every stored entry is 1; no values are read
 *   [n_ones, n_sparse)  entry e has the value data[e - data_shift]
 *   [n_sparse, n_cols)  dense: column j is dense[(j - n_sparse) * dense_stride + i]
 * A sparse column j has the rows indices[start[j] .. stop[j]), so any selection and order of the columns of a CSC
 * matrix is a view of it. The rows of a CSR matrix are the columns of such a view, with the roles of i and j
 * exchanged. */
typedef struct {
    int64_t n_rows, n_cols, n_ones, n_sparse;
    const void *start, *stop; /* Index, n_sparse each */
    const void *indices;      /* Index */
    const void *data;         /* Real, or NULL when n_ones == n_sparse */
    int64_t data_shift;
    const void *dense;        /* Real, or NULL when n_sparse == n_cols */
    int64_t dense_stride;
    int32_t real, index;      /* tags: SR_F32 or SR_F64, SR_I32 or SR_I64 */
    int64_t before, after;    /* entries of each sparse column, at its beginning and end, that are skipped */
} sr_matrix;

/* ---- products with X ------------------------------------------------------------------------------------------------
 * `cols` lists m columns; NULL means columns 0 .. m-1. */

/* out[a] = x_cols[a]' v; cols NULL: for columns first .. first+m-1.  O(entries of the columns) */
sr_status sr_rmatvec(const sr_matrix *X, const int64_t *cols, int64_t first, int64_t m, const double *v, double *out);
/* The same of k vectors, the rows of V, as the rows of out: a dense column is read once for SR_VECTORS of them, whose
 * sums fill half of the registers. abreast: work space of SR_VECTORS n doubles. */
enum { SR_VECTORS = 8 };
sr_status sr_rmatvecs(const sr_matrix *X, const int64_t *cols, int64_t m, const double *V, int64_t k, double *abreast,
                      double *out);
/* out += scale * s * sum_a w[a] x_cols[a], out of length n.  O(entries of the columns with w != 0) */
sr_status sr_matvec(const sr_matrix *X, const int64_t *cols, int64_t m, const double *w, double scale, const double *s,
                    double *out);
/* max |s (y - base - sum_a w[a] x_cols[a])| over the rows from first to last, by blocks of SR_RESIDUAL_BLOCK of them.
 * The rows of each column must increase. Work space: r, SR_RESIDUAL_BLOCK; next, m.
 * O(last - first + entries of the columns with w != 0) */
enum { SR_RESIDUAL_BLOCK = 65536 };
sr_status sr_residual_max_abs(const sr_matrix *X, const int64_t *cols, int64_t m, const double *w, const double *y,
                              double base, const double *s, int64_t first, int64_t last, int64_t *next, double *r,
                              double *max_abs);
/* Statistics of columns, not centred, m each: x' s, x' (s x), |x|' s and max |x|.  O(entries of the columns) */
typedef struct {
    double *sums, *sq_norms, *l1_norms, *max_abs;
} sr_stats;
sr_status sr_column_stats(const sr_matrix *X, const int64_t *cols, int64_t m, const double *s, const sr_stats *out);

/* ---- the penalty, coordinate by coordinate ------------------------------------------------------------------------*/

/* The penalty's terms of both duality gaps over m coordinates, which `combine_gap` of the Python package puts
 * together. */
typedef struct {
    double l1_norm;   /* sum l1_j |w_j| */
    double l2_sq;     /* sum l2_j w_j^2 */
    double slope;     /* sum (c_j - l2_j w_j) w_j */
    double dual_norm; /* max dual_magnitude(c_j - l2_j w_j) / l1_j over l1_j > 0 */
    double fenchel;   /* sum pen(w_j) + pen*(c_j) - c_j w_j; infinite if l2_j = 0 < l1_j < dual_magnitude(c_j) */
} sr_gap_terms;
sr_status sr_gap_sums(sr_penalty pen, int64_t m, const double *w, const double *c, const double *l1, const double *l2,
                      sr_gap_terms *out);

/* The j whose moved_j = |w_j| sqrt(sq_j + l2_j) is over a share of the largest of them, or of `most` if that is less;
 * returns how many. out: room for m. */
int64_t sr_moving(int64_t m, const double *w, const double *sq, const double *l2, double share, double most,
                  double *moved, int64_t *out);

/* ---- coordinate descent -------------------------------------------------------------------------------------------*/

/* What coordinate descent over m chosen columns reads of each, and what it updates. */
typedef struct {
    int64_t m;
    const double *sums, *centered_sq_norm, *l1, *l2; /* m each: x_j' s (0 without an intercept), |x_j - mean_j|_s^2 */
    double weight_sum;                               /* S */
    sr_penalty penalty;
    double *w;                                       /* m, in and out */
    double *r_sum;                                   /* sum(r), in and out */
} sr_coordinates;

/* `order` lists n_order of the positions 0 .. m-1. *decrease: the largest (centered_sq_norm_j + l2_j) * step_j^2 of
 * an epoch, an upper bound on twice what a step lowered S * F by. */

/* One epoch on the residual, which is in and out: r = s (y - offset - X w).  O(entries of the columns) */
sr_status sr_cd_residual(const sr_matrix *X, const int64_t *cols, const sr_coordinates *co, const int64_t *order,
                         int64_t n_order, const double *s, double *r, double *decrease);

/* One sweep of projections of a dual point, the residual r(u) at u = co->w, onto the thresholds: where a column has
 * dual_magnitude(c_j - l2_j u_j) > l1_j, u_j moves until it is within by a share `margin`; the others are unchanged.
 * In and out: u, r = s (y - offset - X u). *violation: the largest met, over l1_j.  O(entries of the columns) */
sr_status sr_project_residual(const sr_matrix *X, const int64_t *cols, const sr_coordinates *co, const int64_t *order,
                              int64_t n_order, double margin, const double *s, double *r, double *violation);

/* A growing symmetric Gram matrix X_M' diag(s) X_M of m chosen columns, the members: column a has the `len[a]` entries
 * from begin[a] on, in a space for cap[a], in one arena of `size` entries of which `used` are given out. An entry has
 * an index and a value, or both in one number where all are counts: of 64 bits, or packed into 32 while there are at
 * most SR_PACKED_MEMBERS members. A count too large for the bits that are left is then stored in pieces, so that its
 * index occurs more than once; such a column is `split`, also when it is in 64 bits again.
 * In a sum, the list along `next`, column a is member at[a] of this matrix, whose member b is column place[b] of the
 * sum, or m for none; entries count `sign` times. Vectors then have m + 1 entries, the last for what is no column. */
enum { SR_PACKED_MEMBERS = 1 << 20 };
typedef struct sr_gram {
    int64_t *begin, *len, *cap; /* m_max each */
    int32_t *idx;               /* size each, or NULL, and then ... */
    double *val;
    uint64_t *pair;             /* ... size; or NULL, and then ... */
    uint32_t *packed;           /* ... size */
    uint8_t *split;             /* m_max; only where entries are counts */
    int64_t used, size;
    const int64_t *at;    /* m; or NULL */
    const int32_t *place; /* members */
    double sign;
    const struct sr_gram *next;
} sr_gram;

/* Cached products of columns that are no members with the m members: member a has the entries begin[a] .. begin[a +
 * 1], in the order of the cached columns' places. Where all products are counts they are stored as such, in pieces
 * of at most 65535, so that a place may occur more than once. */
typedef struct {
    int64_t *begin;  /* m_max + 1 */
    uint16_t *place; /* size */
    uint16_t *count; /* size; or NULL, and then ... */
    double *value;   /* ... size */
    int64_t size;
} sr_products;

/* Positions below this mean "neither cached nor a member": so many that additions to one seldom wait. */
enum { SR_UNTRACKED = 256 };

/* A bit of work->marks is for SR_MARKED positions, a word of it for SR_WORD. */
enum { SR_MARKED = 64, SR_WORD = 64 * SR_MARKED };

/* Work space for appending. The position of a column is its label % SR_UNTRACKED if it is neither cached nor a member,
 * SR_UNTRACKED + its place if it is cached, SR_UNTRACKED + n_places + its number if it is a member. */
typedef struct {
    void *position;              /* for each label of Xt, uint16_t or, if `wide`, int32_t; NULL without any Xt */
    int32_t *dense_position;     /* for each dense column, < 0 if it is neither; only if there is an Xt */
    const int32_t *labels;       /* internal column -> label of Xt; NULL: the same number */
    int64_t n_places, n_cached;  /* places for cached columns; the first n_cached are in use */
    const int64_t *cached;       /* n_cached: which columns they are; only read without Xt, and by sr_with_dense */
    const sr_products *products; /* what cached columns have with the members so far; only read for dense columns */
    uint32_t *count;             /* by position, SR_UNTRACKED + n_places + m_max, zero before and after; for sparse */
    double *sum;                 /* columns of ones without weights; NULL otherwise, where sum is used in its place */
    double *row;                 /* n_rows, all zero on entry and return; only read without Xt */
    int32_t place;               /* the new column's place if it is cached, or < 0; set by sr_gram_column */
    int32_t wide;
    double *with_dense;          /* n_places for each dense column: its products with cached ones; with `count` only */
    uint64_t *marks;             /* one more than positions / SR_WORD, zero before and after: where a column of few
                                    products has some; or NULL */
} sr_gram_work;

/* The n products x_a' s x_j that are not 0 with the members cols[0 .. m), in order of the members, and last x_j' s x_j;
 * column j then is member m. Its products with cached columns are left in count or sum, for sr_products_take. With Xt:
 * O(sum of row lengths over the rows of j + m / 16); with Xt NULL: O(entries of the members and of the cached columns).
 * more: NULL, or the entries of the same columns in further rows; needs Xt, no dense columns. at, products: m + 1 */
sr_status sr_gram_column(const sr_matrix *X, const sr_matrix *more, const sr_matrix *Xt, const double *s,
                         const int64_t *cols, int64_t m, int64_t j, sr_gram_work *work, int32_t *at, double *products,
                         int64_t *n);
/* Of m + 1 numbers those that are not 0, and the last: how many. products may be `dense` itself.  O(m) */
int64_t sr_find_nonzero(const double *dense, int64_t m, int32_t *at, double *products);
/* Fill with_dense for the m dense columns `cols`, n_lanes rows of SR_ABREAST of them at a time. Work space: lanes,
 * SR_ABREAST n_lanes; next, n_cached.  O(entries of the cached columns) for SR_ABREAST dense columns */
enum { SR_ABREAST = 3 };
sr_status sr_with_dense(const sr_matrix *X, const int64_t *cols, int64_t m, double *lanes, int64_t n_lanes,
                        int64_t *next, const sr_gram_work *work);
/* Append member m to the Gram by its n products as sr_gram_column gives them. SR_NEED_SPACE: nothing changed, and the
 * arena needs *need more entries.  O(n) on average */
sr_status sr_gram_push(sr_gram *G, int64_t m, const int32_t *at, const double *products, int64_t n, int64_t *need);
/* out[a] = G_aa for the m members.  O(m log m) */
void sr_gram_diagonal(const sr_gram *G, int64_t m, double *out);
/* Move the products of the first n cached columns with member m from count or sum to P; `own` is the member's
 * product with itself. SR_NEED_SPACE: nothing changed.  O(n) */
sr_status sr_products_take(sr_products *P, int64_t m, int64_t n, const sr_gram_work *work, double own);
/* Keep only the first n places.  O(size) */
void sr_products_keep(sr_products *P, int64_t m, int64_t n);
/* out[k] -= sum_i P_ka x_i over m members a = members[i], in that order (NULL: a = i), for places k < n.
 * O(entries there of members with x != 0) */
void sr_products_subtract(const sr_products *P, const int64_t *members, int64_t m, const double *x, int64_t n,
                          double *out);
/* out[b] = x_j' s (y - X w) for the n columns j = cols[b], with the residual computed on their own rows only. w by
 * position. O(sum of row lengths over those rows) */
sr_status sr_gradient_by_rows(const sr_matrix *X, const sr_matrix *Xt, const double *s, const double *y,
                              const double *w, const sr_gram_work *work, const int64_t *cols, int64_t n, double *out);
/* out[a] -= sum_b G_ab x_b over the m members.  O(entries of G in columns with x != 0) */
void sr_gram_subtract(const sr_gram *G, int64_t m, const double *x, double *out);
/* The same for out[a] with first <= a < m only.  O(entries of G in those columns) */
void sr_gram_subtract_last(const sr_gram *G, int64_t first, int64_t m, const double *x, double *out);
/* out[i] -= sum_b G_kb x_b for n members of a sum, columns of it or not, over its m columns in their order: to the last
 * digit what sr_products_subtract gives for a cached column, store by store. x[m] is 0. Zeros before and after: row,
 * m + 1; marks, m / 64 + 1.  O(entries of these members + n m / 64) */
void sr_gram_subtract_members(const sr_gram *G, const int64_t *members, int64_t n, int64_t m, const double *x,
                              double *row, uint64_t *marks, double *out);
/* Entries among the m columns of a sum alone that those from `first` on bring. */
int64_t sr_gram_count_own(const sr_gram *G, int64_t first, int64_t m);
/* How many columns of place below n had a product with member a when it joined, or do as members: place_of gives the
 * members' places, or -1. */
int64_t sr_products_count(const sr_products *P, const sr_gram *G, int64_t a, const int32_t *place_of, int64_t n);
/* Epochs on the Gram: in and out, q = X_M' r. Stops after max_epochs or when *decrease is at most tol. An epoch is
 * O(m + entries of G in the columns whose coefficients change). */
void sr_cd_gram(const sr_gram *G, const sr_coordinates *co, const int64_t *order, int64_t n_order, int64_t max_epochs,
                double tol, double *q, int64_t *epochs, double *decrease);
/* Sweeps of projections as `sr_project_residual` makes them, on the Gram: in and out, u = co->w and q = X_M' r. Stops
 * after max_sweeps, or when the largest violation of a sweep is at most `enough`. A sweep is O(m + entries of G in the
 * columns that are violated). */
void sr_project_gram(const sr_gram *G, const sr_coordinates *co, int64_t max_sweeps, double enough, double margin,
                     double *q, int64_t *sweeps);
/* The Hessian of the k members `at`, in increasing order: the upper triangle of G_AA - sums sums' / S + diag(l2), k
 * by k in H. Work space: place, m + 1.  O(k^2 + entries of their columns) */
void sr_gram_hessian(const sr_gram *G, const sr_coordinates *co, const int64_t *at, int64_t k, int64_t *place,
                     double *H);
/* Solve A x = b, x in place of b, for a symmetric positive semidefinite A, n by n, by elimination without pivoting.
 * The upper triangle is read, all of A overwritten. A column that depends on those before it, with a pivot below
 * tiny times its diagonal, gets x = 0. Not a BLAS's: no digit depends on threads. O(n^3 / 6) */
void sr_solve_psd(int64_t n, double *A, double *b, double tiny);

/* ---- ridge --------------------------------------------------------------------------------------------------------*/

/* What a Gauss-Seidel sweep needs of H = Xc' S Xc + diag(penalty). n_cols each. */
typedef struct {
    const double *sums, *penalty, *inverse; /* sums are 0 without an intercept; inverse: 1 / H_jj, 0 skips a column */
    double weight_sum;                      /* S */
} sr_ridge_quadratic;

/* One Gauss-Seidel sweep on H z = g over the m columns listed, in their order. In and out: z, v = S X z and *v_sum =
 * sum(v), which is updated only with an intercept.  O(entries of the columns) */
sr_status sr_gauss_seidel(const sr_matrix *X, const int64_t *cols, int64_t m, const sr_ridge_quadratic *q,
                          const double *g, const double *s, double *z, double *v, double *v_sum);

/* out += X' r and *total = sum(r) for r = s (y + shift - X w), in one pass. Xt: the rows of X, all sparse; w, out:
 * n_cols.  O(entries) */
sr_status sr_residual_products(const sr_matrix *Xt, const double *w, const double *y, const double *s, double shift,
                               double *out, double *total);

/* A *factor* is a run of columns of which no row has two; its columns are its levels. Finds the fewest factors, from
 * the left. Xt: the rows of X, n_rows of it being columns, in increasing order. next[j]: n_rows each on entry; on
 * return the least column that follows j in a row. factor[j]: the factor of j. ends[f]: the column after factor f.
 * *n_factors: 0 if more than max_factors <= 255 are needed.  O(entries) */
sr_status sr_find_factors(const sr_matrix *Xt, int64_t *next, int64_t max_factors, uint8_t *factor, int64_t *ends,
                          int64_t *n_factors);
/* codes[f][i] = level[j] for every entry (i, j) with level[j] >= 0, f being the factor of j. Others are
 * unchanged.  O(entries) */
sr_status sr_factor_codes(const sr_matrix *Xt, const int64_t *ends, const int32_t *level, int32_t *const *codes);
/* Numbers the levels of each factor. Column j < m has the label labels[j] (NULL: j), and is in factor[labels[j]] <
 * n_factors. level[labels[j]]: j's number among the columns of its factor. order: the columns factor by factor.
 * sizes: n_factors, 0 on entry. */
void sr_number_levels(int64_t m, const int32_t *labels, const uint8_t *factor, int64_t n_factors, int32_t *level,
                      int64_t *order, int64_t *sizes);
/* Adds to G, k by k, so that G + G' with the diagonal once is Z' diag(s) Z. Column a of Z is the sum of the columns
 * j of X with a among position[j * n_pos .. + n_pos), which ends at the first negative one; no two of these share a
 * row. at, value: work space, n_pos times the longest row.  O(sum over rows of their entries in Z, squared) */
sr_status sr_dense_gram(const sr_matrix *Xt, const int32_t *position, int64_t n_pos, int64_t k, const double *s,
                        int32_t *at, double *value, double *G);

/* Row i has level codes[i] of a factor; codes[i] == n_levels means none. values: one number, or a few, for each
 * level and for none. Below Z is the indicator matrix of the codes, of n rows and n_levels + 1 columns. */
typedef struct {
    const int32_t *codes; /* n */
    double *values;       /* n_levels + 1, times the numbers for each */
    int64_t n_levels;
} sr_factor;
enum { SR_MAX_FACTORS = 64 }; /* in one call */
/* v += S sum_a Z_a x_a over the factors in gather, then q_a += Z_a' v for those in scatter; x_a and q_a are their
 * values.  O(n (n_gather + n_scatter)) */
void sr_gather_scatter(int64_t n, const double *s, double *v, int64_t n_gather, const sr_factor *gather,
                       int64_t n_scatter, const sr_factor *scatter);
/* Products with the weighted cross-tabulation N = Z_1' S Z_2 of two factors, and its transpose. Rows are sorted by
 * the m levels of the first, those of level r from begin[r] to begin[r + 1]; the second is that of out or x.
 * out.values += N' x; out += N x.values.  O(n) */
void sr_crosstab_rmatvec(int64_t m, const int64_t *begin, const double *s, const double *x, const sr_factor *out);
void sr_crosstab_matvec(int64_t m, const int64_t *begin, const double *s, const sr_factor *x, double *out);
/* Cells, the levels of a factor that refines all others. Each stands for n[c] rows, has the sum b[c] of the target,
 * and a coefficient with the penalty p = alpha v[c] (v NULL: alpha) that the two functions below eliminate: t_c = (b
 * - n x) / (n + p), where x is what the other factors' coefficients sum to in cell c. */
typedef struct {
    int64_t n_cells;
    const int64_t *begin; /* cells sorted by the first factor's levels, as above; only read by sr_schur_system */
    const double *n, *b, *v;
} sr_cells;
/* The reduced system at one alpha. weight[c] = n p / (n + p) and residual[c] = p t_c. Each level of a factor has
 * three values: its coefficient, and the sums of weight and residual, which are added to.  O(n_cells n_factors) */
void sr_schur_system(const sr_cells *cells, double alpha, int64_t n_factors, const sr_factor *factors, double *weight,
                     double *residual);
/* The reduced residuals at K = SR_ALPHA_BLOCK alphas. Each level has 2 K values: its coefficients, and the sums of p
 * t_c, which are added to. residual_sum[k] = sum_c p t_c and fitted[k] = sum_c b t_c.  O(n_cells n_factors K) */
enum { SR_ALPHA_BLOCK = 8 };
void sr_schur_residuals(const sr_cells *cells, const double *alphas, int64_t n_factors, const sr_factor *factors,
                        double *residual_sum, double *fitted);
/* Whether `fine` is nested in `coarse`: all rows of one level of fine have one level of coarse, parent[level of
 * fine], and rows without a level of fine have none of coarse. Only codes are read. parent: one for each level of
 * fine and one for none, all -1 on entry.  O(n) */
int64_t sr_nested(int64_t n, const sr_factor *fine, const sr_factor *coarse, int32_t *parent);
/* parent[c]: the level of coarse that more than half of the rows of level c have, if there is one, else some level.
 * Returns the number of rows that have their parent. parent, votes: one for each level of fine, 0 on entry.  O(n) */
int64_t sr_majority(int64_t n, const sr_factor *fine, const sr_factor *coarse, int32_t *parent, int32_t *votes);

/* ---- passes through rows of ones ----------------------------------------------------------------------------------*/

/* A column has a 16-bit code of its own or shares one with others. Functions read rows begin to end of X, which must
 * be of ones; codes: one for each of their entries, in their order. */
typedef struct {
    double rr, max_abs; /* sum r^2 and max |r| */
} sr_pass_sums;
/* c += Z' r for r = y - base - Z w, where Z has the columns of X of one code added up. w NULL: 0. With code_of, the
 * code of each label of Xt, `codes` is written first; later passes do without.  O(entries) */
sr_status sr_gradient_pass(const sr_matrix *Xt, int64_t begin, int64_t end, const uint16_t *code_of, uint16_t *codes,
                           const double *y, double base, const double *w, double *c, sr_pass_sums *out);
/* G, k by k: for the members, whose codes have a position in 0 .. k-1, entry (a, b) += the rows that have both, b
 * before a. Work space: members, as long as the longest row.  O(entries + pairs of members in a row) */
sr_status sr_count_pairs(const sr_matrix *Xt, int64_t begin, int64_t end, const uint16_t *codes,
                         const int16_t *position, int64_t k, int16_t *members, double *G);

/* The same without an sr_matrix, for rows that are not in memory as a whole: row i has the codes start[i] to start[i+1]
 * of `codes`, or without start its `width` codes from i * width on; `bytes`, 2 or 4, is the size of a code. Codes are
 * not checked. z and v belong to rows begin .. end-1; w and c have an entry a code. */
typedef struct {
    int64_t n, width, bytes;
    const uint32_t *start; /* n + 1, or NULL */
    const void *codes;
} sr_codes;
/* z += Z w; c += Z' v, which by pairs are two vectors with their entries side by side.  O(entries) */
void sr_codes_matvec(const sr_codes *Z, int64_t begin, int64_t end, const double *w, double *z);
void sr_codes_rmatvec(const sr_codes *Z, int64_t begin, int64_t end, const double *v, double *c);
void sr_codes_rmatvec_pair(const sr_codes *Z, int64_t begin, int64_t end, const double *v, double *c);
/* For the codes with a position >= 0: count[position] += their entries; their rows, each code's from
 * rows[next[position]] on, which ends behind the last.  O(entries) */
void sr_codes_count(const sr_codes *Z, const int32_t *position, int64_t *count);
void sr_codes_rows(const sr_codes *Z, const int32_t *position, int64_t *next, int32_t *rows);
/* x' S Z for the column of ones of n rows: its codes that are not 0, in any order, and their values; returns how many.
 * touched: one more than that. Work space: sums, one a code, 0 on entry and exit.  O(entries of the rows) */
int64_t sr_codes_products(const sr_codes *Z, int64_t n, const int32_t *rows, const double *s, double *sums,
                          int32_t *touched, double *values);
/* Rows first .. stop-1 of a lower triangle, m x m, += `sum_i h_i z_i z_i'` for the codes z_i of row i by their places,
 * -1 for none. Work space: held, as long as the longest row.  O(entries + pairs of places in a row) */
typedef struct { int64_t first, stop, m; double *sums; } sr_triangle;
void sr_codes_gram(const sr_codes *Z, const int32_t *place, const double *h, int32_t *held, const sr_triangle *T);

/* ---- compressed matrices as users pass them -----------------------------------------------------------------------*/

/* Some majors of a CSR (its rows) or CSC matrix (its columns): major i has the entries start[i] .. stop[i]). */
typedef struct {
    int64_t n_major, n_minor;
    const void *start, *stop; /* Index, n_major each: any selection of majors is a view of the matrix */
    const void *indices;      /* Index */
    const void *data;         /* Real, or NULL: all ones */
    int32_t real, index;
    int64_t before, after;    /* entries at the ends of each major: sr_transpose skips them, sr_take_ends copies them */
} sr_compressed;

typedef struct {
    int64_t bad;        /* the first fault: an entry, or a major whose pointers decrease */
    int64_t disordered; /* majors whose indices do not strictly increase, so that entries may repeat */
} sr_findings;

/* Check pointers, indices and values in one pass. count[k], an Index, += the entries of minor k; valued[k] = 1 where
 * minor k has a value other than 1, major_valued likewise for majors. Each may be NULL.  O(entries) */
sr_status sr_inspect(const sr_compressed *A, void *count, uint8_t *valued, uint8_t *major_valued, sr_findings *found);
/* Write entry (i, k), i counted from first_major on, to place[k]++: its index to out_indices, its value to
 * out_data[place[k] - shift] where shift <= place[k] < end. Where out_data is not NULL, indices are written only where
 * place[k] < index_end; else out_indices has room for all, also for minors that are not wanted: a branch on these
 * could not be predicted, and would take as long as the rest. place and out_indices: Index.  O(entries) */
sr_status sr_transpose(const sr_compressed *A, int64_t first_major, void *place, void *out_indices, int64_t shift,
                       int64_t index_end, void *out_data, int64_t end);
/* out[d * stride + i] = value d at the ends of major i, those before first, then those after.  O(n_major (before +
 * after)) */
sr_status sr_take_ends(const sr_compressed *A, void *out, int64_t stride);

#endif
