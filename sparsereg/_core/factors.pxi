# Factors of one-hot designs: sums over rows by level, and values by level given back to rows.

cdef class FactorCodes:
    """The level of a factor that each of n rows has; the code n_levels means none (`sr_factor`).

    Parameters
    ----------
    codes : int32 array of shape (n,), in [0, n_levels]
    n_levels : int
    """

    cdef readonly int64_t n_levels
    cdef readonly object codes
    cdef const int32_t[::1] view

    def __init__(self, const int32_t[::1] codes, int64_t n_levels):
        values = np.asarray(codes)
        require(codes.shape[0] > 0 and values.min() >= 0 and values.max() <= n_levels, "codes leave their range")
        self.codes, self.view, self.n_levels = values, codes, n_levels

    def __reduce__(self):
        return FactorCodes, (self.codes, self.n_levels)

    cdef sr_factor borrow(self):
        return sr_factor(&self.view[0], NULL, self.n_levels)

    def parents(self, FactorCodes coarse not None):
        """The level of `coarse` that contains each level of this factor: int32 of shape (n_levels,), -1 for levels
        without rows. None unless this factor is nested in `coarse`; see `sr_nested`."""
        require(coarse.view.shape[0] == self.view.shape[0], "factors have different numbers of rows")
        cdef int32_t[::1] parent = np.full(self.n_levels + 1, -1, dtype=np.int32)
        cdef sr_factor fine = self.borrow(), other = coarse.borrow()
        cdef int64_t nested
        with nogil:
            nested = sr_nested(self.view.shape[0], &fine, &other, &parent[0])
        return np.asarray(parent)[: self.n_levels] if nested else None

    def majority(self, FactorCodes coarse not None, int64_t n):
        """The level of `coarse` that most of the first n rows of each level have: int32 of shape (n_levels,); and the
        number of rows that have it."""
        require(0 <= n <= self.view.shape[0] == coarse.view.shape[0], "factors have different numbers of rows")
        cdef int32_t[::1] parent = np.zeros(self.n_levels, dtype=np.int32), votes = np.zeros_like(parent)
        cdef sr_factor fine = self.borrow(), other = coarse.borrow()
        cdef int64_t agreed
        with nogil:
            agreed = sr_majority(n, &fine, &other, &parent[0], &votes[0])
        return np.asarray(parent), agreed


def number_levels(const uint8_t[::1] factor not None, const int32_t[::1] labels, int64_t m, int64_t n_factors):
    """Number the levels of each factor in the order of its columns.

    Column j < m has the label labels[j], or j, and is in factor[labels[j]].

    Returns
    -------
    level : int32 of shape of factor
        By label, -1 for labels without a column.
    order : int64 of shape (m,)
        The columns factor by factor.
    sizes : int64 of shape (n_factors,)
    """
    require(0 < n_factors <= 255 and np.max(factor) < n_factors, "too many factors")
    require(m <= factor.shape[0] if labels is None else m <= labels.shape[0], "labels have the wrong length")
    if labels is not None and m:
        require(0 <= np.min(labels[:m]) and np.max(labels[:m]) < factor.shape[0], "labels leave the factors")
    cdef int32_t[::1] level = np.full(factor.shape[0], -1, dtype=np.int32)
    cdef int64_t[::1] order = np.empty(max(m, 1), dtype=np.int64), sizes = np.zeros(n_factors, dtype=np.int64)
    cdef const int32_t *label = NULL if labels is None else &labels[0]
    with nogil:
        sr_number_levels(m, label, &factor[0], n_factors, &level[0], &order[0], &sizes[0])
    return np.asarray(level), np.asarray(order)[:m], np.asarray(sizes)


cdef int64_t borrow_factors(list pairs, int64_t n, tuple each, sr_factor *out) except -1:
    """Fill `out` from pairs of `FactorCodes` over n rows and contiguous values of shape (n_levels + 1, *each)."""
    require(len(pairs) <= SR_MAX_FACTORS, "too many factors at a time")
    cdef FactorCodes factor
    cdef double[::1] flat
    for a, (factor, values) in enumerate(pairs):
        fits = factor.view.shape[0] == n and values.shape == (factor.n_levels + 1, *each) and values.flags.c_contiguous
        require(fits, "codes and values do not fit")
        flat = values.reshape(-1)
        out[<int64_t>a] = sr_factor(&factor.view[0], &flat[0], factor.n_levels)
    return len(pairs)


def gather_scatter(double[::1] v, list gather, list scatter, const double[::1] s=None):
    """`v += s * x[codes]` for each `(FactorCodes, x)` in gather, then `q[codes] += v` for each `(FactorCodes, q)` in
    scatter; in place. x and q have n_levels + 1 entries, the last for rows without a level. See `sr_gather_scatter`."""
    cdef sr_factor give[SR_MAX_FACTORS]
    cdef sr_factor take[SR_MAX_FACTORS]
    cdef int64_t n = v.shape[0]
    cdef int64_t n_give = borrow_factors(gather, n, (), give), n_take = borrow_factors(scatter, n, (), take)
    require(s is None or s.shape[0] == n, "s has the wrong length")
    cdef const double *weights = doubles(s)
    with nogil:
        sr_gather_scatter(n, weights, &v[0], n_give, give, n_take, take)


