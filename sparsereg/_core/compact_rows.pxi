# Rows of ones, by the codes of their columns.

cdef class CodedRows:
    """The rows of X, all ones, two bytes an entry: a column has a slot of its own or shares one with others.

    Parameters
    ----------
    Xt : Matrix
        The rows of X as columns.
    code_of : uint16 array of shape (Xt.shape[0],)
        The slot of each column, below `n_codes`.
    n_codes : int
    """

    cdef Matrix Xt
    cdef const uint16_t[::1] code_of
    cdef uint16_t[::1] codes
    cdef readonly int64_t n_codes

    def __init__(self, Matrix Xt not None, const uint16_t[::1] code_of not None, int64_t n_codes):
        require(Xt.view.n_ones == Xt.view.n_cols, "there are values")
        require(code_of.shape[0] == Xt.view.n_rows and (code_of.shape[0] == 0 or np.max(code_of) < n_codes), "code_of does not fit")
        self.Xt, self.code_of, self.n_codes = Xt, code_of, n_codes
        self.codes = np.zeros(Xt.keep[2].shape[0], dtype=np.uint16)  # one an index, wherever rows begin

    def gradient_pass(self, int64_t begin, int64_t end, const double[::1] y, double base, double[::1] c, const double[::1] w=None):
        """With `r = y - base - Z w` on the rows from begin to end, add `Z' r` to c and return `sum r^2` and `max |r|`.

        Z has the columns of X of each slot added up. The first sweep through a row is one without w, and writes its codes."""
        cdef int64_t n = self.Xt.view.n_cols
        require(0 <= begin <= end <= n == y.shape[0], "no such rows, or y has the wrong length")
        require(c.shape[0] == self.n_codes and (w is None or w.shape[0] == self.n_codes), "c or w has the wrong length")
        cdef const double *moved = doubles(w)
        cdef const uint16_t *code_of = &self.code_of[0] if w is None else NULL
        cdef sr_pass_sums swept
        cdef sr_status status
        with nogil:
            status = sr_gradient_pass(&self.Xt.view, begin, end, code_of, &self.codes[0], &y[0], base, moved, &c[0], &swept)
        check(status)
        return swept.rr, swept.peak

    def count_pairs(self, int64_t begin, int64_t end, const int16_t[::1] position, int64_t k):
        """How many of the rows from begin to end have both of two members, which are the codes with a position in 0 .. k.

        Of shape (k, k): entry (a, b) counts the rows where b stands before a."""
        require(0 <= begin <= end <= self.Xt.view.n_cols, "no such rows")
        require(position.shape[0] == self.n_codes and np.max(position) < k, "positions do not fit")
        cdef double[:, ::1] G = np.zeros((k, k))
        cdef int16_t[::1] met = np.empty(self.Xt.longest, dtype=np.int16)
        cdef sr_status status
        with nogil:
            status = sr_count_pairs(&self.Xt.view, begin, end, &self.codes[0], &position[0], k, &met[0], &G[0, 0])
        check(status)
        return np.asarray(G)
