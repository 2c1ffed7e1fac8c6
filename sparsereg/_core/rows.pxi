# Coordinate descent where a column has a row of coefficients, one for each of K outputs.

cdef extern from "sr_rows.h" nogil:
    ctypedef struct sr_row_coordinates:
        int64_t m, n_outputs
        const double *sums
        const double *centered_sq_norm
        const double *l1
        const double *l2
        double weight_sum
        double *w
        double *r_sum
    void sr_cd_gram_rows(const sr_gram *, const sr_row_coordinates *, const int64_t *, int64_t, int64_t, double,
                         double *, double *, int64_t *, double *)


cdef class RowCoordinates:
    """What coordinate descent reads of its m columns (`sr_row_coordinates`), and the `w` and `r_sum` it updates."""

    cdef const double[::1] sums, centered_sq_norm, l1, l2
    cdef double[:, ::1] w
    cdef double[::1] r_sum
    cdef double weight_sum
    cdef readonly int64_t m, n_outputs

    def __init__(self, double[:, ::1] w, double[::1] r_sum, const double[::1] sums,
                 const double[::1] centered_sq_norm, const double[::1] l1, const double[::1] l2, double weight_sum):
        self.m, self.n_outputs = w.shape[0], w.shape[1]
        require_same(sums, centered_sq_norm, l1, l2)
        require(sums.shape[0] == self.m and r_sum.shape[0] == self.n_outputs > 0, "lengths differ")
        self.w, self.r_sum, self.sums, self.centered_sq_norm = w, r_sum, sums, centered_sq_norm
        self.l1, self.l2, self.weight_sum = l1, l2, weight_sum

    def cd(self, GramStore store not None, const int64_t[::1] order, double[:, ::1] q, int64_t max_epochs, double tol):
        """Epochs of block coordinate descent on the Gram, `q = X_M' R` in place; returns (epochs, largest decrease of
        the last)."""
        require(store.m == self.m == q.shape[0] and q.shape[1] == self.n_outputs, "store or q has the wrong shape")
        require_within(order, self.m)
        cdef int64_t epochs = 0
        cdef double decrease = 0.0
        if not self.m:
            return 0, 0.0
        cdef double[::1] step = np.empty(self.n_outputs)
        cdef sr_gram gram = store.borrow()
        cdef sr_row_coordinates view
        view.m, view.n_outputs, view.weight_sum = self.m, self.n_outputs, self.weight_sum
        view.sums, view.centered_sq_norm = &self.sums[0], &self.centered_sq_norm[0]
        view.l1, view.l2 = &self.l1[0], &self.l2[0]
        view.w, view.r_sum = &self.w[0, 0], &self.r_sum[0]
        with nogil:
            sr_cd_gram_rows(&gram, &view, &order[0], order.shape[0], max_epochs, tol, &step[0], &q[0, 0], &epochs,
                            &decrease)
        return epochs, decrease
