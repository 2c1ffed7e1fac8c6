# Gram matrices of several stores as one.

cdef double[::1] with_zero(x):
    """A copy with a zero at its end, for what belongs to no column of a sum."""
    out = np.zeros(x.shape[0] + 1)
    out[:-1] = x
    return out


def append_parts(list stores not None, const int64_t[::1] cols):
    """Append columns to stores that share their work space, through their rows: each column to all stores in turn."""
    cdef GramStore store, first = stores[0]
    cdef int64_t a
    require_within(cols, first.X.view.n_sparse)
    for store in stores:
        require(store.leader is first or store is first, "the stores do not share their work space")
        require(store.m == first.m, "the stores differ in their members")
        store._reserve(first.m + cols.shape[0])
    for store in stores:
        store._take_over()
    for a in range(cols.shape[0]):
        for store in stores:
            store._append_one(cols[a], True)
        PyErr_CheckSignals()


def append_sums(GramStore whole not None, list stores not None, const int64_t[::1] at, const int32_t[::1] cached):
    """Append to a store columns that stores over parts of its rows have: their products, and those with cached columns,
    are the sums of theirs, which are counts.

    `at`: the numbers that the members of `whole`, the new ones last, have among those of the parts. `cached`: the place
    of each of those among the cached columns, or -1."""
    cdef GramStore part, first = stores[0]
    cdef int64_t a, k, m, met
    require(whole.whole and first.m == cached.shape[0] and whole.m <= at.shape[0], "products are no counts, or at or"
            " cached has the wrong length")
    require_within(at, first.m)
    whole._reserve(at.shape[0])
    whole._take_over()
    cdef int64_t[::1] place = np.full(first.m, -1)
    for a in range(at.shape[0]):
        m = whole.m
        place[at[a]] = a
        if a < m:
            continue
        met = 0
        for k in range(m + 1):
            whole.products[k] = 0.0
        for part in stores:
            require(part.whole and part.n_places == whole.n_places and part.m == first.m, "a part does not fit")
            met += part.cached_begin[at[a] + 1] - part.cached_begin[at[a]]
        for part in stores:
            add_counts(whole, part, at[a], place, cached, met * SR_POSITIONS_PER_ENTRY < whole.n_places)
        for k in range(SR_UNTRACKED + whole.n_cached, SR_UNTRACKED + whole.n_places):
            whole.count[k] = 0
        whole._take(whole.products[m])
        whole._push_dense(&whole.products[0])
        whole.cols[m] = first.cols[at[a]]


cdef int add_counts(GramStore whole, GramStore part, int64_t m, const int64_t[::1] place, const int32_t[::1] cached,
                    bint few) except -1:
    """Add the products of member m of a part: those with cached columns to `count`, and marks of them if they are few.

    Those with a cached column that joined the part before m are in its Gram matrix, those with others in its cache."""
    cdef sr_gram_work work = whole.borrow_work()
    cdef sr_gram gram = part.arena.borrow()
    cdef int64_t k, e, n = whole.n_cached
    if n and few:
        work.marks[0] |= 1
    for e in range(gram.begin[m], gram.begin[m] + gram.len[m]):
        k = sr_gram_index(&gram, e)
        if place[k] >= 0:
            whole.products[place[k]] += sr_gram_entry(&gram, e)
        elif k < m and 0 <= cached[k] < n:
            whole.count[SR_UNTRACKED + cached[k]] += <uint32_t>sr_gram_entry(&gram, e)
            if few:
                sr_mark(&work, SR_UNTRACKED + cached[k])
    for e in range(part.cached_begin[m], part.cached_begin[m + 1] if n else part.cached_begin[m]):
        whole.count[SR_UNTRACKED + part.cached.place[e]] += part.cached.count[e]
        if few:
            sr_mark(&work, SR_UNTRACKED + part.cached.place[e])
    return 0


def share_work_space(list stores not None):
    """Have all stores use that of the first one: they are over other rows, and get the same columns, one by one, the
    first store before the others. Where one drops cached columns the others must too, see `n_cached`. Before the first
    member; needs `n_sparse == n_cols`."""
    cdef GramStore first = stores[0], store
    for store in stores[1:]:
        alike = store.X.view.n_cols == store.X.view.n_sparse == first.X.view.n_sparse == first.X.view.n_cols
        require(alike and store.counting == first.counting and store.Xt is first.Xt, "the stores differ")
        require(store.m == first.m == store.n_places == first.n_places == 0, "there are members or cached columns")
        store.leader = first
        store._take_over()


