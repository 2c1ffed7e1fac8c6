# Rows by the levels of fields.

cdef class Levels:
    """The level that each of n rows has of a field with m levels; m stands for none (`sr_levels`).

    Parameters
    ----------
    codes : int32 array of shape (n,), in [0, m]
    m : int
    """

    cdef readonly int64_t m
    cdef readonly object codes
    cdef const int32_t[::1] view

    def __init__(self, const int32_t[::1] codes, int64_t m):
        numbers = np.asarray(codes)
        require(codes.shape[0] > 0 and numbers.min() >= 0 and numbers.max() <= m, "codes leave their range")
        self.codes, self.view, self.m = numbers, codes, m

    def __reduce__(self):
        return Levels, (self.codes, self.m)

    def parents(self, Levels coarse not None):
        """The level of `coarse` that contains each level of this field: int32 of shape (m,), -1 for a level of no row; None where one
        row or more contradict, by their levels or by having one of `coarse` and none of this field."""
        require(coarse.view.shape[0] == self.view.shape[0], "levels of different rows")
        out = np.full(self.m + 1, -1, dtype=np.int32)
        cdef int32_t[::1] parent = out
        cdef int64_t nested
        with nogil:
            nested = sr_nested(self.view.shape[0], &self.view[0], self.m, &coarse.view[0], coarse.m, &parent[0])
        return out[: self.m] if nested else None

    def majority(self, Levels coarse not None, int64_t n):
        """The level of `coarse` that most rows of each level have, by the first n rows: int32 of shape (m,); and how many rows agree."""
        require(0 <= n <= self.view.shape[0] == coarse.view.shape[0], "levels of different rows")
        out = np.zeros(self.m, dtype=np.int32)
        cdef int32_t[::1] parent = out, votes = np.zeros(self.m, dtype=np.int32)
        cdef int64_t agreed
        with nogil:
            agreed = sr_majority(n, &self.view[0], self.m, &coarse.view[0], coarse.m, &parent[0], &votes[0])
        return out, agreed


def number_levels(const uint8_t[::1] field not None, const int32_t[::1] labels, int64_t m, int64_t n_fields):
    """The levels of each field, numbered as its columns stand: column j < m at `labels[j]`, or at j, which is in field[labels[j]].

    Returns
    -------
    level : int32 of shape of field
        By place, -1 where no column stands.
    order : int64 of shape (m,)
        The columns field by field.
    sizes : int64 of shape (n_fields,)
    """
    require(0 < n_fields <= 255 and np.max(field) < n_fields, "too many fields")
    require(m <= field.shape[0] if labels is None else m <= labels.shape[0], "labels have the wrong length")
    if labels is not None and m:
        require(0 <= np.min(labels[:m]) and np.max(labels[:m]) < field.shape[0], "labels leave the fields")
    cdef int32_t[::1] level = np.full(field.shape[0], -1, dtype=np.int32)
    cdef int64_t[::1] order = np.empty(max(m, 1), dtype=np.int64), sizes = np.zeros(n_fields, dtype=np.int64)
    cdef const int32_t *standing = NULL if labels is None else &labels[0]
    with nogil:
        sr_number_levels(m, standing, &field[0], n_fields, &level[0], &order[0], &sizes[0])
    return np.asarray(level), np.asarray(order)[:m], np.asarray(sizes)


cdef int64_t borrow_levels(list pairs, int64_t n, sr_levels *out) except -1:
    require(len(pairs) <= SR_MOST_FIELDS, "too many fields at a time")
    cdef Levels levels
    cdef double[::1] values
    for a, (levels, values) in enumerate(pairs):
        require(levels.view.shape[0] == n and values.shape[0] == levels.m + 1, "levels and values do not fit")
        out[<int64_t>a].codes, out[<int64_t>a].values, out[<int64_t>a].m = &levels.view[0], &values[0], levels.m
    return len(pairs)


def exchange(double[::1] v, list give, list take, const double[::1] s=None):
    """`v += s * values[codes]` for each `(Levels, values)` to give, then `values[codes] += v` for each one to take; all in place.

    `values` has m + 1 entries, the last for rows without a level."""
    cdef sr_levels given[SR_MOST_FIELDS]
    cdef sr_levels taken[SR_MOST_FIELDS]
    cdef int64_t n = v.shape[0], n_give = borrow_levels(give, n, given), n_take = borrow_levels(take, n, taken)
    require(s is None or s.shape[0] == n, "s has the wrong length")
    cdef const double *weights = doubles(s)
    with nogil:
        sr_exchange(n, weights, &v[0], n_give, given, n_take, taken)


