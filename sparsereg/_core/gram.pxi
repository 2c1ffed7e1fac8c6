# The growing Gram matrix.
# Up to so many dense columns have their products apart from counts: each costs about a pass over the rows.
FEW_DENSE = 16
# Products of cached columns are many where there are so many for each cached column and member.
MANY_EACH = 16

cdef class GramStore:
    """A growing symmetric sparse Gram matrix `X_M' diag(s) X_M` of chosen columns (`sr_gram`), in one arena.

    Parameters
    ----------
    X : Matrix
    Xt : Matrix or None
        The rows of X as columns; None if products are to be computed from the columns alone.
    labels : int32 array or None
        The number of each column of X in Xt; None: the same.
    s : float64 array or None
        Row weights.
    more : Matrix or None
        The entries of the same columns in further rows; needs Xt, and no dense columns.
    leader : GramStore or None
        A store over some of the rows, whose work space and choice of cached columns this one takes: for `append_sums`.
    """

    cdef Matrix X, Xt, more
    cdef const double[::1] s
    cdef const int32_t[::1] labels
    cdef const int64_t[::1] cached_cols
    cdef int64_t[::1] cols
    cdef int32_t[::1] dense_position, nonzero
    cdef double[::1] sum, row, products
    cdef uint32_t[::1] count
    cdef uint64_t[::1] marks
    cdef GramArena arena
    cdef readonly int64_t m, entries
    cdef GramStore leader
    # By label: the position of a column (see `sr_gram_work`), in 16 bits while they suffice.
    cdef object position
    cdef void *position_data
    cdef bint wide
    # Products of cached columns with the members: counts where sparse columns are of ones without weights, otherwise
    # values, in a buffer that is reallocated rather than copied.
    cdef readonly bint counting, whole
    cdef double[:, ::1] with_dense
    cdef int64_t[::1] cached_begin
    cdef sr_products cached
    cdef int64_t max_products
    # Coefficients, and less their products with the first cached columns.
    cdef double[::1] w_then, cached_then
    cdef readonly int64_t n_places, n_cached

    def __init__(self, Matrix X not None, Matrix Xt, const int32_t[::1] labels=None, const double[::1] s=None,
                 Matrix more=None, *, GramStore leader=None):
        if Xt is not None:
            require(Xt.view.n_cols == X.view.n_rows and Xt.view.index == X.view.index, "Xt does not match X")
            require(Xt.view.real == X.view.real or Xt.view.n_ones == Xt.view.n_cols, "Xt and X differ in type")
        require(labels is None or labels.shape[0] == X.view.n_cols, "labels do not match X")
        require(s is None or s.shape[0] == X.view.n_rows, "s has the wrong length")
        if more is not None:
            require(Xt is not None and X.view.n_sparse == X.view.n_cols == more.view.n_cols == more.view.n_sparse
                    and X.view.n_ones == more.view.n_ones and X.view.n_rows == more.view.n_rows
                    and X.view.real == more.view.real and X.view.index == more.view.index, "more does not match X")
        self.X, self.Xt, self.labels, self.s, self.more = X, Xt, labels, s, more
        only_ones = (s is None and X.view.n_ones == X.view.n_sparse
                     and Xt is not None and Xt.view.n_ones == Xt.view.n_cols)
        n_dense = X.view.n_cols - X.view.n_sparse
        self.counting = only_ones and n_dense <= FEW_DENSE and X.view.n_rows < 1 << 32  # the largest count
        self.with_dense = np.empty((0, 0))
        self.whole = self.counting and n_dense == 0 and X.view.n_rows < 1 << 31
        self.m = self.entries = self.n_places = self.n_cached = 0
        self.arena = GramArena(self.whole)
        if Xt is not None and leader is None:
            self._set_position(untracked(np.arange(Xt.view.n_rows, dtype=np.int32)).astype(np.uint16))
        self.dense_position = np.full(max(n_dense, 1), -1, dtype=np.int32)
        self.row = self.sum = self.products = self.w_then = self.cached_then = np.empty(0)
        self.nonzero, self.marks = np.empty(0, dtype=np.int32), np.zeros(1, dtype=np.uint64)
        self.cols = np.empty(0, dtype=np.int64)
        self.cached_begin, self.count = np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.uint32)
        if leader is not None:
            require(X.view.n_cols == leader.X.view.n_cols and self.whole and leader.whole, "the leader is no part")
            self.leader, self.n_places, self.n_cached = leader, leader.n_places, leader.n_cached
            self.cached_cols, self.max_products = leader.cached_cols, leader.max_products

    def __dealloc__(self):
        PyMem_RawFree(self.cached.place)
        PyMem_RawFree(self.cached.count)
        PyMem_RawFree(self.cached.value)

    cdef int _take_over(self) except -1:  # see `share_work_space`
        if self.leader is not None:
            self._set_position(self.leader.position)
            self.count, self.sum, self.marks = self.leader.count, self.leader.sum, self.leader.marks

    def _reserve(self, int64_t m):
        if m <= self.arena.begin.shape[0]:
            return
        capacity = max(64, m + m // 2)
        self.cols = grown(self.cols, capacity)
        self.cached_begin, self.products = grown(self.cached_begin, capacity + 1), np.empty(capacity)
        self.nonzero = np.empty(capacity, dtype=np.int32)
        self.marks = np.zeros((SR_UNTRACKED + self.n_places + capacity) // SR_WORD + 1, dtype=np.uint64)
        self.cached.begin = &self.cached_begin[0]
        if self.leader is not None:
            self._take_over()
        elif self.counting:
            self.count = np.zeros(SR_UNTRACKED + self.n_places + capacity, dtype=np.uint32)
        else:
            self.sum = np.zeros(SR_UNTRACKED + self.n_places + capacity)
        if (self.position is not None and self.leader is None
                and SR_UNTRACKED + self.n_places + capacity > MAX_UINT16_CODES):
            self._set_position(self.position.astype(np.int32, copy=False))
        self.arena.reserve(capacity)  # last: it is as long as the shortest of them

    cdef int _set_position(self, position) except -1:
        self.position, self.position_data, self.wide = position, <void *>address(position), position.itemsize > 2

    @property
    def n_products(self):
        """How many products cached columns have with the members."""
        return self.cached_begin[self.m]

    @property
    def nbytes(self):
        return self.arena.nbytes

    @property
    def buffer_bytes(self):
        return self.cached.size * (sizeof(uint16_t) + (sizeof(uint16_t) if self.counting else sizeof(double)))

    @property
    def arrays_held(self):
        return as_arrays(self.cols, self.cached_begin, self.count, self.sum, self.marks, self.w_then, self.cached_then,
                         self.with_dense, self.dense_position, self.products, self.nonzero, self.row)

    cdef int _reserve_products(self, int64_t capacity) except -1:
        """Enlarge the buffer to so many products."""
        self.cached.place = <uint16_t *>reallocated(self.cached.place, capacity * sizeof(uint16_t))
        if self.counting:
            self.cached.count = <uint16_t *>reallocated(self.cached.count, capacity * sizeof(uint16_t))
        else:
            self.cached.value = <double *>reallocated(self.cached.value, capacity * sizeof(double))
        self.cached.size = capacity

    cdef sr_gram_work borrow_work(self):
        cdef sr_gram_work work
        work.position, work.wide = self.position_data, self.wide
        work.dense_position = &self.dense_position[0]
        work.labels = NULL if self.labels is None else &self.labels[0]
        work.n_places, work.n_cached, work.products = self.n_places, self.n_cached, &self.cached
        work.cached = &self.cached_cols[0] if self.n_cached else NULL
        work.count = &self.count[0] if self.counting else NULL
        work.sum = NULL if self.counting else &self.sum[0]
        work.row, work.with_dense, work.marks = &self.row[0], &self.with_dense[0, 0], &self.marks[0]
        return work

    cdef int _append_one(self, int64_t j, bint by_rows) except -1:
        cdef const sr_matrix *rows = &self.Xt.view if by_rows else NULL
        cdef const sr_matrix *more = &self.more.view if self.more is not None else NULL
        cdef const double *weights = doubles(self.s)
        cdef sr_gram_work work = self.borrow_work()
        cdef int64_t n = 0
        cdef sr_status status
        with nogil:
            status = sr_gram_column(&self.X.view, more, rows, weights, &self.cols[0], self.m, j, &work,
                                    &self.nonzero[0], &self.products[0], &n)
        check(status)
        self._take(self.products[n - 1])
        self._push(n)
        self.cols[self.m - 1] = j

    cdef int _take(self, double own) except -1:
        """Move the products of the next member with the cached columns from `count` or `sum` to the cache."""
        cdef sr_gram_work work = self.borrow_work()
        while sr_products_take(&self.cached, self.m, self.n_cached, &work, own) == SR_NEED_SPACE:
            if self.cached.size < self.max_products:
                self._reserve_products(min(self.cached.size * 9 // 8 + self.n_cached, self.max_products))
            else:
                self.shrink_cache(self.n_cached * 3 // 4)

    cdef int _push_dense(self, const double *products) except -1:
        self._push(sr_find_nonzero(products, self.m, &self.nonzero[0], &self.products[0]))

    cdef int _push(self, int64_t n) except -1:
        self.entries += self.arena.push(self.m, &self.nonzero[0], &self.products[0], n)
        self.m += 1

    def cache(self, const int64_t[::1] cols, int64_t max_bytes):
        """Cache the products of these columns of X with every member to come. Before the first member; needs Xt.

        Whenever they would take more than `max_bytes`, the last quarter of the columns leaves the cache."""
        require(self.Xt is not None and self.m == 0, "there is no Xt, or there are members already")
        require(self.n_places == 0, "columns are cached already")
        require(cols.shape[0] <= MAX_UINT16_CODES, "more columns than can be cached")
        require_within(cols, self.X.view.n_cols)
        self.n_places = self.n_cached = cols.shape[0]
        self.cached_cols = cols
        self._reserve(1)
        if self.leader is None:
            self._place(np.asarray(cols), np.arange(SR_UNTRACKED, SR_UNTRACKED + cols.shape[0], dtype=np.int32))
        self.max_products = max_bytes // (sizeof(uint16_t) + (sizeof(uint16_t) if self.counting else sizeof(double)))

    def _of_labels(self, cols):
        """The sparse ones of `cols` as a mask, their labels, and the numbers of the others among the dense columns."""
        sparse = cols < self.X.view.n_sparse
        labels = cols[sparse] if self.labels is None else np.asarray(self.labels)[cols[sparse]]
        return sparse, labels, cols[~sparse] - self.X.view.n_sparse

    def _place(self, cols, positions):
        sparse, labels, dense = self._of_labels(cols)
        self.position[labels], np.asarray(self.dense_position)[dense] = positions[sparse], positions[~sparse]

    def shrink_cache(self, int64_t n):
        """Keep only the first n of the cached columns."""
        require(0 <= n <= self.n_cached, "fewer columns are cached")
        dropped = np.asarray(self.cached_cols)[n : self.n_cached]
        dropped = dropped[self.cache_index(dropped) >= 0]
        sparse, labels, dense = self._of_labels(dropped)
        self.position[labels], np.asarray(self.dense_position)[dense] = untracked(labels), -1
        for counts_or_sums in (np.asarray(self.count), np.asarray(self.sum)):  # one is empty, the other may be filled
            counts_or_sums[SR_UNTRACKED + n : SR_UNTRACKED + self.n_cached] = 0
        sr_products_keep(&self.cached, self.m, n)
        self.n_cached = n

    cdef int64_t place_of(self, int64_t col) noexcept:
        """The place of a column among the cached ones; -1 if it is not cached."""
        cdef int64_t label, at
        if col >= self.X.view.n_sparse:
            at = self.dense_position[col - self.X.view.n_sparse]
        else:
            label = col if self.labels is None else self.labels[col]
            at = (<int32_t *>self.position_data)[label] if self.wide else (<uint16_t *>self.position_data)[label]
        at -= SR_UNTRACKED
        return at if 0 <= at < self.n_cached else -1

    def cache_index(self, const int64_t[::1] cols):
        """`place_of` each of these columns."""
        require_within(cols, self.X.view.n_cols)
        cdef int64_t[::1] out = np.empty(cols.shape[0], dtype=np.int64)
        cdef int64_t a
        for a in range(cols.shape[0]):
            out[a] = self.place_of(cols[a])
        return np.asarray(out)

    def subtract_cached(self, const double[::1] w, double[::1] out):
        """`out -= X_k' diag(s) X_M w` for the first cached columns k, as many as `out` is long; in place.

        Of many products, where most of `w` is as it was, from what was subtracted then."""
        require(w.shape[0] == self.m and out.shape[0] <= self.n_cached, "w or out has the wrong length")
        cdef int64_t k, n = out.shape[0]
        if self.cached_begin[self.m] < MANY_EACH * (n + self.m):
            self._subtract_cached(w, out)
            return
        cdef double[::1] change = self._change(w) if n <= self.cached_then.shape[0] else None
        if change is None:
            self.w_then, self.cached_then = np.array(w), np.zeros(n)
            self._subtract_cached(w, self.cached_then)
        for k in range(n):
            out[k] += self.cached_then[k]
        if change is not None:
            self._subtract_cached(change, out)

    cdef double[::1] _change(self, const double[::1] w):
        """`w` less what it was; None where more than every second coefficient is another."""
        cdef double[::1] change = np.array(w)
        cdef int64_t a, moved = 0, active = 0
        for a in range(self.m):
            active += w[a] != 0.0
            if a < self.w_then.shape[0]:
                change[a] -= self.w_then[a]
            moved += change[a] != 0.0
        return change if 2 * moved <= active else None

    cdef int _subtract_cached(self, const double[::1] w, double[::1] out) except -1:
        cdef int64_t d, k, a
        cdef double step
        with nogil:
            sr_products_subtract(&self.cached, NULL, self.m, &w[0], out.shape[0], &out[0])
            for d in range(self.with_dense.shape[0]):
                a = self.dense_position[d] - SR_UNTRACKED - self.n_places
                step = w[a] if a >= 0 else 0.0
                for k in range(out.shape[0] if step != 0.0 else 0):
                    out[k] -= step * self.with_dense[d, k]

    def block(self, const int64_t[::1] rows, const int64_t[::1] columns):
        """The Gram of these members with those, dense: float64 of shape (rows.size, columns.size)."""
        cdef int64_t e, r, p
        require_within(rows, self.m)
        require_within(columns, self.m)
        cdef sr_gram gram = self.arena.borrow()
        cdef int64_t[::1] place = np.full(self.m, -1, dtype=np.int64)
        cdef double[:, ::1] out = np.zeros((rows.shape[0], columns.shape[0]))
        for p in range(columns.shape[0]):
            place[columns[p]] = p
        for r in range(rows.shape[0]):
            for e in range(gram.begin[rows[r]], gram.begin[rows[r]] + gram.len[rows[r]]):
                p = place[sr_gram_index(&gram, e)]
                if p >= 0:
                    out[r, p] += sr_gram_entry(&gram, e)
        return np.asarray(out)

    def append(self, const int64_t[::1] cols, bint by_rows):
        """Append the columns `cols` of X, in order, none of which is a member.

        Products come through the rows of the new columns if `by_rows`, which needs Xt; otherwise, and for a dense
        column, by one dot product each."""
        cdef int64_t a
        require_within(cols, self.X.view.n_cols)
        require(self.Xt is not None if by_rows else self.more is None, "there is no Xt, or there are more rows")
        dense = np.asarray(cols)[np.asarray(cols) >= self.X.view.n_sparse]
        if self.row.shape[0] == 0 and (not by_rows or (dense.size and not self.counting)):
            self.row = np.zeros(self.X.view.n_rows)
        if self.counting and dense.size:
            self._fill_with_dense(dense)
        require(self.leader is None or self.leader.m == self.m + cols.shape[0] == self.m + 1, "not the leader's last")
        self._reserve(self.m + cols.shape[0])
        self._take_over()
        for a in range(cols.shape[0]):
            self._append_one(cols[a], by_rows and cols[a] < self.X.view.n_sparse)
            PyErr_CheckSignals()

    def _fill_with_dense(self, const int64_t[::1] cols):
        """Products of the cached columns with these dense ones, the next members."""
        if self.with_dense.shape[0] == 0:
            self.with_dense = np.zeros((self.X.view.n_cols - self.X.view.n_sparse, max(self.n_places, 1)))
        cdef int64_t n_lanes = self.X.view.n_rows // 4 + 1  # a quarter of the rows at a time: a quarter of the memory
        cdef double[::1] lanes = np.empty(min(<int64_t>SR_ABREAST, cols.shape[0]) * n_lanes)
        cdef int64_t[::1] following = np.empty(max(self.n_cached, 1), dtype=np.int64)
        cdef sr_gram_work work = self.borrow_work()
        cdef sr_status status
        with nogil:
            status = sr_with_dense(&self.X.view, &cols[0], cols.shape[0], &lanes[0], n_lanes, &following[0], &work)
        check(status)

    def append_products(self, const double[:, ::1] products):
        """Append columns by their products: row a has those with the members, with rows before it, and with itself."""
        cdef int64_t a, n = products.shape[0]
        require(products.shape[1] == self.m + n, "products has the wrong shape")
        self._reserve(self.m + n)
        for a in range(n):
            self._push_dense(&products[a, 0])

    def gradient_by_rows(self, const int64_t[::1] wanted, const double[::1] y, const double[::1] w):
        """`x_j' diag(s) (y - X_M w)` for the columns `wanted`, reading only their own rows. Needs Xt."""
        return gradient_by_rows([self], wanted, y, w)

    def subtract(self, const double[::1] x, double[::1] out):
        """`out -= G x`, in place."""
        require(x.shape[0] == self.m and out.shape[0] == self.m, "x or out has the wrong length")
        cdef sr_gram gram = self.arena.borrow()
        with nogil:
            sr_gram_subtract(&gram, self.m, &x[0], &out[0])

    def subtract_last(self, int64_t first, const double[::1] x, double[::1] out):
        """The same for the columns from `first` on only."""
        require(x.shape[0] == self.m and out.shape[0] == self.m and 0 <= first <= self.m,
                "x or out has the wrong length")
        cdef sr_gram gram = self.arena.borrow()
        with nogil:
            sr_gram_subtract_last(&gram, first, self.m, &x[0], &out[0])

    def cd(self, Coordinates co not None, const int64_t[::1] order, double[::1] q, int64_t max_epochs, double tol):
        """Epochs of coordinate descent, `q = X_M' r` in place; returns (epochs, largest decrease of the last)."""
        require(co.m == self.m and q.shape[0] == self.m, "co or q has the wrong length")
        require_within(order, self.m)
        cdef sr_gram gram = self.arena.borrow()
        cdef sr_coordinates view = co.borrow()
        cdef int64_t epochs = 0
        cdef double decrease = 0.0
        with nogil:
            sr_cd_gram(&gram, &view, &order[0], order.shape[0], max_epochs, tol, &q[0], &epochs, &decrease)
        return epochs, decrease

    def project(self, Coordinates co not None, double[::1] q, int64_t max_sweeps, double enough, double margin):
        """Sweeps of projections of the dual point at `co.w`, `q = X_M' r` in place; returns how many."""
        require(co.m == self.m and q.shape[0] == self.m, "co or q has the wrong length")
        cdef sr_gram gram = self.arena.borrow()
        cdef sr_coordinates view = co.borrow()
        cdef int64_t sweeps = 0
        with nogil:
            sr_project_gram(&gram, &view, max_sweeps, enough, margin, &q[0], &sweeps)
        return sweeps

    def hessian(self, Coordinates co not None):
        """The members A with w != 0, and `H_AA = G_AA + diag(l2)`, centred: the upper triangle of a (k, k) array."""
        require(co.m == self.m, "co has the wrong length")
        cdef sr_gram gram = self.arena.borrow()
        return hessian_of(&gram, co)

    def diagonal(self):
        """`x_a' diag(s) x_a` of each member."""
        cdef double[::1] out = np.zeros(self.m)
        cdef sr_gram gram = self.arena.borrow()
        sr_gram_diagonal(&gram, self.m, &out[0])
        return np.asarray(out)

    def toarray(self):
        """The dense Gram, float64 of shape (m, m)."""
        return self.block(np.arange(self.m), np.arange(self.m))
