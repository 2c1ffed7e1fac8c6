# What coordinate descent and Gauss-Seidel read.

cdef class RidgeQuadratic:
    """`H = Xc' S Xc + diag(penalty)` as Gauss-Seidel reads it (`sr_ridge_quadratic`), `inverse` being `1 / H_jj`.

    `sums`: `X' s`, all zero without an intercept."""

    cdef const double[::1] sums, penalty, inverse
    cdef double weight_sum

    def __init__(self, const double[::1] sums, const double[::1] penalty, const double[::1] inverse, double weight_sum):
        require(sums.shape[0] == penalty.shape[0] == inverse.shape[0], "lengths differ")
        self.sums, self.penalty, self.inverse, self.weight_sum = sums, penalty, inverse, weight_sum


cdef class Coordinates:
    """What coordinate descent reads of its m columns (`sr_coordinates`), and the `w` and `r_sum` it updates."""

    cdef const double[::1] sums, centered_sq_norm, l1, l2
    cdef double[::1] w
    cdef double weight_sum
    cdef int penalty
    cdef readonly int64_t m
    cdef public double r_sum

    def __init__(self, double[::1] w, const double[::1] sums, const double[::1] centered_sq_norm, const double[::1] l1,
                 const double[::1] l2,
                 double weight_sum, int penalty, double r_sum):
        self.m = w.shape[0]
        require_same(sums, centered_sq_norm, l1, l2)
        require(sums.shape[0] == self.m, "lengths differ")
        require(0 <= penalty < SR_N_PENALTIES, "no such penalty")
        self.w, self.sums, self.centered_sq_norm, self.l1, self.l2 = w, sums, centered_sq_norm, l1, l2
        self.weight_sum, self.penalty, self.r_sum = weight_sum, penalty, r_sum

    cdef sr_coordinates borrow(self):
        cdef sr_coordinates view
        view.m, view.weight_sum, view.penalty = self.m, self.weight_sum, <sr_penalty>self.penalty
        view.sums, view.centered_sq_norm = &self.sums[0], &self.centered_sq_norm[0]
        view.l1, view.l2 = &self.l1[0], &self.l2[0]
        view.w, view.r_sum = &self.w[0], &self.r_sum
        return view


cdef int put_gap_sums(sr_coordinates *co, const double *q, const double[::1] c0, double null_deviance, double[::1] c,
                      double *out) except -1:
    """What a gap is made of at coefficients `co.w` with `q = X_M' r`, not centred: `gap_sums` and `|r|_s^2`, six
    numbers, and the gradient, c.

    `c0`: that at w = 0, where `|r|_s^2` is `null_deviance`."""
    cdef int64_t a
    cdef double share = co.r_sum[0] / co.weight_sum, squares = 0.0
    cdef sr_gap_terms terms
    for a in range(co.m):
        c[a] = q[a] - co.sums[a] * share
        squares += (c0[a] + c[a]) * co.w[a]
    check(sr_gap_sums(co.penalty, co.m, co.w, &c[0], co.l1, co.l2, &terms))
    out[0], out[1], out[2] = terms.l1_norm, terms.l2_sq, terms.slope
    out[3], out[4], out[5] = terms.dual_norm, terms.fenchel, max(null_deviance - squares, 0.0)
    return 0


def gap_sums_of_gram(Coordinates co not None, const double[::1] q, const double[::1] c0, double null_deviance):
    """What `put_gap_sums` gives: `gap_sums`, `|r|_s^2`, the gradient."""
    cdef double[6] out
    cdef sr_coordinates view = co.borrow()
    require(q.shape[0] == c0.shape[0] == co.m, "q or c0 has the wrong length")
    gradient = np.empty(co.m)
    put_gap_sums(&view, &q[0], c0, null_deviance, gradient, out)
    return (out[0], out[1], out[2], out[3], out[4]), out[5], gradient


def solve_psd(double[:, ::1] H not None, double[::1] x not None, double tiny):
    """`H x = b` in place of b, where it has a solution; the upper triangle of H is read, and overwritten. A pivot of at
    most `tiny` of its column's diagonal is 0, and so is that coordinate."""
    cdef int64_t k = x.shape[0]
    require(H.shape[0] == k and H.shape[1] == k, "H has the wrong shape")
    if k:
        with nogil:
            sr_solve_psd(k, &H[0, 0], &x[0], tiny)


cdef tuple hessian_of(const sr_gram *gram, Coordinates co):
    """The columns with w != 0, and the upper triangle of their centred Gram matrix with l2 on its diagonal."""
    active = np.flatnonzero(np.asarray(co.w))
    cdef int64_t k = active.size
    H = np.zeros((k, k))
    if not k:
        return active, H
    cdef const int64_t[::1] at = active
    cdef int64_t[::1] place = np.empty(co.m + 1, dtype=np.int64)
    cdef double[:, ::1] view_H = H
    cdef sr_coordinates view = co.borrow()
    with nogil:
        sr_gram_hessian(gram, &view, &at[0], k, &place[0], &view_H[0, 0])
    return active, H
