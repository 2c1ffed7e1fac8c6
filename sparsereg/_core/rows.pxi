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
    ctypedef struct sr_softmax_model:
        int64_t n_outputs
        const double *p
        const double *sp
        double *d
        double *mean
    ctypedef struct sr_pairs:
        int64_t m
        const int64_t *cols
        const int64_t *outputs
        const double *shift
        const double *c
        const double *h
        const double *l1
        const double *l2
        double *w
    sr_status sr_softmax_curvatures(const sr_matrix *, const sr_softmax_model *, const sr_pairs *, double *)
    sr_status sr_softmax_cd(const sr_matrix *, const sr_softmax_model *, const sr_pairs *, const int64_t *, int64_t,
                            double *)


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
        cdef sr_gram gram = store.arena.borrow()
        cdef sr_row_coordinates view
        view.m, view.n_outputs, view.weight_sum = self.m, self.n_outputs, self.weight_sum
        view.sums, view.centered_sq_norm = &self.sums[0], &self.centered_sq_norm[0]
        view.l1, view.l2 = &self.l1[0], &self.l2[0]
        view.w, view.r_sum = &self.w[0, 0], &self.r_sum[0]
        with nogil:
            sr_cd_gram_rows(&gram, &view, &order[0], order.shape[0], max_epochs, tol, &step[0], &q[0, 0], &epochs,
                            &decrease)
        return epochs, decrease


cdef class SoftmaxModel:
    """The multinomial loss to second order (`sr_softmax_model`), with the predictors `d` and means that descent moves.

    Parameters
    ----------
    p, sp : float64 arrays of shape (K, n)
        Probabilities at the reference, and the same times the rows' weights.
    d : float64 array of shape (K, n)
    mean : float64 array of shape (n,)
    """

    cdef const double[:, ::1] p, sp
    cdef double[:, ::1] d
    cdef double[::1] mean

    def __init__(self, const double[:, ::1] p, const double[:, ::1] sp, double[:, ::1] d, double[::1] mean):
        require(p.shape[0] == sp.shape[0] == d.shape[0] > 0, "the numbers of classes differ")
        require(p.shape[1] == sp.shape[1] == d.shape[1] == mean.shape[0] > 0, "the numbers of rows differ")
        self.p, self.sp, self.d, self.mean = p, sp, d, mean

    cdef sr_softmax_model borrow(self):
        cdef sr_softmax_model view
        view.n_outputs, view.p, view.sp = self.p.shape[0], &self.p[0, 0], &self.sp[0, 0]
        view.d, view.mean = &self.d[0, 0], &self.mean[0]
        return view

    cdef int _fits(self, Matrix X, Pairs pairs) except -1:
        require(X.view.n_rows == self.p.shape[1], "X has another number of rows")
        require_within(pairs.cols, X.view.n_cols)
        require_within(pairs.outputs, self.p.shape[0])
        return 0

    def curvatures(self, Matrix X not None, Pairs pairs not None):
        """The second derivative along each coordinate."""
        self._fits(X, pairs)
        out = np.empty(pairs.m)
        if not pairs.m:
            return out
        cdef double[::1] to = out
        cdef sr_softmax_model model = self.borrow()
        cdef sr_pairs view = pairs.borrow()
        cdef sr_status status
        with nogil:
            status = sr_softmax_curvatures(&X.view, &model, &view, &to[0])
        check(status)
        return out

    def cd(self, Matrix X not None, Pairs pairs not None, const int64_t[::1] order):
        """One epoch of coordinate descent, `pairs.w`, `d` and `mean` in place; returns the largest decrease."""
        self._fits(X, pairs)
        require_within(order, pairs.m)
        if not order.shape[0]:
            return 0.0
        cdef sr_softmax_model model = self.borrow()
        cdef sr_pairs view = pairs.borrow()
        cdef double decrease = 0.0
        cdef sr_status status
        with nogil:
            status = sr_softmax_cd(&X.view, &model, &view, &order[0], order.shape[0], &decrease)
        check(status)
        return decrease


cdef class Pairs:
    """Coordinates, a column and a class each (`sr_pairs`); `w` is updated. Columns with a `shift` have an entry in each
    row."""

    cdef const int64_t[::1] cols, outputs
    cdef const double[::1] shift, c, h, l1, l2
    cdef double[::1] w
    cdef readonly int64_t m

    def __init__(self, const int64_t[::1] cols, const int64_t[::1] outputs, const double[::1] shift,
                 const double[::1] c, const double[::1] h, const double[::1] l1, const double[::1] l2, double[::1] w):
        self.m = cols.shape[0]
        require(outputs.shape[0] == self.m == shift.shape[0] == w.shape[0], "lengths differ")
        require_same(c, h, l1, l2)
        require(c.shape[0] == self.m, "lengths differ")
        self.cols, self.outputs, self.shift, self.c, self.h = cols, outputs, shift, c, h
        self.l1, self.l2, self.w = l1, l2, w

    cdef sr_pairs borrow(self):
        cdef sr_pairs view
        view.m, view.cols, view.outputs, view.shift = self.m, &self.cols[0], &self.outputs[0], &self.shift[0]
        view.c, view.h, view.l1, view.l2, view.w = &self.c[0], &self.h[0], &self.l1[0], &self.l2[0], &self.w[0]
        return view
