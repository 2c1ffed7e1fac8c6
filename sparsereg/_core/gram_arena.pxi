# The entries of a growing Gram matrix.
# Pairs of index and count are packed once there are so many, 2 MB: fewer are read from the cache anyway. Shared ones
# are not, as pieces of a count would change the last digits of sums with what others add.
PACKED_FROM = 1 << 18

cdef class GramArena:
    """The entries of a growing Gram matrix (`sr_gram`): indices and values or, for `counts`, both in one number.

    Arrays are resized in place, unless they are `shared` with who reads them meanwhile.
    """

    cdef list arrays
    cdef int64_t[::1] begin, lengths, cap
    cdef uint8_t[::1] split
    cdef int32_t[::1] idx
    cdef double[::1] val
    cdef uint32_t[::1] packed
    cdef uint64_t[::1] pair
    cdef int64_t used, size
    cdef bint shared

    def __init__(self, bint counts):
        self.begin = self.lengths = self.cap = np.empty(0, dtype=np.int64)
        self.split, self.used, self.shared = np.empty(0, dtype=np.uint8), 0, False
        self._view([np.empty(0, dtype=kind) for kind in ((np.uint64,) if counts else (np.int32, np.float64))])

    cdef int reserve(self, int64_t capacity) except -1:
        """Space for so many members."""
        self.lengths, self.cap = grown(self.lengths, capacity), grown(self.cap, capacity)
        self.split, self.begin = grown(self.split, capacity), grown(self.begin, capacity)

    cdef int64_t push(self, int64_t m, const int32_t *at, const double *products, int64_t n) except -1:
        """Append member m by its n products (`sr_gram_push`); returns how many entries that adds."""
        cdef int64_t need = 0
        if m == SR_PACKED_MEMBERS and self.packed is not None:
            self._unpack()
        cdef sr_gram gram = self.borrow()
        while sr_gram_push(&gram, m, at, products, n, &need) == SR_NEED_SPACE:
            self._make_room(m, need)
            gram = self.borrow()
        self.used = gram.used
        return 2 * gram.len[m] - 1

    cdef int _make_room(self, int64_t m, int64_t need) except -1:
        """For so many more entries: by bringing the columns together where that frees an eighth, and by growing."""
        cdef sr_gram view = self.borrow()
        cdef int64_t size
        cdef const int64_t[::1] order
        if self.pair is not None and not self.shared and PACKED_FROM <= self.size and m < SR_PACKED_MEMBERS:
            self._pack(m, need)
            return 0
        if not self.shared and m and sr_gram_compact_size(&view, m) < view.used - view.used // 8:
            order = np.argsort(self.begin[:m])
            sr_gram_compact(&view, m, &order[0])
            self.used = view.used
        if self.used + need > self.size - self.size // 8:
            size = max(self.used + need + 256, self.size + self.size // 8, 1024)
            arrays = self.arrays
            self._view([])
            self._view([resized(arrays.pop(0), size, self.shared) for _ in range(len(arrays))])

    cdef int _pack(self, int64_t m, int64_t need) except -1:
        cdef sr_gram view = self.borrow()
        cdef int64_t size = sr_gram_packed_size(&view, m) + need
        array = np.empty(size + size // 8, dtype=np.uint32)
        cdef uint32_t[::1] packed = array
        sr_gram_pack(&view, m, &packed[0])
        self.used = view.used
        self._view([array])

    def _unpack(self):
        """For more members than packed entries have numbers for."""
        packed = self.arrays[0].astype(np.uint64)
        self._view([(packed >> SR_COUNT_BITS) << 32 | (packed & SR_MAX_PIECE)])

    def _view(self, list arrays):
        self.idx = self.val = self.packed = self.pair = None
        self.arrays, self.size = arrays, arrays[0].size if arrays else 0
        if len(arrays) == 2:
            self.idx, self.val = arrays
        elif arrays and arrays[0].dtype == np.uint64:
            self.pair = arrays[0]
        elif arrays:
            self.packed = arrays[0]

    @property
    def nbytes(self):
        return sum(array.nbytes for array in self.arrays)

    @property
    def arrays_held(self):
        """Those beside the entries."""
        return as_arrays(self.begin, self.lengths, self.cap, self.split)

    cdef sr_gram borrow(self):
        cdef sr_gram view
        view.begin, view.len, view.cap, view.split = &self.begin[0], &self.lengths[0], &self.cap[0], &self.split[0]
        view.idx, view.val = NULL if self.idx is None else &self.idx[0], doubles(self.val)
        view.packed = NULL if self.packed is None else &self.packed[0]
        view.pair = NULL if self.pair is None else &self.pair[0]
        view.used, view.size = self.used, self.size
        view.at, view.place, view.sign, view.next = NULL, NULL, 1.0, NULL
        return view
