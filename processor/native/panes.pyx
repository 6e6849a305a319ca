# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The panes of one origin, as `processor.core.panes.PaneTable`: what has changed lies as numbers until it is told.

Owns no rule. A pane that holds more than small sums (money, samples) is the same dict as there, and is changed, written
and read by `schemas.panes`.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.long cimport PyLong_CheckExact
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy, memset

from processor.native.wire cimport read_integer, write_integer

from processor.native.counts import SUMS
from schemas.instants import MINUTE as _MINUTE
from schemas.panes import add, decode_pane, encode_pane
from schemas.windows import QUARTER as _QUARTER

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    long long PyLong_AsLongLongAndOverflow(object value, int *overflow) except? -1

cdef int64_t MINUTE = _MINUTE, QUARTER = _QUARTER
cdef int64_t _EVER = -(1 << 62)
cdef int64_t _LARGE = 1 << 53
"""What is larger than this is added up by Python, which has integers of any size."""

cdef tuple _sums = SUMS
cdef dict _place_of = {name: place for place, name in enumerate(SUMS)}
cdef int _measures = len(SUMS)
cdef uint8_t _name[MEASURED][32]
cdef int _name_size[MEASURED]


def _prepare():
    if len(SUMS) > MEASURED:
        raise RuntimeError("there are more measures than a pane has room for here")
    for place, name in enumerate(SUMS):
        written = bytes([0xA0 | len(name)]) + name.encode("ascii")
        if len(name) > 31:
            raise RuntimeError(f"the name {name} is too long to be written here")
        _name_size[place] = len(written)
        memcpy(&_name[place][0], PyBytes_AS_STRING(written), len(written))


_prepare()