def gradient_by_rows(list stores not None, const int64_t[::1] wanted, const double[::1] y, const double[::1] w):
    """The sum of `GramStore.gradient_by_rows` over stores that share their work space, in their order."""
    cdef GramStore store, first = stores[0]
    cdef double[::1] by_position = np.zeros(SR_UNTRACKED + first.n_places + first.m)
    cdef double[::1] part = np.empty(wanted.shape[0]), out = np.empty(wanted.shape[0])
    cdef int64_t a
    require(w.shape[0] == first.m, "w has the wrong length")
    by_position[SR_UNTRACKED + first.n_places :] = w
    for store in stores:
        require(store is first or store.leader is first or store.leader is first.leader is not None,
                "the stores do not share their work space")
        require(store.m == first.m and store.n_places == first.n_places, "the stores differ in their members")
        put_gradient_by_rows(store, store.X, wanted, y, by_position, out if store is first else part)
        for a in range(0 if store is first else out.shape[0]):
            out[a] += part[a]
        if store.more is not None:
            put_gradient_by_rows(store, store.more, wanted, y, by_position, part)
            for a in range(out.shape[0]):
                out[a] += part[a]
    return np.asarray(out)


cdef int put_gradient_by_rows(GramStore store, Matrix X, const int64_t[::1] wanted, const double[::1] y,
                              const double[::1] by_position, double[::1] out) except -1:
    """Those of one store, in `out`, on the rows of X, which are its own or more."""
    require(store.Xt is not None and y.shape[0] == X.view.n_rows, "no rows, or y has the wrong length")
    require_within(wanted, X.view.n_cols)
    cdef const double *weights = doubles(store.s)
    cdef sr_gram_work work = store.borrow_work()
    cdef sr_status status
    with nogil:
        status = sr_gradient_by_rows(&X.view, &store.Xt.view, weights, &y[0], &by_position[0], &work, &wanted[0],
                                     wanted.shape[0], &out[0])
    check(status)
    return 0


