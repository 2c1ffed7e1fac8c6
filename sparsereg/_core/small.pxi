# The path of a small problem on the Gram matrix of all its columns.

cdef class SmallPath:
    """Solutions at one strength after the other (`sr_small_path`).

    Parameters
    ----------
    penalty : int
    gram : float64 array of shape (m, m)
        Centred and symmetric.
    c0, l1, l2 : float64 arrays of shape (m,)
        The gradients at w = 0, and the strengths at a scale of 1; l1 is positive.
    null_deviance, target : float
        Twice `S F` at w = 0, and the gap of `S F` that suffices.
    """

    cdef const double[:, ::1] gram
    cdef const double[::1] sq, c0, l1, l2
    cdef double[:, ::1] work, H
    cdef int64_t[::1] at
    cdef int penalty
    cdef double null_deviance, target

    def __init__(self, int penalty, const double[:, ::1] gram not None, const double[::1] c0, const double[::1] l1,
                 const double[::1] l2, double null_deviance, double target):
        cdef int64_t m = gram.shape[0]
        sq = np.ascontiguousarray(np.diagonal(gram))
        require_same(sq, c0, l1, l2)
        require(0 < m == gram.shape[1] and 0 <= penalty < SR_N_PENALTIES, "gram is no square, or there is no penalty")
        self.gram, self.sq, self.c0, self.l1, self.l2 = gram, sq, c0, l1, l2
        self.penalty, self.null_deviance, self.target = penalty, null_deviance, target
        self.work, self.H, self.at = np.empty((5, m)), np.empty((m, m)), np.empty(m, dtype=np.int64)

    @property
    def arrays_held(self):
        """Its work space."""
        return as_arrays(self.work, self.H, self.at)

    def solve(self, const double[::1] w, const double[::1] scale, int64_t max_steps, int64_t max_work):
        """Coefficients from w on at each scale of the strengths, and the steps they took; until one takes more than
        `max_steps`, or multiplications than `max_work`."""
        cdef int64_t n = scale.shape[0], m = self.c0.shape[0], solved
        require(w.shape[0] == m and n > 0, "w has the wrong length, or there are no scales")
        cdef double[:, ::1] W = np.empty((n + 1, m))
        cdef int64_t[::1] steps = np.empty(n, dtype=np.int64)
        W[0, :] = w
        cdef sr_small view
        cdef sr_small_work work
        view.m, view.penalty, view.gram, view.max_steps = m, <sr_penalty>self.penalty, &self.gram[0, 0], max_steps
        view.max_work = max_work
        view.sq, view.c0, view.l1, view.l2 = &self.sq[0], &self.c0[0], &self.l1[0], &self.l2[0]
        view.null_deviance, view.target = self.null_deviance, self.target
        work.w, work.c, work.l1, work.l2 = &self.work[0, 0], &self.work[1, 0], &self.work[2, 0], &self.work[3, 0]
        work.b, work.at, work.H = &self.work[4, 0], &self.at[0], &self.H[0, 0]
        with nogil:
            solved = sr_small_path(&view, &scale[0], n, &work, &W[0, 0], &steps[0])
        return np.asarray(W)[1 : solved + 1], np.asarray(steps)[:solved]