cdef int require_runs(const int64_t[::1] begin, int64_t m, int64_t n) except -1:
    """Rows 0..n in runs, one for each of m levels."""
    require(begin.shape[0] == m + 1 and begin[0] == 0 and begin[m] == n, "runs do not fit")
    cdef int64_t r
    for r in range(m):
        require(begin[r] <= begin[r + 1], "runs go backwards")
    return 0


def crosstab_rmatvec(
    const double[::1] s not None, const int64_t[::1] begin not None, const double[::1] x not None, tuple out
):
    """`q[codes] += s * x` with `(FactorCodes, q) = out`, one x for each run of rows. See `sr_crosstab_rmatvec`."""
    cdef sr_factor to
    cdef int64_t m = x.shape[0]
    require_runs(begin, m, s.shape[0])
    borrow_factors([out], s.shape[0], (), &to)
    with nogil:
        sr_crosstab_rmatvec(m, &begin[0], &s[0], &x[0], &to)


def crosstab_matvec(
    const double[::1] s not None, const int64_t[::1] begin not None, tuple x, double[::1] out not None
):
    """`out += s * values[codes]`, summed over each run, with `(FactorCodes, values) = x`. See `sr_crosstab_matvec`."""
    cdef sr_factor given
    cdef int64_t m = out.shape[0]
    require_runs(begin, m, s.shape[0])
    borrow_factors([x], s.shape[0], (), &given)
    with nogil:
        sr_crosstab_matvec(m, &begin[0], &s[0], &given, &out[0])


ALPHA_BLOCK = SR_ALPHA_BLOCK


cdef class Cells:
    """The levels of a saturated factor, with their coefficients eliminated by the methods (`sr_cells`).

    Parameters
    ----------
    begin : int64 array of shape (m + 1,)
        Where the cells of each level of the first of the other factors begin and end.
    n, b : float64 arrays of shape (n_cells,)
        Weights, and sums of the target.
    v : float64 array of shape (n_cells,) or None
        Penalty factors; None means all one.
    """

    cdef const int64_t[::1] begin
    cdef const double[::1] n, b, v

    def __init__(
        self, const int64_t[::1] begin not None, const double[::1] n not None, const double[::1] b not None,
        const double[::1] v
    ):
        require_runs(begin, begin.shape[0] - 1, n.shape[0])
        require(n.shape[0] == b.shape[0] and (v is None or v.shape[0] == n.shape[0]), "lengths differ")
        self.begin, self.n, self.b, self.v = begin, n, b, v

    cdef sr_cells borrow(self):
        return sr_cells(self.n.shape[0], &self.begin[0], &self.n[0], &self.b[0], doubles(self.v))

    def schur_system(self, double alpha, list factors, double[::1] weight not None, double[::1] residual not None):
        """Fill `weight` and `residual`, and add them by level to values[:, 1] and values[:, 2] of each
        `(FactorCodes, values)`, whose coefficients are values[:, 0]. The first factor is the one that the cells are
        sorted by. See `sr_schur_system`."""
        cdef sr_factor own[SR_MAX_FACTORS]
        cdef sr_cells cells = self.borrow()
        cdef int64_t n_factors = borrow_factors(factors, cells.n_cells, (3,), own)
        require(n_factors > 0 and own[0].n_levels + 1 == self.begin.shape[0], "factors or runs do not fit")
        require(weight.shape[0] == residual.shape[0] == cells.n_cells, "lengths differ")
        with nogil:
            sr_schur_system(&cells, alpha, n_factors, own, &weight[0], &residual[0])

    def schur_residuals(self, const double[::1] alphas not None, list factors):
        """Add the reduced residuals at `ALPHA_BLOCK` alphas by level to values[:, ALPHA_BLOCK:] of each
        `(FactorCodes, values)`, whose coefficients are values[:, :ALPHA_BLOCK]. See `sr_schur_residuals`.

        Returns
        -------
        residual_sum, fitted : float64 arrays of shape (ALPHA_BLOCK,)
        """
        cdef sr_factor own[SR_MAX_FACTORS]
        cdef sr_cells cells = self.borrow()
        cdef int64_t n_factors = borrow_factors(factors, cells.n_cells, (2 * SR_ALPHA_BLOCK,), own)
        require(alphas.shape[0] == SR_ALPHA_BLOCK, "alphas do not fit")
        cdef double[::1] residual_sum = np.zeros(SR_ALPHA_BLOCK), fitted = np.zeros(SR_ALPHA_BLOCK)
        with nogil:
            sr_schur_residuals(&cells, &alphas[0], n_factors, own, &residual_sum[0], &fitted[0])
        return np.asarray(residual_sum), np.asarray(fitted)
