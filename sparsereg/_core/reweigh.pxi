# Gram matrices whose rows change their weights. Their members have a dense square of products meanwhile.

def reweigh_rows(GramStore gram not None, const int64_t[::1] rows, const double[::1] change, bint anew):
    """The weights of these rows have changed by so much: bring the Gram matrix, of values, up to date. `anew`: those
    of all other rows are 0 now, and the changes are the weights.

    Returns whether it had a place for every product; if not, it has to be computed anew. Needs Xt; dense columns must
    not be members."""
    require(gram.Xt is not None and gram.arena.val is not None, "there is no Xt, or the Gram has counts")
    require(change.shape[0] == rows.shape[0], "change has the wrong length")
    require(int(np.max(np.asarray(gram.cols)[: gram.m], initial=-1)) < gram.X.view.n_sparse, "there are dense members")
    require_within(rows, gram.X.view.n_rows)
    if not rows.shape[0] or not gram.m:
        return True
    if anew:
        gram.arena.val[: gram.arena.used] = 0.0
    cdef int32_t[::1] place = np.empty(gram.Xt.longest + 1, dtype=np.int32)
    cdef double[::1] value = np.empty(gram.Xt.longest + 1), products = np.zeros(gram.m * gram.m)
    cdef sr_gram_work work = gram.borrow_work()
    cdef sr_gram G = gram.arena.borrow()
    cdef sr_status status
    cdef bint complete
    with nogil:
        status = sr_add_rows(&gram.Xt.view, &rows[0], rows.shape[0], &change[0], &work, gram.m, &place[0], &value[0],
                             &products[0])
        complete = sr_gram_add(&G, gram.m, &products[0])
    check(status)
    return complete


def reweigh_groups(RowGroups groups not None, GramStore gram not None, const int64_t[::1] which,
                   const double[::1] change, bint anew):
    """The same for groups of rows of equal patterns."""
    require(gram.m == groups.m and change.shape[0] == which.shape[0], "the Gram has other members, or lengths differ")
    require_within(which, groups.n_groups)
    if not which.shape[0] or not gram.m:
        return True
    if anew:
        gram.arena.val[: gram.arena.used] = 0.0
    cdef int32_t[::1] place = np.empty(groups.slots.shape[1], dtype=np.int32)
    cdef double[::1] products = np.zeros(gram.m * gram.m)
    cdef sr_groups view = groups.borrow()
    cdef sr_gram G = gram.arena.borrow()
    cdef bint complete
    with nogil:
        sr_add_groups(&view, &which[0], which.shape[0], &change[0], gram.m, &place[0], &products[0])
        complete = sr_gram_add(&G, gram.m, &products[0])
    return complete
