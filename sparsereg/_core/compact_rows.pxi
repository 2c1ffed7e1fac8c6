# Rows of ones, by the codes of their columns.

cdef class CodedRows:
    """Some rows of X, all ones, two bytes an entry: a column has a code of its own or shares one with others.

    Parameters
    ----------
    Xt : Matrix
        The rows of X as columns.
    begin, end : int
        Which of them.
    code_of : uint16 array of shape (Xt.shape[0],)
        The code of each column, below `n_codes`.
    n_codes : int
    """

    cdef Matrix Xt
    cdef const uint16_t[::1] code_of
    cdef uint16_t[::1] codes
    cdef int64_t begin, end, n_codes

    def __init__(self, Matrix Xt not None, int64_t begin, int64_t end, const uint16_t[::1] code_of not None,
                 int64_t n_codes):
        require(Xt.view.n_ones == Xt.view.n_cols, "there are values")
        require(0 <= begin <= end <= Xt.view.n_cols, "no such rows")
        require(code_of.shape[0] == Xt.view.n_rows and (code_of.shape[0] == 0 or np.max(code_of) < n_codes),
                "code_of does not fit")
        self.Xt, self.begin, self.end, self.code_of, self.n_codes = Xt, begin, end, code_of, n_codes
        start, stop = Xt.keep[:2]
        # A difference of sums, and no array of differences; wrapping around cancels.
        entries = stop[begin:end].sum(dtype=np.int64) - start[begin:end].sum(dtype=np.int64)
        self.codes = np.zeros(entries, dtype=np.uint16)

    def gradient_pass(self, const double[::1] y, double base, double[::1] c, const double[::1] w=None):
        """With `r = y - base - Z w` on these rows, add `Z' r` to c and return `sum r^2` and `max |r|`.

        Z has the columns of X of each code added up. The first pass is one without w, and writes the codes."""
        require(self.Xt.view.n_cols == y.shape[0], "y has the wrong length")
        require(c.shape[0] == self.n_codes and (w is None or w.shape[0] == self.n_codes), "c or w has the wrong length")
        cdef const double *coef = doubles(w)
        cdef const uint16_t *code_of = &self.code_of[0] if w is None else NULL
        cdef sr_pass_sums sums
        cdef sr_status status
        with nogil:
            status = sr_gradient_pass(&self.Xt.view, self.begin, self.end, code_of, &self.codes[0], &y[0], base, coef,
                                      &c[0], &sums)
        check(status)
        return sums.rr, sums.max_abs

    def count_pairs(self, const int16_t[::1] position, double[:, ::1] G):
        """Add to G[a, b] how many of these rows have both members a and b, b standing before a, in place.

        Members are the codes with a position in [0, G.shape[0])."""
        require(position.shape[0] == self.n_codes and np.max(position) < G.shape[0] == G.shape[1],
                "positions do not fit")
        cdef int64_t k = G.shape[0]
        cdef int16_t[::1] members = np.empty(self.Xt.longest, dtype=np.int16)
        cdef sr_status status
        with nogil:
            status = sr_count_pairs(&self.Xt.view, self.begin, self.end, &self.codes[0], &position[0], k, &members[0],
                                    &G[0, 0])
        check(status)