cdef class GramSum:
    """`sum_t signs[t] G_t` over stores that have the same members, as a growing choice of these members sees it.

    No entry is copied. Each call sees the members that the stores have at its beginning, so that another thread may add
    to them in the meantime.

    No answer depends on members that are no columns of it, in no digit.

    Parameters
    ----------
    stores : list of GramStore
    signs : float64 array
        1 or -1 for each.
    lock : RLock
        Held by whoever adds members to the stores.

    Attributes
    ----------
    m, entries : int
        Its columns, and the entries among these in all stores.
    """

    cdef list stores, held
    cdef const double[::1] signs
    cdef object lock
    cdef readonly int64_t m, entries
    cdef int64_t seen
    cdef int64_t[::1] at
    cdef int32_t[::1] place
    cdef sr_gram *terms

    def __init__(self, list stores not None, const double[::1] signs not None, lock):
        require(len(stores) == signs.shape[0] > 0, "there is not one sign for each store")
        self.stores, self.signs, self.lock, self.seen = stores, signs, lock, -1
        self.m = self.entries = 0
        self.at, self.place = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
        cdef GramStore store
        for store in stores:
            store.arena.shared = True
        self.terms = <sr_gram *>reallocated(NULL, len(stores) * sizeof(sr_gram))

    def __dealloc__(self):
        PyMem_RawFree(self.terms)

    def extend(self, const int64_t[::1] members):
        """Append columns by their numbers among the members."""
        cdef int64_t first = self.m
        self.at, self.m, self.seen = np.concatenate([self.at, members]), self.m + members.shape[0], -1
        if members.shape[0]:
            self.entries += sr_gram_count_own(self.borrow(), first, self.m)

    cdef sr_gram *borrow(self) except NULL:
        """The sum over the members that all stores have."""
        cdef GramStore store
        cdef int64_t t, n
        with self.lock:
            store = self.stores[0]
            n = store.m
            if self.seen != n:
                require_within(self.at, n)
                place = np.full(n, self.m, dtype=np.int32)
                place[np.asarray(self.at)] = np.arange(self.m, dtype=np.int32)
                self.place, self.held, self.seen = place, [], n
                for t in range(len(self.stores)):
                    store = self.stores[t]
                    require(store.m == n, "the stores differ in their members")
                    self._hold(t, store, n)
        return self.terms

    cdef int _hold(self, int64_t t, GramStore store, int64_t n) except -1:
        """A view of a store that stays as it is: its columns only ever grow at their ends, or move."""
        cdef sr_gram *term = &self.terms[t]
        cdef int64_t[::1] begin = store.arena.begin[:n].copy(), lengths = store.arena.lengths[:n].copy()
        term[0] = store.arena.borrow()
        self.held.append((begin, lengths, *store.arena.arrays))
        term.begin, term.len, term.cap = &begin[0], &lengths[0], NULL
        term.at, term.place, term.sign = &self.at[0], &self.place[0], self.signs[t]
        term.next = &self.terms[t + 1] if t + 1 < len(self.stores) else NULL
        return 0

    def subtract(self, const double[::1] x, double[::1] out):
        """`out -= G x`, in place."""
        require(x.shape[0] == self.m == out.shape[0], "x or out has the wrong length")
        if not self.m:
            return
        cdef const sr_gram *terms = self.borrow()
        cdef double[::1] padded = with_zero(out)
        with nogil:
            sr_gram_subtract(terms, self.m, &x[0], &padded[0])
        out[:] = padded[: self.m]

    def cached_gradients(self, const int64_t[::1] cols, const int64_t[::1] places, const int64_t[::1] numbers,
                         const double[:, ::1] known, double shift, const double[::1] w):
        """The gradients of those of `cols` that are cached at the first places, 0 for others, and 1 for each that is.

        By column: `places` among the cached ones, `numbers` among the members, or -1. By place: `known` has the
        gradients at w = 0 and `x_j' s`."""
        cdef int64_t a, b, k, n = 0, n_members = 0, m = cols.shape[0]
        require(w.shape[0] == self.m and known.shape[0] == 2 and places.shape[0] == numbers.shape[0],
                "w, known or numbers has the wrong length")
        require_within(cols, places.shape[0])
        flags, found = np.zeros(m, dtype=np.uint8), np.zeros(m)
        cdef uint8_t[::1] flag = flags
        cdef double[::1] c = found, of_members = np.empty(m)
        cdef int64_t[::1] place = np.empty(m, dtype=np.int64), member = np.empty(m, dtype=np.int64)
        cdef int64_t[::1] asked = np.empty(m, dtype=np.int64)
        for a in range(m):
            k = places[cols[a]]
            place[a] = k
            if 0 <= k < known.shape[1]:
                flag[a], n = 1, max(n, k + 1)
                if numbers[cols[a]] >= 0:
                    asked[n_members], member[n_members] = a, numbers[cols[a]]
                    n_members += 1
        cdef double[::1] out = np.empty(n)
        for k in range(n):
            out[k] = known[0, k] - shift * known[1, k]
        for b in range(n_members):
            of_members[b] = out[place[asked[b]]]
        self._subtract_cached(w, out)
        self.subtract_members(member[:n_members], w, of_members[:n_members])
        for a in range(m):
            if flag[a]:
                c[a] = out[place[a]]
        for b in range(n_members):  # products since a column became a member are in its Gram column
            c[asked[b]] = of_members[b]
        return found, flags

    cdef int _subtract_cached(self, const double[::1] w, double[::1] out) except -1:
        """`out -= X_k' S X w` for the first cached columns k, as many as `out` is long."""
        cdef double[::1] step = np.empty(self.m)
        cdef GramStore store
        cdef int64_t t, k
        if not self.m or not out.shape[0]:
            return 0
        with self.lock:
            for t in range(len(self.stores)):
                store = self.stores[t]
                require(out.shape[0] <= store.n_cached, "fewer columns are cached")
                require_within(self.at, store.m)
                for k in range(self.m):
                    step[k] = self.signs[t] * w[k]
                sr_products_subtract(&store.cached, &self.at[0], self.m, &step[0], out.shape[0], &out[0])
        return 0

    def most_products(self, const int32_t[::1] place_of, int64_t n):
        """In the store that has most: the products of its columns with those of place below n; `place_of` gives the
        places of the members, or -1."""
        cdef GramStore store
        cdef sr_gram gram
        cdef int64_t a, k, most = 0, found
        with self.lock:
            for store in self.stores:
                require(n <= store.n_cached and place_of.shape[0] == store.m, "n or place_of does not fit")
                if not self.m:
                    continue
                gram, found = store.arena.borrow(), 0
                for k in range(self.m):
                    found += sr_products_count(&store.cached, &gram, self.at[k], &place_of[0], n)
                most = max(most, found)
        return most

    def subtract_members(self, const int64_t[::1] members, const double[::1] x, double[::1] out):
        """The same for any members, by their numbers, whether or not they are columns of the sum."""
        require(x.shape[0] == self.m and out.shape[0] == members.shape[0], "x or out has the wrong length")
        if not self.m or not members.shape[0]:
            return
        cdef const sr_gram *terms = self.borrow()
        require_within(members, self.seen)
        cdef double[::1] steps = with_zero(x), row = np.zeros(self.m + 1)
        cdef uint64_t[::1] marks = np.zeros(self.m // 64 + 1, dtype=np.uint64)
        with nogil:
            sr_gram_subtract_members(terms, &members[0], members.shape[0], self.m, &steps[0], &row[0], &marks[0],
                                     &out[0])

    def subtract_last(self, int64_t first, const double[::1] x, double[::1] out):
        """As `subtract`, for the columns from `first` on only."""
        require(x.shape[0] == self.m == out.shape[0] and 0 <= first <= self.m, "x or out has the wrong length")
        self.subtract_members(self.at[first:], x, out[first:])

    def cd(self, Coordinates co not None, const int64_t[::1] order, double[::1] q, int64_t max_epochs, double tol):
        """Epochs of coordinate descent, `q = X_M' r` in place; returns (epochs, largest decrease of the last)."""
        require(co.m == self.m == q.shape[0], "co or q has the wrong length")
        require_within(order, self.m)
        if not self.m:
            return min(max_epochs, 1), 0.0
        cdef const sr_gram *terms = self.borrow()
        cdef sr_coordinates view = co.borrow()
        cdef double[::1] padded = with_zero(q)
        cdef int64_t epochs = 0
        cdef double decrease = 0.0
        with nogil:
            sr_cd_gram(terms, &view, &order[0], order.shape[0], max_epochs, tol, &padded[0], &epochs, &decrease)
        q[:] = padded[: self.m]
        return epochs, decrease

    def project(self, Coordinates co not None, double[::1] q, int64_t max_sweeps, double enough, double margin):
        """Sweeps of projections of the dual point at `co.w`, `q = X_M' r` in place; returns how many."""
        require(co.m == self.m == q.shape[0], "co or q has the wrong length")
        if not self.m:
            return 0
        cdef const sr_gram *terms = self.borrow()
        cdef sr_coordinates view = co.borrow()
        cdef double[::1] padded = with_zero(q)
        cdef int64_t sweeps = 0
        with nogil:
            sr_project_gram(terms, &view, max_sweeps, enough, margin, &padded[0], &sweeps)
        q[:] = padded[: self.m]
        return sweeps

    def hessian(self, Coordinates co not None):
        """As `GramStore.hessian`."""
        require(co.m == self.m, "co has the wrong length")
        return hessian_of(self.borrow(), co)


def cached_gradients(GramStore store, const int64_t[::1] cols, const double[::1] c0, const double[::1] sums,
                     double shift, const double[::1] w, const int64_t[::1] places=None):
    """`c0_k - shift sums_k - X_k' diag(s) X_M w` for those of `cols` that are cached columns k, else 0; and 1 for each
    that is.

    `c0` and `sums` are those of the cached columns, whose longest come first, and most of those that matter. `places`:
    of every column the place among the cached ones, or -1, where the store takes them from a leader."""
    require_within(cols, store.X.view.n_cols)
    require(places is None or places.shape[0] == store.X.view.n_cols, "places has the wrong length")
    cdef int64_t a, k, n = 0, m = cols.shape[0]
    known = np.empty(m, dtype=np.uint8)
    cdef double[::1] out = np.zeros(m)
    cdef int64_t[::1] at = np.empty(m, dtype=np.int64)
    cdef uint8_t[::1] flags = known
    for a in range(m):
        at[a] = store.place_of(cols[a]) if places is None else places[cols[a]]
        flags[a] = 0 <= at[a] < store.n_cached
        n = max(n, at[a] + 1) if flags[a] else n
    require(n <= c0.shape[0] and n <= sums.shape[0], "there are more cached columns than gradients")
    cdef double[::1] found = np.empty(n)
    for k in range(n):
        found[k] = c0[k] - sums[k] * shift
    if n:
        store.subtract_cached(w, found)
    for a in range(m):
        if flags[a]:
            out[a] = found[at[a]]
    return np.asarray(out), known
