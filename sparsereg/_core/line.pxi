# Coordinate descent from points on the line between two positions.

def descend_from_line(store not None, Coordinates co not None, ends, const double[::1] shares,
                      const double[:, ::1] l1, const double[:, ::1] l2, const double[::1] c0, double null_deviance,
                      int64_t max_epochs, double tol):
    """Epochs of coordinate descent from points on the line between two positions.

    Parameters
    ----------
    store : GramStore or GramSum
    co : Coordinates
        Its coefficients and strengths do not count.
    ends : two of (float64 array of shape (m,), float64 array of shape (m,), float)
        Coefficients, `X_M' r`, `sum(r)`.
    shares : float64 array of shape (n,)
        The share of the way to the second end, of each point.
    l1, l2 : float64 arrays of shape (n, m)

    Returns
    -------
    W, Q : float64 arrays of shape (n, m) and (n, m + 1)
        Coefficients and, with a zero at its end, `X_M' r` of each point after its epochs.
    r_sums, epochs : arrays of shape (n,)
    sums : float64 array of shape (n, 2, 6)
        As `gap_sums_of_gram` gives them before the epochs and after.
    """
    (w_first, q_first, r_first), (w_last, q_last, r_last) = ends
    cdef const double[::1] w0 = w_first, q0 = q_first, w1 = w_last, q1 = q_last
    cdef int64_t m = co.m, n = shares.shape[0], k, a
    cdef double t, decrease = 0.0
    require(m == w0.shape[0] == w1.shape[0] == q0.shape[0] == q1.shape[0] == c0.shape[0], "lengths differ")
    require(n == l1.shape[0] == l2.shape[0] and m == l1.shape[1] == l2.shape[1], "l1 or l2 has the wrong shape")
    order, work = np.arange(m), np.empty(m)
    W, Q, r_sums, sums = np.empty((n, m)), np.zeros((n, m + 1)), np.empty(n), np.empty((n, 2, 6))
    epochs = np.zeros(n, dtype=np.int64)
    cdef double[:, ::1] w = W, q = Q
    cdef double[::1] r_sum = r_sums, c = work
    cdef double[:, :, ::1] out = sums
    cdef int64_t[::1] done = epochs, visited = order
    cdef sr_gram single
    cdef const sr_gram *gram = &single
    cdef sr_coordinates view = co.borrow()
    require(store.m == m, "co has the wrong length")
    if not m:
        sums[:, :, :5], sums[:, :, 5], n = 0.0, null_deviance, 0
    elif isinstance(store, GramSum):
        gram = (<GramSum>store).borrow()
    else:
        single = (<GramStore?>store).arena.borrow()
    for k in range(n):
        t = shares[k]
        for a in range(m):
            w[k, a], q[k, a] = (1.0 - t) * w0[a] + t * w1[a], (1.0 - t) * q0[a] + t * q1[a]
        r_sum[k] = (1.0 - t) * <double>r_first + t * <double>r_last
        view.w, view.r_sum, view.l1, view.l2 = &w[k, 0], &r_sum[k], &l1[k, 0], &l2[k, 0]
        put_gap_sums(&view, &q[k, 0], c0, null_deviance, c, &out[k, 0, 0])
        with nogil:
            sr_cd_gram(gram, &view, &visited[0], m, max_epochs, tol, &q[k, 0], &done[k], &decrease)
        put_gap_sums(&view, &q[k, 0], c0, null_deviance, c, &out[k, 1, 0])
    return W, Q, r_sums, epochs, sums