cdef class PaneTable:
    """All panes of one origin (stage and partition)."""

    def __cinit__(self):
        cdef int place
        self._chunks = NULL
        self._index = NULL
        self._count = self._chunk_room = self._chunk_count = 0
        self._mask = -1
        for place in range(DAYS):
            self._quarters[place].bucket = -1 - (<int64_t>1 << 62)

    def __init__(self, origin, calendar, minutes_kept, horizon):
        self.origin = origin
        self._calendar = calendar
        self._minutes_kept = minutes_kept // MINUTE
        self._horizon = horizon
        self._panes = {}
        self._reps = {}
        self._first_minute = self._first_day = _EVER

    def __dealloc__(self):
        self._forget()

    def __len__(self):
        return sum(map(len, self._panes.values()))

    def replace(self, old, new):
        """Take `old` out and put `new` in."""
        self._replace(old, -1)
        self._replace(new, 1)

    def count(self, contributions):
        """Put all of these in."""
        self._replace(contributions, 1)

    def advance(self, log_at):
        """Let panes expire by the instant of the log and by the horizon: whole panes, never parts of one."""
        cdef int64_t first_minute = log_at // MINUTE * 2 - 2 * self._minutes_kept
        cdef int64_t first_day = self._horizon.first_day * 2 + 1
        cdef int64_t window
        cdef Py_ssize_t place
        cdef Opened *pane
        if first_day > self._first_day:
            self._first_day = first_day
            # No minute outlives its day.
            first_minute = max(first_minute, self._horizon.starts_at // MINUTE * 2)
        elif first_minute <= self._first_minute:
            return
        self._first_minute = max(first_minute, self._first_minute)
        for place in range(self._count):
            pane = &self._chunks[place // CHUNK][place % CHUNK]
            if pane.window < (self._first_day if pane.window & 1 else self._first_minute):
                _empty(pane)
        for held in [held for held in self._panes if held < (first_day if held & 1 else self._first_minute)]:
            for rep in self._panes[held]:
                _empty(self._open(held, self.intern(rep)))

    def take_changes(self):
        """What has changed since the last call, as messages; an empty pane is a tombstone, here and there."""
        return self._close(None)

    def repair(self, published):
        """The messages that make what this origin has published equal to what its records say. Empties `published`.

        For a table of which no change was taken yet.
        """
        messages = self._close(published)
        messages += [(key, None) for key in published]
        published.clear()
        return messages

    cdef PyObject *intern(self, object rep) except NULL:
        """One text for all panes of a rep: they are told apart by where it lies."""
        cdef PyObject *found = PyDict_GetItem(self._reps, rep)
        if found == NULL:
            self._reps[rep] = rep
            found = <PyObject *>rep
        return found

    cdef int64_t _day_of(self, int64_t at) except? -1:
        cdef int64_t bucket = at // QUARTER
        cdef Quarter *held = &self._quarters[bucket & (DAYS - 1)]
        if held.bucket == bucket:
            return held.day
        day = self._calendar.day_of_quarter(bucket)
        if day is None:
            return self._calendar.day_of(at)
        held.bucket = bucket
        held.day = day
        return held.day

    cdef int apply(
        self, PyObject *rep, int64_t at, int values, const int *measure, const int64_t *value, int sign
    ) except -1:
        """Add small integers, or take them away."""
        cdef int64_t windows[2]
        cdef int64_t sum
        cdef int number = 1, place, rest, window
        cdef Opened *pane
        windows[0] = self._day_of(at) * 2 + 1
        if windows[0] < self._first_day:
            return 0
        windows[1] = at // MINUTE * 2
        if windows[1] >= self._first_minute:
            number = 2
        for window in range(number):
            pane = self._open(windows[window], rep)
            place = 0
            while place < values and pane.rich == NULL:
                sum = pane.sums[measure[place]] + value[place] * sign
                pane.sums[measure[place]] = sum
                if not -_LARGE < sum < _LARGE:
                    _enrich(pane)
                place += 1
            if place < values:
                add(<object>pane.rich, [(_sums[measure[rest]], value[rest]) for rest in range(place, values)], sign)
        return 0

    cdef int _replace(self, object contributions, int sign) except -1:
        cdef int measure[MEASURED]
        cdef int64_t value[MEASURED]
        cdef int values, overflow
        cdef int64_t at
        cdef PyObject *place
        for rep, instant, named in contributions:
            at = instant
            values = 0
            for name, amount in named:
                place = PyDict_GetItem(_place_of, name)
                if place == NULL or not PyLong_CheckExact(amount) or values == MEASURED:
                    break
                value[values] = PyLong_AsLongLongAndOverflow(amount, &overflow)
                if overflow or not -_LARGE < value[values] < _LARGE:
                    break
                measure[values] = <object>place
                values += 1
            else:
                self.apply(self.intern(rep), at, values, measure, value, sign)
                continue
            self._apply_rich(rep, at, named, sign)
        return 0

    cdef int _apply_rich(self, object rep, int64_t at, object values, int sign) except -1:
        cdef int64_t day = self._day_of(at) * 2 + 1, minute = at // MINUTE * 2
        cdef Opened *pane
        if day < self._first_day:
            return 0
        pane = self._open(day, self.intern(rep))
        _enrich(pane)
        add(<object>pane.rich, values, sign)
        if minute >= self._first_minute:
            pane = self._open(minute, self.intern(rep))
            _enrich(pane)
            add(<object>pane.rich, values, sign)
        return 0

    cdef Opened *_find(self, int64_t window, PyObject *rep) noexcept:
        cdef Py_ssize_t at
        cdef int32_t place
        cdef Opened *pane
        if self._mask < 0:
            return NULL
        at = _hash(window, rep) & self._mask
        while True:
            place = self._index[at]
            if place < 0:
                return NULL
            pane = &self._chunks[place // CHUNK][place % CHUNK]
            if pane.window == window and pane.rep == rep:
                return pane
            at = (at + 1) & self._mask

    cdef Opened *_open(self, int64_t window, PyObject *rep) except NULL:
        """The pane, taken for changed. It stays where it is until the next `_close`."""
        cdef Opened *pane = self._find(window, rep)
        cdef Py_ssize_t at
        cdef PyObject *held
        if pane != NULL:
            return pane
        if 2 * (self._count + 1) > self._mask + 1 or self._count == self._chunk_count * CHUNK:
            self._grow()
        pane = &self._chunks[self._count // CHUNK][self._count % CHUNK]
        pane.window = window
        pane.rep = rep
        pane.rich = NULL
        memset(pane.sums, 0, sizeof(pane.sums))
        held = PyDict_GetItem(self._panes, window)
        if held != NULL:
            held = PyDict_GetItem(<dict>held, <object>rep)
            if held != NULL and not _read(pane, <bytes>held):
                made = decode_pane(<bytes>held)
                Py_INCREF(made)
                pane.rich = <PyObject *>made
        at = _hash(window, rep) & self._mask
        while self._index[at] >= 0:
            at = (at + 1) & self._mask
        self._index[at] = <int32_t>self._count
        self._count += 1
        return pane

    cdef int _grow(self) except -1:
        cdef Py_ssize_t room, place, at
        cdef Opened **chunks
        cdef Opened *chunk
        cdef Opened *pane
        cdef int32_t *index
        if self._count == self._chunk_count * CHUNK:
            if self._chunk_count == self._chunk_room:
                room = max(8, 2 * self._chunk_room)
                chunks = <Opened **>PyMem_Realloc(self._chunks, room * sizeof(Opened *))
                if chunks == NULL:
                    raise MemoryError
                self._chunks, self._chunk_room = chunks, room
            chunk = <Opened *>PyMem_Malloc(CHUNK * sizeof(Opened))
            if chunk == NULL:
                raise MemoryError
            self._chunks[self._chunk_count] = chunk
            self._chunk_count += 1
        if 2 * (self._count + 1) > self._mask + 1:
            room = max(256, 2 * (self._mask + 1))
            index = <int32_t *>PyMem_Malloc(room * sizeof(int32_t))
            if index == NULL:
                raise MemoryError
            memset(index, 0xFF, room * sizeof(int32_t))
            for place in range(self._count):
                pane = &self._chunks[place // CHUNK][place % CHUNK]
                at = _hash(pane.window, pane.rep) & (room - 1)
                while index[at] >= 0:
                    at = (at + 1) & (room - 1)
                index[at] = <int32_t>place
            PyMem_Free(self._index)
            self._index, self._mask = index, room - 1
        return 0

    cdef list _close(self, dict published):
        """Write what was opened, and forget it as numbers.

        What is `published` already is taken from there. Its bytes are kept in place of ours: freed among the rows that
        were read with them, they would leave holes.
        """
        cdef list messages = []
        cdef Py_ssize_t place, before, size
        cdef Opened *pane
        cdef const char *text
        cdef char *to
        cdef bytes name, value
        cdef dict held
        cdef int64_t window = 0
        cdef char number[32]
        cdef int digits = 0
        prefix = f"{self.origin}|".encode()
        before = PyBytes_GET_SIZE(prefix)
        held = None
        for place in range(self._count):
            pane = &self._chunks[place // CHUNK][place % CHUNK]
            if held is None or pane.window != window:
                window = pane.window
                held = self._panes.get(window)
                if held is None:
                    held = self._panes[window] = {}
                digits = snprintf(number, 32, b"|%c%lld", <int>(b"d" if window & 1 else b"m")[0], <long long>(window >> 1))
            rep = <object>pane.rep
            value = _write(pane)
            kept = held.get(rep)
            if value is None:
                if kept is None:
                    if not held:
                        del self._panes[window]
                        held = None
                    continue
                del held[rep]
            elif value == kept:
                continue
            if rep is None:
                text, size = b"", 0
            else:
                text = PyUnicode_AsUTF8AndSize(rep, &size)
            name = PyBytes_FromStringAndSize(NULL, before + size + digits)
            to = PyBytes_AS_STRING(name)
            memcpy(to, PyBytes_AS_STRING(prefix), before)
            memcpy(to + before, text, size)
            memcpy(to + before + size, number, digits)
            if value is None:
                if not held:
                    del self._panes[window]
                    held = None
            else:
                if published is not None:
                    known = published.pop(name, None)
                    if known == value:
                        held[rep] = known
                        continue
                held[rep] = value
            messages.append((name, value))
        self._forget()
        return messages

    cdef void _forget(self) noexcept:
        cdef Py_ssize_t place
        cdef Opened *pane
        for place in range(self._count):
            pane = &self._chunks[place // CHUNK][place % CHUNK]
            if pane.rich != NULL:
                Py_DECREF(<object>pane.rich)
        # A batch opens few; of what a load has opened nothing is kept.
        for place in range(1 if 0 < self._count <= CHUNK else 0, self._chunk_count):
            PyMem_Free(self._chunks[place])
        if 0 < self._count <= CHUNK:
            self._chunk_count = 1
            memset(self._index, 0xFF, (self._mask + 1) * sizeof(int32_t))
        else:
            PyMem_Free(self._chunks)
            PyMem_Free(self._index)
            self._chunks, self._index = NULL, NULL
            self._chunk_room = self._chunk_count = 0
            self._mask = -1
        self._count = 0


cdef inline Py_ssize_t _hash(int64_t window, PyObject *rep) noexcept:
    cdef uint64_t mixed = (<uint64_t>window * 0x9E3779B97F4A7C15ULL) ^ (<uint64_t><size_t>rep * 0xC2B2AE3D27D4EB4FULL)
    return <Py_ssize_t>(mixed >> 20)


cdef int _enrich(Opened *pane) except -1:
    """Make it a dict, for what numbers cannot hold."""
    cdef int place
    if pane.rich != NULL:
        return 0
    made = {}
    for place in range(_measures):
        if pane.sums[place]:
            made[_sums[place]] = pane.sums[place]
    Py_INCREF(made)
    pane.rich = <PyObject *>made
    return 0


cdef int _empty(Opened *pane) except -1:
    if pane.rich != NULL:
        Py_DECREF(<object>pane.rich)
        pane.rich = NULL
    memset(pane.sums, 0, sizeof(pane.sums))
    return 0


cdef bint _read(Opened *pane, bytes value) noexcept:
    """Read a pane that holds small sums alone. False: it holds something else."""
    cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(value)
    cdef const uint8_t *end = at + PyBytes_GET_SIZE(value)
    cdef int entries, place = 0
    cdef int64_t number
    if at == end or at[0] >> 4 != 8:
        return False
    entries = at[0] & 15
    at += 1
    for _ in range(entries):
        # Both are in the order of names.
        while place < _measures and not (
            end - at > _name_size[place] and memcmp(at, &_name[place][0], _name_size[place]) == 0
        ):
            place += 1
        if place == _measures:
            break
        at += _name_size[place]
        if not read_integer(&at, end, &number) or not -_LARGE < number < _LARGE:
            break
        pane.sums[place] = number
        place += 1
    else:
        if at == end:
            return True
    memset(pane.sums, 0, sizeof(pane.sums))
    return False


cdef bytes _write(Opened *pane):
    """As `encode_pane`; None for an empty pane."""
    cdef uint8_t out[1 + MEASURED * 41 + 3]
    cdef uint8_t *to = out + 1
    cdef int place, entries = 0
    if pane.rich != NULL:
        rich = <object>pane.rich
        return encode_pane(rich) if rich else None
    for place in range(_measures):
        if pane.sums[place]:
            memcpy(to, &_name[place][0], _name_size[place])
            to += _name_size[place]
            to += write_integer(to, pane.sums[place])
            entries += 1
    if not entries:
        return None
    if entries > 15:
        _enrich(pane)
        return encode_pane(<object>pane.rich)
    out[0] = 0x80 | entries
    return PyBytes_FromStringAndSize(<char *>out, to - out)
