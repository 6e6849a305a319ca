# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The panes of one origin, as `processor.core.panes.PaneTable`: what has changed lies as numbers until it is told.

Owns no rule. Cells are numbered here in the order of their names, so that a pane in memory and in bytes has one order.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy, memset

from processor.native.opened cimport INLINE, Opened, add_to, empty, read_pane, write_pane
from processor.native.plan cimport COUNT, ID, CompiledPlan, Entries, Entry, key_of
from processor.native.varints cimport read_big

from schemas.instants import MINUTE as _MINUTE
from schemas.windows import QUARTER as _QUARTER
from schemas.windows import STANDING as _STANDING

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef int64_t MINUTE = _MINUTE, QUARTER = _QUARTER, STANDING = _STANDING
cdef int64_t _EVER = -(1 << 62)

cdef enum:
    KEPT = 33  # `schemas.windows.kept_window`


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

    def __init__(self, origin, calendar, minutes_kept, cutoff, CompiledPlan plan):
        self.origin = origin
        self.plan = plan
        self._calendar = calendar
        self._minutes_kept = minutes_kept // MINUTE
        self._cutoff = cutoff
        self._panes = {}
        self._reps = {}
        self._first_minute = self._first_day = self._log_day = _EVER

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
        """Let panes expire by the instant of the log and by the cutoff: whole panes, never parts of one."""
        cdef int64_t first_minute = log_at // MINUTE * 2 - 2 * self._minutes_kept
        cdef int64_t first_day = self._cutoff.first_day * 2 + 1
        cdef int64_t window
        cdef Py_ssize_t place
        cdef Opened *pane
        if first_day > self._first_day:
            self._first_day = first_day
            # No minute outlives its day.
            first_minute = max(first_minute, self._cutoff.starts_at // MINUTE * 2)
        elif first_minute <= self._first_minute:
            return
        self._first_minute = max(first_minute, self._first_minute)
        if self.plan.keeps != NULL:
            self._log_day = max(self._log_day, self._day_of(log_at))
        for place in range(self._count):
            pane = &self._chunks[place // CHUNK][place % CHUNK]
            if self._is_over(pane.window):
                empty(pane)
        for held in [held for held in self._panes if self._is_over(held)]:
            for rep in self._panes[held]:
                empty(self._open(held, self.intern(rep)))

    cdef bint _is_over(self, int64_t window) noexcept:
        cdef int64_t keep, day
        if not window & 1:
            return window < self._first_minute  # what stands is never over
        keep = _days_kept(window)
        day = window - (keep << KEPT)
        return day < self._first_day or (keep > 0 and day >> 1 < self._log_day - keep)

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

    def held(self):
        """All panes as they lie, by window and rep: a copy that does not change with them. None is open then."""
        return {window: dict(panes) for window, panes in self._panes.items()}

    def get(self, window, rep):
        """A pane as it lies; None: there is none."""
        panes = self._panes.get(window)
        return None if panes is None else panes.get(rep)

    def restore(self, panes):
        """Put back what `held` gave, into a table that is empty. The mappings are kept, not copied."""
        self._panes = panes
        self._reps = {rep: rep for rep in set().union(*panes.values())}

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

    cdef int exchange(self, const Entries *before, const Entries *after) except -1:
        """Take `before` out and put `after` in, of the same record: only what differs touches a pane."""
        cdef int one = 0, other = 0
        cdef const Entry *old
        cdef const Entry *new
        self._is_last_known = False
        while one < before.count or other < after.count:
            old = &before.data[one] if one < before.count else NULL
            new = &after.data[other] if other < after.count else NULL
            if new == NULL or (old != NULL and old.line < new.line):
                self._put(old, -old.amount)
                one += 1
            elif old == NULL or new.line < old.line:
                self._put(new, new.amount)
                other += 1
            else:
                if not _is_same(old, new):
                    self._put(old, -old.amount)
                    self._put(new, new.amount)
                elif old.amount != new.amount:
                    self._put(new, new.amount - old.amount)
                one += 1
                other += 1
        return 0

    cdef int _put(self, const Entry *entry, int64_t amount) except -1:
        if not (
            self._is_last_known and entry.at == self._last_at and entry.rep_size == self._last_size
            and (entry.rep_size == 0 or memcmp(entry.rep, self._last_text, entry.rep_size) == 0)
        ):
            rep = None if entry.rep == NULL else (<const char *>entry.rep)[:entry.rep_size].decode("utf-8")
            self._open_both(rep, entry.at)
            self._last_at, self._last_text, self._last_size = entry.at, entry.rep, entry.rep_size
            self._is_last_known = True
        if self._last_day != NULL:
            self._add_to_day(entry.cell, entry.key, entry.low, amount)
            if self._last_minute != NULL:
                add_to(self._last_minute, entry.cell, entry.key, entry.low, amount)
        return 0

    cdef int _add_to_day(
        self, uint32_t cell, uint64_t key, uint64_t low, int64_t amount, uint64_t last = 0
    ) except -1:
        """Into the day's pane, or where the cell is not kept as long as that, into one that expires before it."""
        cdef int64_t keep = 0 if self.plan.keeps == NULL or self._last_day.window == STANDING else self.plan.keeps[cell]
        if not keep:
            add_to(self._last_day, cell, key, low, amount, last)
        elif self._last_index >= self._log_day - keep:
            add_to(self._open((keep << KEPT) + self._last_index * 2 + 1, self._last_rep), cell, key, low, amount, last)
        return 0

    cdef int _open_both(self, object rep, int64_t at) except -1:
        """The panes of a person that hold an instant, as far as they are kept."""
        cdef int64_t day = self._day_of(at) * 2 + 1, minute = at // MINUTE * 2
        cdef PyObject *who
        self._last_day = self._last_minute = NULL
        if day >= self._first_day:
            who = self.intern(rep)
            self._last_rep, self._last_index = who, day >> 1
            self._last_day = self._open(day, who)
            if minute >= self._first_minute:
                self._last_minute = self._open(minute, who)
        return 0

    cdef int _replace(self, object contributions, int sign) except -1:
        cdef uint32_t cell
        cdef uint64_t key, low, last
        cdef const uint8_t *id
        last_rep, last_at = self, None  # nobody's
        for rep, at, values in contributions:
            # One after the other counts for the same person at the same instant, most often.
            if rep is not last_rep or at != last_at:
                last_rep, last_at = rep, at
                if at is None:
                    self._last_day, self._last_minute = self._open(STANDING, self.intern(rep)), NULL
                else:
                    self._open_both(rep, at)
            if self._last_day == NULL:
                continue
            for name, part, amount in values:
                cell = self.plan.cell_of[name]
                key = low = last = 0
                if isinstance(part, bytes):
                    if len(part) != 16:
                        raise ValueError(part)
                    id = <const uint8_t *>PyBytes_AS_STRING(part)
                    key, low = read_big(id, 8), read_big(id + 8, 8)
                elif isinstance(part, tuple):
                    if len(part) != self.plan.instants[cell]:
                        raise ValueError(part)
                    key, low = key_of(part[0]), key_of(part[1])
                    if self.plan.instants[cell] == 3:
                        last = key_of(part[2])
                elif part is not None:
                    key = key_of(part)
                self._add_to_day(cell, key, low, amount * sign, last)
                if self._last_minute != NULL:
                    add_to(self._last_minute, cell, key, low, amount * sign, last)
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
        pane.count, pane.room = 0, INLINE
        pane.cells = pane.own
        held = PyDict_GetItem(self._panes, window)
        if held != NULL:
            held = PyDict_GetItem(<dict>held, <object>rep)
            if held != NULL:
                read_pane(pane, self.plan, <bytes>held)
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
                digits = _write_window(number, window)
            rep = <object>pane.rep
            value = write_pane(pane, self.plan)
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
            if pane.cells != pane.own:
                PyMem_Free(pane.cells)
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


cdef inline int64_t _days_kept(int64_t window) noexcept:
    return 0 if window == STANDING else (window + (<int64_t>1 << (KEPT - 1))) >> KEPT


cdef int _write_window(char *to, int64_t window) noexcept:
    """A bar and what `schemas.windows.write_window` says; how long it is."""
    cdef int64_t keep = _days_kept(window)
    if window == STANDING:
        return snprintf(to, 32, b"|s0")
    window -= keep << KEPT
    if keep:
        return snprintf(to, 32, b"|d%lld.%lld", <long long>(window >> 1), <long long>keep)
    return snprintf(to, 32, b"|%c%lld", <int>(b"d" if window & 1 else b"m")[0], <long long>(window >> 1))


cdef inline Py_ssize_t _hash(int64_t window, PyObject *rep) noexcept:
    cdef uint64_t mixed = (<uint64_t>window * 0x9E3779B97F4A7C15ULL) ^ (<uint64_t><size_t>rep * 0xC2B2AE3D27D4EB4FULL)
    return <Py_ssize_t>(mixed >> 20)


cdef inline bint _is_same(const Entry *one, const Entry *other) noexcept:
    """But for the amount."""
    return (
        one.cell == other.cell and one.key == other.key and one.low == other.low and one.at == other.at and one.rep_size == other.rep_size
        and (one.rep_size == 0 or memcmp(one.rep, other.rep, one.rep_size) == 0)
    )
