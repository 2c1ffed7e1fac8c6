# Rows in groups.

cdef enum:
    # Slots of a pattern at first. So short ones are read as fast as lists by member.
    FIRST_SLOTS = 16
    # Lists are made anew once passes have read all groups slot by slot so many times: about what it costs.
    PASSES_PER_LIST = 10

cdef class RowGroups:
    """Rows grouped by which members they have (`sr_groups`); members are columns of ones that join one by one.

    Parameters
    ----------
    X : Matrix
    y : float64 array of shape (n,)
    s : float64 array of shape (n,) or None
    first : int32 array of shape (n,) or None
        The group of each row to begin with, 0 to k - 1, each with a row; None: k is 1.
    eta : float64 array of shape (k,)
        The predictor of each of these.
    longest : int
        Most members that a row can have.
    """

    cdef Matrix X
    cdef const double[::1] y, s
    cdef int32_t[::1] of_row, size, size_in, target
    cdef uint16_t[:, ::1] slots
    cdef uint16_t[::1] length
    cdef double[:, ::1] numbers
    cdef readonly int64_t n_groups, m
    cdef int64_t longest, most_slots  # of a pattern now, and ever
    cdef int64_t[::1] begin
    cdef int32_t[::1] of_member
    cdef int64_t n_listed, read_by_slots

    def __init__(self, Matrix X not None, const double[::1] y, const double[::1] s, first, eta, int64_t longest):
        require(y.shape[0] == X.view.n_rows, "y has the wrong length")
        require(eta.shape[0] == 1 if first is None else first.shape[0] == y.shape[0], "first has the wrong length")
        require(s is None or s.shape[0] == y.shape[0], "s has the wrong length")
        self.X, self.y, self.s = X, y, s
        self.n_groups, self.m = eta.shape[0], 0
        if first is None:
            self.of_row = np.zeros(y.shape[0], dtype=np.int32)
        else:
            self.of_row = np.array(first, dtype=np.int32)
            require(0 <= np.min(self.of_row) and np.max(self.of_row) < self.n_groups, "no such group")
        self.longest, self.most_slots = 0, max(4 * ((longest + 3) // 4), 4)
        self.slots = np.zeros((self.n_groups, min(self.most_slots, FIRST_SLOTS)), dtype=np.uint16)
        self.length = np.zeros(self.n_groups, dtype=np.uint16)
        if self.n_groups == 1:
            self.size = np.array([self.of_row.shape[0]], dtype=np.int32)
        else:
            self.size = np.bincount(self.of_row, minlength=self.n_groups).astype(np.int32)
        self.size_in, self.target = np.zeros(self.n_groups, dtype=np.int32), np.zeros(self.n_groups, dtype=np.int32)
        self.numbers = np.zeros((6, self.n_groups))
        np.asarray(self.numbers)[3] = eta
        self.begin, self.of_member = np.zeros(2, dtype=np.int64), np.empty(1, dtype=np.int32)
        self.n_listed = self.read_by_slots = 0
        self.sum_up()

    def sum_up(self):
        """The groups' sums over their rows anew, without the rounding of all changes since."""
        y, of_row, numbers = np.asarray(self.y), np.asarray(self.of_row), np.asarray(self.numbers)
        s = None if self.s is None else np.asarray(self.s)
        weighted = y if s is None else s * y
        k = self.n_groups
        if k == 1:
            numbers[:3, 0] = of_row.size if s is None else s.sum(), weighted.sum(), weighted @ y
            return
        numbers[0, :k] = np.asarray(self.size)[:k] if s is None else np.bincount(of_row, s, k)
        numbers[1, :k] = np.bincount(of_row, weighted, k)
        numbers[2, :k] = np.bincount(of_row, weighted * y, k)

    def _reserve(self, int64_t k):
        """Space for k groups, of which there are never more than rows, and for one member more; one array after the
        other, as each is copied."""
        capacity, n = self.size.shape[0], self.n_groups
        if self.longest == self.slots.shape[1] < self.most_slots:
            more = np.zeros((capacity, min(self.longest + self.longest // 8 * 4, self.most_slots)), dtype=np.uint16)
            more[:n, : self.longest] = np.asarray(self.slots)[:n]
            self.slots = more
        if k <= capacity:
            return
        capacity = min(max(k, capacity + capacity // 4), self.of_row.shape[0])
        self.size, self.length = grown(self.size, capacity), grown(self.length, capacity)
        self.target = grown(self.target, capacity)
        size_in = np.zeros(capacity, dtype=np.int32)
        size_in[:n] = np.asarray(self.size_in)[:n]  # of groups that were met
        self.size_in = size_in
        more = np.empty((capacity, self.slots.shape[1]), dtype=np.uint16)
        more[:n] = np.asarray(self.slots)[:n]
        self.slots = more
        more = np.empty((6, capacity))
        more[:, :n] = np.asarray(self.numbers)[:, :n]
        self.numbers = more

    cdef sr_groups borrow(self):
        cdef sr_groups view
        view.n_groups, view.stride, view.longest = self.n_groups, self.slots.shape[1], self.longest
        view.of_row, view.size = &self.of_row[0], &self.size[0]
        view.slots, view.length = &self.slots[0, 0], &self.length[0]
        view.s, view.sy, view.syy = &self.numbers[0, 0], &self.numbers[1, 0], &self.numbers[2, 0]
        view.eta, view.curvature, view.reference = &self.numbers[3, 0], &self.numbers[4, 0], &self.numbers[5, 0]
        return view

    @property
    def arrays_held(self):
        """Its own, without y and s."""
        return as_arrays(self.of_row, self.size, self.size_in, self.target, self.slots, self.length, self.numbers,
                         self.begin, self.of_member)

    def of_rows(self):
        """The group of each row."""
        return np.asarray(self.of_row)

    def lengths(self):
        """The members of each group."""
        return np.asarray(self.length)[: self.n_groups]

    def values(self):
        """Views: `s`, `sy`, `syy`, `eta`, `curvature` and `reference` of each group, valid until a member joins."""
        return tuple(np.asarray(self.numbers)[k, : self.n_groups] for k in range(6))

    def join(self, const int64_t[::1] cols, GramStore gram not None):
        """Columns of ones become members, each appended to the Gram matrix of weights `s curvature`."""
        require_within(cols, self.X.view.n_ones)
        require(gram.m == self.m and self.m + cols.shape[0] < MAX_UINT16_CODES, "the Gram has other members")
        lengths = self.X.lengths(cols)
        # Where columns have more entries than there are rows, sums of targets over all rows cost less at the end.
        cdef bint later = self.s is None and lengths.sum() > self.y.shape[0]
        cdef const double *targets = NULL if later else &self.y[0]
        cdef int64_t a, n = 0, more = 0
        cdef int32_t[::1] groups = np.empty(max(<int64_t>lengths.max(initial=0), 1), dtype=np.int32)
        cdef double[::1] sums = np.empty(self.m + cols.shape[0] + 1)
        cdef sr_groups view
        cdef const double *weights = doubles(self.s)
        cdef sr_status status
        gram._reserve(self.m + cols.shape[0])
        for a in range(cols.shape[0]):
            view = self.borrow()
            with nogil:
                status = sr_groups_meet(&self.X.view, cols[a], &view, &self.size_in[0], &groups[0], &n, &more)
            check(status)
            self._reserve(self.n_groups + more)
            view = self.borrow()
            sums[: self.m + 2] = 0.0
            with nogil:
                status = sr_groups_split(&self.X.view, cols[a], self.m, targets, weights, &view, &self.size_in[0],
                                         &self.target[0], &groups[0], n)
                sr_groups_products(&view, &groups[0], n, &sums[0])
            check(status)
            self._append(groups[:n])
            self.n_groups, self.longest = view.n_groups, view.longest
            self.m += 1
            gram._push_dense(&sums[1])
        if later:
            view = self.borrow()
            with nogil:
                sr_groups_sum_up(&view, self.y.shape[0], &self.y[0])

    def weigh(self, GramStore gram not None):
        """The values of the Gram matrix anew, at the present weights `s curvature`."""
        require(gram.m == self.m, "the Gram has other members")
        if not self.m:
            return
        self._list()
        cdef double[::1] sums = np.zeros(self.m + 1)
        cdef sr_groups view = self.borrow()
        cdef sr_members members = self.borrow_members()
        cdef sr_gram G = gram.arena.borrow()
        with nogil:
            sr_members_gram(&members, &view, &sums[0], &G)
        if not self._keeps_lists():
            self.n_listed, self.of_member = 0, np.empty(1, dtype=np.int32)
            self.begin[:] = 0

    cdef sr_members borrow_members(self):
        cdef sr_members view
        view.n_groups, view.m = self.n_listed, self.m
        view.begin, view.groups = &self.begin[0], &self.of_member[0]
        return view

    cdef bint _keeps_lists(self):
        return self.slots.shape[1] > FIRST_SLOTS

    def _append(self, const int32_t[::1] groups):
        """The lists by member get that of the next one."""
        cdef int64_t n = groups.shape[0], used = self.begin[self.m]
        if self.m + 3 > self.begin.shape[0]:
            self.begin = grown(self.begin, 2 * self.m + 3)
        cdef sr_members members
        self.begin[self.m + 1] = used
        if not self.n_listed:
            return
        if used + n > self.of_member.shape[0]:
            self.of_member = grown(self.of_member, used + used // 4 + n)
        members = self.borrow_members()
        with nogil:
            sr_members_append(&members, &groups[0], n)

    def _list(self):
        """All groups by member."""
        cdef sr_groups view
        cdef sr_members members
        cdef int64_t total = self.lengths().sum(dtype=np.int64)
        if self.n_listed < self.n_groups:
            if total > self.of_member.shape[0]:
                self.of_member = np.empty(total, dtype=np.int32)
            view, members = self.borrow(), self.borrow_members()
            with nogil:
                sr_members_list(&view, self.m, &members)
            self.n_listed, self.read_by_slots = self.n_groups, 0

    cdef sr_members read(self):
        """The lists, made anew where that costs less than what was read without since."""
        self.read_by_slots += self.n_groups - self.n_listed
        if self._keeps_lists() and self.read_by_slots > PASSES_PER_LIST * self.n_groups:
            self._list()
        return self.borrow_members()

    def predictor_step(self, const double[::1] step, double shift):
        """`X_M step + shift` of each group, and the largest of its absolute values."""
        require(step.shape[0] == self.m, "step has the wrong length")
        cdef double[::1] by_slot = np.concatenate([[0.0], step])
        cdef double[::1] out = np.empty(self.n_groups)
        cdef sr_groups view = self.borrow()
        cdef sr_members members = self.read()
        cdef double largest
        with nogil:
            largest = sr_members_step(&members, &view, &by_slot[0], shift, &out[0])
        return np.asarray(out), largest

    def products(self, const double[::1] v):
        """`X_M' v` for a vector over the groups."""
        require(v.shape[0] == self.n_groups, "v has the wrong length")
        cdef double[::1] out = np.zeros(4 * (self.m + 1))
        cdef sr_groups view = self.borrow()
        cdef sr_members members = self.read()
        with nogil:
            sr_members_sums(&members, &view, <double *>&v[0], NULL, self.m, &out[0])
        return np.asarray(out)[1 : self.m + 1]

    def column_sums(self, const int64_t[::1] cols, const double[::1] mean):
        """`sum s_i mean of its group` over the rows of each of these columns of ones."""
        require(mean.shape[0] == self.n_groups, "mean has the wrong length")
        require_within(cols, self.X.view.n_ones)
        cdef double[::1] out = np.empty(cols.shape[0])
        cdef const double *weights = doubles(self.s)
        cdef sr_groups view = self.borrow()
        cdef sr_status status
        if not cols.shape[0]:
            return np.asarray(out)
        with nogil:
            status = sr_groups_column_sums(&self.X.view, &cols[0], cols.shape[0], weights, &view, &mean[0], &out[0])
        check(status)
        return np.asarray(out)

    def residuals(self, const double[::1] mean):
        """`s_i (y_i - mean of its group)` of every row."""
        require(mean.shape[0] == self.n_groups, "mean has the wrong length")
        cdef double[::1] out = np.empty(self.y.shape[0])
        cdef const double *weights = doubles(self.s)
        cdef sr_groups view = self.borrow()
        with nogil:
            sr_groups_residuals(&view, out.shape[0], &self.y[0], weights, &mean[0], &out[0])
        return np.asarray(out)

    def residual_products(self, const double[::1] mean):
        """`X_M' rho`, with `rho = sy - s mean` of each group."""
        require(mean.shape[0] == self.n_groups, "mean has the wrong length")
        cdef double[::1] out = np.zeros(4 * (self.m + 1))
        cdef sr_groups view = self.borrow()
        cdef sr_members members = self.read()
        cdef double[::1] work = np.empty(max(self.n_listed, 1))
        with nogil:
            sr_members_sums(&members, &view, &work[0], &mean[0], self.m, &out[0])
        return np.asarray(out)[1 : self.m + 1]
