# Bounds on the gradients of columns since they were last evaluated.

cdef int64_t UINT16_LAST = 65535


cdef class Bounds:
    """Upper bounds on the gradients of p columns (`sr_bounds`).

    A gradient is recorded when it is evaluated; its bound grows with the residual's displacement since that reference.

    Parameters
    ----------
    penalty : int
    norm2, norm1 : float32 arrays of shape (p,)
        Norms of the columns, borrowed. -inf: the column is skipped; its block says too much until updated.
    factor : float64 array of shape (p,) or None
    """

    cdef const double[::1] factor
    cdef const float[::1] norm2, norm1
    cdef float[::1] c
    cdef uint16_t[::1] at
    cdef double[:, ::1] references
    cdef uint8_t[::1] blocks
    cdef int penalty
    cdef int64_t p, n_references
    cdef sr_displacement now

    def __init__(self, int penalty, const float[::1] norm2, const float[::1] norm1, const double[::1] factor):
        self.p, self.penalty, self.n_references = norm2.shape[0], penalty, 0
        require(norm1.shape[0] == self.p < 2**31 and (factor is None or factor.shape[0] == self.p), "lengths differ")
        require(0 <= penalty < SR_N_PENALTIES, "no such penalty")
        self.norm2, self.norm1, self.factor = norm2, norm1, factor
        self.c, self.at = np.zeros(self.p, dtype=np.float32), np.zeros(self.p, dtype=np.uint16)
        self.references = np.zeros((256, 2))
        self.blocks = np.zeros((self.p // SR_BLOCK + 1) * sizeof(sr_block), dtype=np.uint8)
        self.now.two = self.now.one = 0.0
        self.update_blocks()

    cdef sr_bounds borrow(self):
        cdef sr_bounds view
        view.c, view.at, view.references = &self.c[0], &self.at[0], <const sr_displacement *>&self.references[0, 0]
        view.norm2, view.norm1, view.factor = &self.norm2[0], &self.norm1[0], doubles(self.factor)
        view.blocks = <sr_block *>&self.blocks[0]
        return view

    @property
    def arrays_held(self):
        """Its own, without those that are borrowed."""
        return as_arrays(self.c, self.at, self.references, self.blocks)

    def update_blocks(self, const int64_t[::1] cols=None):
        """Compute the blocks of these columns, or all, anew, after a norm was changed."""
        cdef sr_bounds view = self.borrow()
        if cols is None:
            sr_update_blocks(self.p, &view, NULL, (self.p + SR_BLOCK - 1) // SR_BLOCK)
        elif cols.shape[0]:
            require_within(cols, self.p)
            sr_update_blocks(self.p, &view, &cols[0], cols.shape[0])

    def displace(self, double two, double one):
        """Add a displacement of the residual, in the 2-norm and in the largest entry."""
        self.now.two += two
        self.now.one += one

    cdef int64_t new_reference(self) except -1:
        """The number of a new reference point, the present one; when numbers run out, it becomes that of all bounds."""
        cdef sr_bounds view
        if self.n_references > UINT16_LAST:
            view = self.borrow()
            sr_rebase(self.p, &self.now, 0, &view)
            self.n_references = 0
        elif self.n_references == self.references.shape[0]:
            self.references = np.concatenate([self.references, np.zeros_like(self.references)])
        self.references[self.n_references, 0], self.references[self.n_references, 1] = self.now.two, self.now.one
        self.n_references += 1
        return self.n_references - 1

    def record(self, const int64_t[::1] cols, const double[::1] c):
        """Record the gradients `c` of `cols` at the present residual."""
        require(cols.shape[0] == c.shape[0], "lengths differ")
        require_within(cols, self.p)
        cdef int64_t at = self.new_reference()
        cdef sr_bounds view = self.borrow()
        if cols.shape[0]:
            sr_record(<sr_penalty>self.penalty, self.p, &cols[0], cols.shape[0], &c[0], <uint16_t>at, &view)

    def above_threshold(self, double shift, double threshold):
        """Columns with a bound above `threshold` (times factor), the largest bound there, and one for all others.

        `shift`: 2-norm distance of the dual point from the residual."""
        cdef sr_bounds view = self.borrow()
        cdef int64_t n = 0
        cdef double worst = 0.0, largest = 0.0
        # As long as all columns, but only what is written takes memory.
        cdef int32_t[::1] found = np.empty(self.p, dtype=np.int32)
        with nogil:
            sr_screen(self.p, &view, &self.now, shift, threshold, &found[0], &n, &worst, &largest)
        return np.asarray(found[:n]).astype(np.int64), worst, largest

    def last_above(self, double threshold):
        """Columns whose gradient had a dual magnitude above `threshold` (times factor) when it was last evaluated, that
        magnitude (over the factor), to float32, and by which share of it at most one's bound has grown since."""
        cdef sr_bounds view = self.borrow()
        cdef int64_t n = 0
        cdef double widest = 0.0
        cdef int32_t[::1] found = np.empty(self.p, dtype=np.int32)
        with nogil:
            sr_last_above(self.p, &view, &self.now, threshold, &found[0], &n, &widest)
        cols = np.asarray(found[:n]).astype(np.int64)
        magnitude = np.asarray(self.c)[cols].astype(np.float64)
        return cols, magnitude if self.factor is None else magnitude / np.asarray(self.factor)[cols], widest


def displacement_sums(const double[::1] w, const double[::1] w_before, const double[::1] c, const double[::1] c_before,
                      const double[::1] c0, const double[::1] max_abs, const double[::1] sums, int64_t longest):
    """Sums over columns that moved from `w_before` to `w`, in the order of `sr_moved`; a row has at most `longest`."""
    cdef sr_move move
    cdef sr_moved out
    require_same(w, w_before, c, c_before)
    require_same(c, c0, max_abs, sums)
    require(longest >= 0, "a row has fewer than no columns")
    cdef double[::1] heap = np.empty(min(longest, w.shape[0]) + 1)
    move.m, move.w, move.w_before = w.shape[0], &w[0], &w_before[0]
    move.c, move.c_before, move.c0 = &c[0], &c_before[0], &c0[0]
    move.max_abs, move.sums = &max_abs[0], &sums[0]
    sr_displacement_sums(&move, longest, &heap[0], &out)
    return out.squared, out.rounding, out.reach, out.sum
