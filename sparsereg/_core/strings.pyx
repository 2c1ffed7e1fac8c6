# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""`text_codes`: numbers for the strings of an array of Python objects, equal strings alike.

A hash table over the hashes that Python strings keep of themselves: two strings are compared by identity first, then by
hash, then by content, and no row makes an object. It may not know columns, nor what a missing value is.
"""

import numpy as np

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memcmp

cdef extern from "Python.h":
    PyObject *Py_None
    bint PyUnicode_CheckExact(PyObject *)
    Py_hash_t PyObject_Hash(PyObject *) except? -1
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject *)
    int PyUnicode_KIND(PyObject *)
    void *PyUnicode_DATA(PyObject *)

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define SR_PREFETCH(address) __builtin_prefetch(address)
    #else
    #define SR_PREFETCH(address) ((void)(address))
    #endif
    """
    void SR_PREFETCH(const void *)

cdef enum:
    FIRST_CAPACITY = 256  # a power of two
    ROWS_AT_ONCE = 65536  # rows that are made objects of, where they are not
    AHEAD = 12  # rows between asking for a string and reading it: strings may lie anywhere in memory

cdef struct Slot:
    PyObject *text  # borrowed from `strings`, NULL in an empty slot
    Py_hash_t hash
    int64_t code


cdef class _Table:
    """The distinct strings so far; at most half of the slots are taken."""

    cdef Slot *slots
    cdef size_t mask
    cdef list strings

    def __cinit__(self):
        self.strings = []
        self.mask = FIRST_CAPACITY - 1
        self.slots = <Slot *>PyMem_Calloc(FIRST_CAPACITY, sizeof(Slot))
        if not self.slots:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.slots)

    cdef int64_t code(self, PyObject *text) except -1:
        """Number of a string, a new one for a new string."""
        cdef Py_hash_t hashed = PyObject_Hash(text)
        cdef size_t place = <size_t>hashed & self.mask
        cdef Slot *slot = &self.slots[place]
        while slot.text and not (slot.text == text or (slot.hash == hashed and same(slot.text, text))):
            place = (place + 1) & self.mask
            slot = &self.slots[place]
        if slot.text:
            return slot.code
        cdef int64_t code = len(self.strings)
        self.strings.append(<object>text)
        slot[0] = Slot(text, hashed, code)
        if 2 * len(self.strings) > <Py_ssize_t>self.mask:
            self.grow()
        return code

    cdef int grow(self) except -1:
        """Move to four times as many slots."""
        cdef size_t mask = 4 * (self.mask + 1) - 1, old, place
        cdef Slot *slots = <Slot *>PyMem_Calloc(mask + 1, sizeof(Slot))
        if not slots:
            raise MemoryError
        for old in range(self.mask + 1):
            if self.slots[old].text:
                place = <size_t>self.slots[old].hash & mask
                while slots[place].text:
                    place = (place + 1) & mask
                slots[place] = self.slots[old]
        PyMem_Free(self.slots)
        self.slots, self.mask = slots, mask
        return 0


cdef inline bint same(PyObject *a, PyObject *b) noexcept:
    # Python keeps every string in the narrowest form that holds it, so that equal ones are equal byte by byte.
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(a)
    if length != PyUnicode_GET_LENGTH(b) or PyUnicode_KIND(a) != PyUnicode_KIND(b):
        return False
    return memcmp(PyUnicode_DATA(a), PyUnicode_DATA(b), <size_t>(length * PyUnicode_KIND(a))) == 0


def text_codes(values, is_missing):
    """Number the distinct strings of an array in order of appearance.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Of objects, or of strings of any type that NumPy has; with any stride. It is only read.
    is_missing : callable
        Called with whatever is neither a string nor None; says whether that stands for a missing value.

    Returns
    -------
    codes : ndarray of int64, shape (n,)
        -1 where missing.
    strings : list of str
        ``strings[code]`` is the string of a row.

    Or None, if something is not a missing value, nor of the type str itself: then nothing is known of the array.

    Examples
    --------
    >>> text_codes(np.array(["b", None, "a", "b"], dtype=object), lambda value: False)
    (array([ 0, -1,  1,  0]), ['b', 'a'])
    >>> text_codes(np.array(["b", 1], dtype=object), lambda value: False) is None
    True
    """
    if values.ndim != 1:
        raise ValueError(f"values of shape {values.shape} must have one dimension.")
    cdef _Table table = _Table()
    codes = np.empty(values.size, dtype=np.int64)
    for begin in range(0, values.size, ROWS_AT_ONCE):
        part = slice(begin, begin + ROWS_AT_ONCE)
        objects = values[part].astype(object, copy=not values.flags.aligned)
        if not number(table, objects, is_missing, codes[part]):
            return None
    return codes, table.strings


cdef bint number(_Table table, values, is_missing, int64_t[::1] out) except -1:
    """Codes of an array of aligned objects; False where one is neither a string nor missing."""
    cdef Py_ssize_t n = values.size, stride = values.strides[0], row
    cdef const char *start = <const char *><uintptr_t>values.ctypes.data
    cdef PyObject *value
    for row in range(n):
        if row + AHEAD < n:
            SR_PREFETCH((<PyObject **>(start + (row + AHEAD) * stride))[0])
        value = (<PyObject **>(start + row * stride))[0]
        # NumPy reads a null pointer as None.
        if not value or value == Py_None:
            out[row] = -1
        elif PyUnicode_CheckExact(value):
            out[row] = table.code(value)
        elif is_missing(<object>value):
            out[row] = -1
        else:
            return False
    return True
