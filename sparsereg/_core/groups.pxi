# Rows in groups, and losses of the form a(z) - y z.

MEANS = {sr_mean_name(<sr_mean>k).decode(): k for k in range(SR_N_MEANS)}


cdef class RowGroups:
    """Rows grouped by which members they have (`sr_groups`); members are columns of ones that join one by one.

    Parameters
    ----------
    X : Matrix
    y : float64 array of shape (n,)
    s : float64 array of shape (n,) or None
    first : int32 array of shape (n,)
        The group of each row to begin with, 0 to k - 1, each with a row.
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

    def __init__(self, Matrix X not None, const double[::1] y, const double[::1] s, first, eta, int64_t longest):
        require(y.shape[0] == first.shape[0] == X.view.n_rows, "y or first has the wrong length")
        require(s is None or s.shape[0] == y.shape[0], "s has the wrong length")
        self.X, self.y, self.s = X, y, s
        self.n_groups, self.m = eta.shape[0], 0
        self.of_row = np.array(first, dtype=np.int32)
        require(0 <= np.min(self.of_row) and np.max(self.of_row) < self.n_groups, "no such group")
        self.slots = np.zeros((self.n_groups, max(4 * ((longest + 3) // 4), 4)), dtype=np.uint16)
        self.length = np.zeros(self.n_groups, dtype=np.uint16)
        if self.n_groups == 1:
            self.size = np.array([self.of_row.shape[0]], dtype=np.int32)
        else:
            self.size = np.bincount(self.of_row, minlength=self.n_groups).astype(np.int32)
        self.size_in, self.target = np.zeros(self.n_groups, dtype=np.int32), np.zeros(self.n_groups, dtype=np.int32)
        self.numbers = np.zeros((6, self.n_groups))
        np.asarray(self.numbers)[3] = eta
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
        """Room for k groups, of which there are never more than rows; one array after the other, as each is copied."""
        room, n = self.size.shape[0], self.n_groups
        if k <= room:
            return
        room = min(max(k, room + room // 4), self.of_row.shape[0])
        self.size, self.length, self.target = grown(self.size, room), grown(self.length, room), grown(self.target, room)
        size_in = np.zeros(room, dtype=np.int32)
        size_in[:n] = np.asarray(self.size_in)[:n]  # of groups that were met
        self.size_in = size_in
        more = np.empty((room, self.slots.shape[1]), dtype=np.uint16)
        more[:n] = np.asarray(self.slots)[:n]
        self.slots = more
        more = np.empty((6, room))
        more[:, :n] = np.asarray(self.numbers)[:, :n]
        self.numbers = more

    cdef sr_groups borrow(self):
        cdef sr_groups view
        view.n_groups, view.stride = self.n_groups, self.slots.shape[1]
        view.of_row, view.size = &self.of_row[0], &self.size[0]
        view.slots, view.length = &self.slots[0, 0], &self.length[0]
        view.s, view.sy, view.syy = &self.numbers[0, 0], &self.numbers[1, 0], &self.numbers[2, 0]
        view.eta, view.curvature, view.reference = &self.numbers[3, 0], &self.numbers[4, 0], &self.numbers[5, 0]
        return view

    def of_rows(self):
        """The group of each row."""
        return np.asarray(self.of_row)

    def values(self):
        """Views: `s`, `sy`, `syy`, `eta`, `curvature` and `reference` of each group, valid until a member joins."""
        return tuple(np.asarray(self.numbers)[k, : self.n_groups] for k in range(6))

    def join(self, const int64_t[::1] cols, GramStore gram not None):
        """Columns of ones become members, each appended to the Gram matrix of weights `s curvature`."""
        require_within(cols, self.X.view.n_ones)
        require(gram.m == self.m and self.m + cols.shape[0] < MAX_UINT16_CODES, "the Gram has other members")
        lengths = self.X.lengths(cols)
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
                status = sr_groups_split(&self.X.view, cols[a], self.m, &self.y[0], weights, &view, &self.size_in[0],
                                         &self.target[0], &groups[0], n)
                sr_groups_products(&view, &groups[0], n, &sums[0])
            check(status)
            self.n_groups = view.n_groups
            self.m += 1
            gram._push_dense(&sums[1])

    def weigh(self, GramStore gram not None):
        """The values of the Gram matrix anew, at the present weights `s curvature`."""
        require(gram.m == self.m, "the Gram has other members")
        if not self.m:
            return
        cdef int64_t[::1] begin = np.empty(self.m + 2, dtype=np.int64)
        cdef int64_t total = np.asarray(self.length)[: self.n_groups].sum(dtype=np.int64)
        cdef int32_t[::1] groups = np.empty(max(total, 1), dtype=np.int32)
        cdef double[::1] sums = np.zeros(self.m + 1)
        cdef sr_groups view = self.borrow()
        cdef sr_gram G = gram.borrow()
        with nogil:
            sr_groups_of_members(&view, self.m, &begin[0], &groups[0])
            sr_groups_gram(&view, self.m, &begin[0], &groups[0], &sums[0], &G)

    def predictor_step(self, const double[::1] step, double shift):
        """`X_M step + shift` of each group, and the largest of its absolute values."""
        require(step.shape[0] == self.m, "step has the wrong length")
        cdef double[::1] by_slot = np.concatenate([[0.0], step])
        cdef double[::1] out = np.empty(self.n_groups)
        cdef sr_groups view = self.borrow()
        cdef double largest
        with nogil:
            largest = sr_groups_step(&view, &by_slot[0], shift, &out[0])
        return np.asarray(out), largest

    def products(self, const double[::1] v):
        """`X_M' v` for a vector over the groups."""
        require(v.shape[0] == self.n_groups, "v has the wrong length")
        cdef double[::1] out = np.zeros(self.m + 1)
        cdef sr_groups view = self.borrow()
        with nogil:
            sr_groups_sums(&view, &v[0], NULL, &out[0])
        return np.asarray(out)[1:]

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
        cdef double[::1] out = np.zeros(self.m + 1)
        cdef sr_groups view = self.borrow()
        with nogil:
            sr_groups_sums(&view, NULL, &mean[0], &out[0])
        return np.asarray(out)[1:]


def mean_of(int kind, tuple sums, const double[::1] eta, const double[::1] step, double t, double shift,
            double[::1] mean):
    """Means at `eta + t step + shift`, in place; returns `sum (sy - s mean)`, `sum s a''` and `sum s rho^2 / a''`."""
    cdef const double[::1] s = sums[0], sy = sums[1], syy = sums[2]
    require_same(s, sy, syy, eta)
    require(mean.shape[0] == s.shape[0] and 0 <= kind < SR_N_MEANS, "mean has the wrong length")
    require(step is None or step.shape[0] == s.shape[0], "step has the wrong length")
    cdef sr_unit_sums units
    cdef sr_predictor at
    cdef sr_mean_totals out
    units.s, units.sy, units.syy = &s[0], &sy[0], &syy[0]
    at.eta, at.step, at.t, at.shift = &eta[0], doubles(step), t, shift
    cdef sr_status status
    with nogil:
        status = sr_mean_of(<sr_mean>kind, s.shape[0], &units, &at, &mean[0], &out)
    check(status)
    return out.slope, out.curvature, out.squared


def mean_curvature(int kind, const double[::1] eta):
    """`a''(eta)`."""
    require(0 <= kind < SR_N_MEANS, "no such mean")
    cdef double[::1] out = np.empty(eta.shape[0])
    if eta.shape[0]:
        with nogil:
            sr_mean_curvature(<sr_mean>kind, eta.shape[0], &eta[0], &out[0])
    return np.asarray(out)


def mean_value(int kind, const double[::1] s, const double[::1] sy, const double[::1] eta):
    """`sum (s a(eta) - sy eta)`."""
    require(s.shape[0] == sy.shape[0] == eta.shape[0], "lengths differ")
    cdef double value = 0.0
    cdef sr_status status
    with nogil:
        status = sr_mean_value(<sr_mean>kind, s.shape[0], &s[0], &sy[0], &eta[0], &value)
    check(status)
    return value


def mean_correct(int kind, double share, double[::1] mean):
    """`mean += share a''`, in place."""
    check(sr_mean_correct(<sr_mean>kind, mean.shape[0], share, &mean[0]))


def near_entropies(const double[::1] mu, const double[::1] difference, double[::1] out):
    """Relative entropies of `mu + difference` and mu, where they are no further apart than mu / 2; returns how many
    are."""
    require(mu.shape[0] == difference.shape[0] == out.shape[0], "lengths differ")
    cdef int64_t far = 0
    if mu.shape[0]:
        with nogil:
            far = sr_near_entropies(mu.shape[0], &mu[0], &difference[0], &out[0])
    return far


def mean_apart(int kind, tuple sums, tuple etas, tuple means, double t):
    """Between two points with predictors `etas` and dual points `y - means`, at a share t of the way: `sum s a'' d^2`
    and `max |d|`, with d what the dual point is from the residual, over a''; and `sum s rho^2 / a''`."""
    cdef const double[::1] s = sums[0], sy = sums[1], syy = sums[2]
    cdef const double[::1] eta_a = etas[0], eta_b = etas[1], mean_a = means[0], mean_b = means[1]
    require_same(s, sy, syy, eta_a)
    require_same(s, eta_b, mean_a, mean_b)
    require(0 <= kind < SR_N_MEANS, "no such mean")
    cdef sr_unit_sums units
    cdef sr_line line
    cdef sr_apart out
    units.s, units.sy, units.syy = &s[0], &sy[0], &syy[0]
    line.eta[0], line.eta[1], line.mean[0], line.mean[1], line.t = &eta_a[0], &eta_b[0], &mean_a[0], &mean_b[0], t
    cdef sr_status status
    with nogil:
        status = sr_mean_apart(<sr_mean>kind, s.shape[0], &units, &line, &out)
    check(status)
    return out.squares, out.largest, out.squared


def mean_moved(const double[::1] s, const double[::1] mean, double[::1] reference):
    """`sum s (mean - reference)^2` and `max |mean - reference|`; then `reference = mean`, in place."""
    require(s.shape[0] == mean.shape[0] == reference.shape[0], "lengths differ")
    cdef double squared = 0.0, largest = 0.0
    with nogil:
        sr_mean_moved(s.shape[0], &s[0], &mean[0], &reference[0], &squared, &largest)
    return squared, largest
