# Losses of the form a(z) - y z, by rows or by groups.

MEANS = {sr_mean_name(<sr_mean>k).decode(): k for k in range(SR_N_MEANS)}


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


def mean_toward(int kind, const double[::1] s, const double[::1] eta, const double[::1] mean, double correction,
                bint centred, double[::1] d):
    """A dual point `y - q` with `q = mean + a'' d`, d predictors of a step, less their mean if `centred`: q, `sum s a''
    (d + correction)^2` and `max |d + correction|`; then `d = s a'' d`, in place."""
    require_same(s, eta, mean, d)
    cdef double[::1] q = np.empty(s.shape[0])
    cdef double squares = 0.0, largest = 0.0
    cdef sr_status status
    with nogil:
        status = sr_mean_toward(<sr_mean>kind, s.shape[0], &s[0], &eta[0], &mean[0], correction, centred, &d[0], &q[0],
                                &squares, &largest)
    check(status)
    return np.asarray(q), squares, largest


def mean_moved(const double[::1] s, const double[::1] mean, double[::1] reference):
    """`sum s (mean - reference)^2` and `max |mean - reference|`; then `reference = mean`, in place."""
    require(s.shape[0] == mean.shape[0] == reference.shape[0], "lengths differ")
    cdef double squared = 0.0, largest = 0.0
    with nogil:
        sr_mean_moved(s.shape[0], &s[0], &mean[0], &reference[0], &squared, &largest)
    return squared, largest


cdef int require_rows(int kind, const double[::1] y, const double[::1] s, const double[::1] z) except -1:
    require(0 <= kind < SR_N_MEANS, "no such mean")
    require(0 < y.shape[0] == z.shape[0] and (s is None or s.shape[0] == y.shape[0]), "lengths differ")
    return 0


def rows_residuals(int kind, const double[::1] y, const double[::1] s, const double[::1] z, double shift, out=None):
    """`out = s (y - mean)` at `z + shift`, where wanted; `sum s (y - mean)`, `sum s a''`, `sum s mean` and `sum s (y -
    mean)^2 / a''`."""
    require_rows(kind, y, s, z)
    cdef const double *weights = doubles(s)
    cdef double[::1] to
    cdef double *rho = NULL
    if out is not None:
        to = out
        require(to.shape[0] == y.shape[0], "out has the wrong length")
        rho = &to[0]
    cdef sr_row_totals totals
    with nogil:
        sr_rows_residuals(<sr_mean>kind, y.shape[0], &y[0], weights, &z[0], shift, rho, &totals)
    return totals.slope, totals.curvature, totals.size, totals.squared


def rows_gap(int kind, const double[::1] y, const double[::1] s, const double[::1] z, double t):
    """The sum of `s` times the relative entropies of `(1 - t) y + t mean` and the mean; None where a row has them so
    far apart that their series does not serve."""
    require_rows(kind, y, s, z)
    cdef const double *weights = doubles(s)
    cdef double total = 0.0
    cdef int64_t far = 0
    with nogil:
        sr_rows_gap(<sr_mean>kind, y.shape[0], &y[0], weights, &z[0], t, &total, &far)
    return None if far else total