cdef int require_runs(const int64_t[::1] begin, int64_t m, int64_t n) except -1:
    """Rows 0..n in runs, one for each of m levels."""
    require(begin.shape[0] == m + 1 and begin[0] == 0 and begin[m] == n, "runs do not fit")
    cdef int64_t r
    for r in range(m):
        require(begin[r] <= begin[r + 1], "runs go backwards")
    return 0


def carry(const double[::1] s not None, const int64_t[::1] begin not None, const double[::1] x not None, tuple take):
    """`to[codes] += s * x` for rows in runs, one for each entry of x, and the `(Levels, to)` to take; in place. See `sr_carry`.

    `to` has m + 1 entries, as in `exchange`."""
    cdef sr_levels taken
    cdef int64_t m = x.shape[0]
    require_runs(begin, m, s.shape[0])
    borrow_levels([take], s.shape[0], &taken)
    with nogil:
        sr_carry(m, &begin[0], &s[0], &x[0], &taken)


def collect(const double[::1] s not None, const int64_t[::1] begin not None, tuple give, double[::1] out not None):
    """`out += s * values[codes]`, summed up over each run of rows, for the `(Levels, values)` to give; in place. See `sr_collect`."""
    cdef sr_levels given
    cdef int64_t m = out.shape[0]
    require_runs(begin, m, s.shape[0])
    borrow_levels([give], s.shape[0], &given)
    with nogil:
        sr_collect(m, &begin[0], &s[0], &given, &out[0])


STRENGTHS = SR_STRENGTHS


cdef int64_t borrow_rows(list pairs, int64_t n, int64_t k, sr_levels *out) except -1:
    """As `borrow_levels`, with values of shape (m + 1, k)."""
    require(len(pairs) <= SR_MOST_FIELDS, "too many fields at a time")
    cdef Levels levels
    cdef double[:, ::1] values
    for a, (levels, values) in enumerate(pairs):
        fits = levels.view.shape[0] == n and values.shape[0] == levels.m + 1 and values.shape[1] == k
        require(fits, "levels and values do not fit")
        out[<int64_t>a].codes, out[<int64_t>a].values, out[<int64_t>a].m = &levels.view[0], &values[0, 0], levels.m
    return len(pairs)


def weigh(
    const int64_t[::1] begin not None, const double[::1] n not None, const double[::1] b not None, const double[::1] v, double alpha, list give, list take,
    double[::1] weight not None, double[::1] rest not None
):
    """Fill `weight` and `rest` of rows whose own coefficients are eliminated, and add both to the levels in `take`; see `sr_weigh`.

    `give` and `take` list the same `Levels`, with values of shape (m + 1,) and (m + 1, 2). Rows stand in the order of the first, level r
    from begin[r] to begin[r + 1]."""
    cdef sr_levels given[SR_MOST_FIELDS]
    cdef sr_levels taken[SR_MOST_FIELDS]
    cdef int64_t n_rows = n.shape[0], n_give = borrow_levels(give, n_rows, given), n_take = borrow_rows(take, n_rows, 2, taken)
    require(0 < n_give == n_take, "fields do not fit")
    require_runs(begin, given[0].m, n_rows)
    require(b.shape[0] == weight.shape[0] == rest.shape[0] == n_rows and (v is None or v.shape[0] == n_rows), "lengths differ")
    cdef const double *factor = doubles(v)
    with nogil:
        sr_weigh(&begin[0], &n[0], &b[0], factor, alpha, n_give, given, taken, &weight[0], &rest[0])


def eliminate(
    const double[::1] n not None, const double[::1] b not None, const double[::1] v,
    const double[::1] alphas not None, list fields
):
    """Add what rows leave at `STRENGTHS` alphas, once their own coefficients are eliminated, to their levels; see `sr_eliminate`.

    `fields` lists `Levels` with values of shape (m + 1, 2 * STRENGTHS): what the levels come to, and behind it what they are left.

    Returns
    -------
    left, met : float64 arrays of shape (STRENGTHS,)
    """
    cdef sr_levels own[SR_MOST_FIELDS]
    cdef int64_t n_rows = n.shape[0], n_fields = borrow_rows(fields, n_rows, 2 * SR_STRENGTHS, own)
    require(alphas.shape[0] == SR_STRENGTHS, "alphas do not fit")
    require(b.shape[0] == n_rows and (v is None or v.shape[0] == n_rows), "lengths differ")
    cdef double[::1] left = np.zeros(SR_STRENGTHS), met = np.zeros(SR_STRENGTHS)
    cdef const double *factor = doubles(v)
    with nogil:
        sr_eliminate(n_rows, &n[0], &b[0], factor, &alphas[0], n_fields, own, &left[0], &met[0])
    return np.asarray(left), np.asarray(met)
