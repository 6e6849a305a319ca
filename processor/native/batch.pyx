# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The changes of some frames, as `processor.core.batch.ChangeBatch`: plain ones are found in their frame, not decoded.

Owns no rule. Plain is here what the compiled fold takes and msgspec would read the same way: a call, an email or a
meeting with known fields, each once, in UTF-8 and 64 bits. All else is decoded by `schemas.frames`.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from processor.native.lists cimport is_name
from processor.native.rows cimport CODES, NOT_PLAIN, Kind, code_of, fits, kind_of_text
from processor.native.wire cimport (
    is_text,
    read_array,
    read_integer,
    read_map,
    read_number,
    read_text,
    skip_any,
)

from schemas.damage import FIRST_CHANGE, LAST_CHANGE
from schemas.frames import decode_change, decode_changes
from schemas.instants import EARLIEST, LATEST

cdef int64_t _first_change = FIRST_CHANGE, _last_change = LAST_CHANGE, _earliest = EARLIEST, _latest = LATEST


cdef class ChangeBatch:
    """Changes in their order, taken in frame by frame. Those that somebody looks at are decoded then."""

    def __cinit__(self):
        self.items = NULL
        self.codes = NULL
        self.count = self._room = self._codes_count = self._codes_room = 0

    def __init__(self):
        self._frames = []
        self._changes = []

    def __dealloc__(self):
        PyMem_Free(self.items)
        PyMem_Free(self.codes)

    def __len__(self):
        return self.count

    def __iter__(self):
        for place in range(self.count):
            yield self.change(place)

    @property
    def oldest_at(self):
        """The oldest receipt among them (microseconds). ValueError if there is none."""
        return min(self._receipts())

    @property
    def newest_at(self):
        """The newest receipt among them (microseconds). ValueError if there is none."""
        return max(self._receipts())

    def add(self, bytes frame):
        """Take in what a frame holds. Raises msgspec.MsgspecError if it cannot be read: then nothing of it is taken."""
        cdef Py_ssize_t count = self.count, codes = self._codes_count, changes = len(self._changes)
        cdef bint is_ours = False
        self._frames.append(frame)  # before anything points into it
        try:
            is_ours = self._take(frame)
        finally:
            if not is_ours:
                self._cut(count, codes, changes)
        if not is_ours:
            # Written in another way than ours, or damaged: it is for msgspec to say.
            for change in decode_changes(frame).changes:
                self._append(change)

    def parts(self, cutoff_at):
        """Cut by where the cutoff lies at a receipt, the earliest part first. That never falls while receipts grow."""
        cdef const Item *item
        cdef Py_ssize_t place
        cdef int64_t last = 0
        cdef ChangeBatch part = None
        if self.count and cutoff_at(self.oldest_at) == cutoff_at(self.newest_at):
            return [self]
        found = {}
        for place in range(self.count):
            item = &self.items[place]
            received_at = item.received_at if item.change == NULL else (<object>item.change).received_at
            if part is None or received_at != last:  # many come with one delivery
                last = received_at
                cutoff = cutoff_at(received_at)
                part = found.get(cutoff)
                if part is None:
                    part = found[cutoff] = ChangeBatch()
                    part._frames = self._frames
            part._copy(self, item)
        return [part for _, part in sorted(found.items())]

    def _receipts(self):
        """Those of all changes that were decoded, and the oldest and newest of the others."""
        cdef const Item *item
        cdef Py_ssize_t place
        cdef int64_t oldest = 0x7FFFFFFFFFFFFFFF, newest = -0x7FFFFFFFFFFFFFFF - 1
        found = [change.received_at for change in self._changes]
        if self.count == len(found):
            return found
        for place in range(self.count):
            item = &self.items[place]
            if item.change == NULL:
                oldest = min(oldest, item.received_at)
                newest = max(newest, item.received_at)
        return [*found, oldest, newest]

    cdef object change(self, Py_ssize_t place):
        cdef const Item *item = &self.items[place]
        if item.change != NULL:
            return <object>item.change
        return decode_change(PyBytes_FromStringAndSize(<const char *>item.begin, item.size))

    cdef int _take(self, bytes frame) except -1:
        """1; 0 if the frame as a whole is not as ours are."""
        cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(frame)
        cdef const uint8_t *end = at + PyBytes_GET_SIZE(frame)
        cdef const uint8_t *begin
        cdef uint32_t number
        if not read_array(&at, end, &number) or number != 1 or not read_array(&at, end, &number):
            return 0
        for _ in range(number):
            begin = at
            if self._read(&at, end):
                continue
            at = begin
            if not skip_any(&at, end):
                return 0
            self._append(decode_change(PyBytes_FromStringAndSize(<const char *>begin, at - begin)))
        return at == end

    cdef bint _read(self, const uint8_t **at, const uint8_t *end) except -1:
        """Read a plain change. False where it is not, with `at` anywhere."""
        cdef const uint8_t *begin = at[0]
        cdef const uint8_t *text
        cdef uint32_t size, entries, count
        cdef uint64_t known = 0
        cdef int64_t number
        cdef bint is_negative
        cdef int code
        cdef uint8_t head
        cdef Item item
        if not read_array(at, end, &size) or size != 6 or not read_text(at, end, &text, &size):
            return False
        item.kind = kind_of_text(text, size)
        if item.kind == NOT_PLAIN:
            return False
        if not read_text(at, end, &item.id, &item.id_size) or not is_text(item.id, item.id_size):
            return False
        if not is_name(item.id, item.id_size):
            return False
        if not read_integer(at, end, &item.changed_at) or not _first_change <= item.changed_at <= _last_change:
            return False
        if not read_number(at, end, &item.digest, &is_negative) or is_negative:
            return False
        if not read_map(at, end, &entries) or entries > CODES:
            return False
        self._make_room()
        item.fields = at[0]
        item.entries = entries
        item.codes = self._codes_count
        for _ in range(entries):
            if not read_text(at, end, &text, &size):
                return False
            code = code_of(text, size)
            if code < 0 or known >> code & 1 or not fits(item.kind, code, at[0], end):
                return False
            known |= <uint64_t>1 << code
            self.codes[self._codes_count] = code
            self._codes_count += 1
            head = at[0][0]
            if head == 0xC0 or head == 0xC2 or head == 0xC3:
                at[0] += 1
            elif head >> 5 == 5 or 0xD9 <= head <= 0xDB:
                if not read_text(at, end, &text, &size) or not is_text(text, size):
                    return False
            elif read_array(at, end, &count):
                for _ in range(count):
                    if not read_text(at, end, &text, &size) or not is_text(text, size):
                        return False
            elif not read_integer(at, end, &number):
                return False
        if not read_integer(at, end, &item.received_at) or not _earliest <= item.received_at <= _latest:
            return False
        item.change = NULL
        item.begin = begin
        item.size = at[0] - begin
        self._next()[0] = item
        self.count += 1
        return True

    cdef int _append(self, object change) except -1:
        cdef Item *item = self._next()
        self._changes.append(change)
        item.change = <PyObject *>change
        item.kind = NOT_PLAIN
        self.count += 1
        return 0

    cdef int _copy(self, ChangeBatch other, const Item *item) except -1:
        """Append what is one of the other's, whose frames are held."""
        cdef Item *mine
        if item.change != NULL:
            return self._append(<object>item.change)
        self._make_room()
        mine = self._next()
        mine[0] = item[0]
        mine.codes = self._codes_count
        memcpy(self.codes + mine.codes, other.codes + item.codes, item.entries)
        self._codes_count += item.entries
        self.count += 1
        return 0

    cdef int _make_room(self) except -1:
        """For the codes of one more."""
        if self._codes_room - self._codes_count < CODES:
            self._codes_room = 2 * self._codes_room + 4096
            codes = <uint8_t *>PyMem_Realloc(self.codes, self._codes_room)
            if codes == NULL:
                raise MemoryError
            self.codes = codes
        return 0

    cdef Item *_next(self) except NULL:
        """Room for one more."""
        if self.count == self._room:
            room = 2 * self._room + 256
            items = <Item *>PyMem_Realloc(self.items, room * sizeof(Item))
            if items == NULL:
                raise MemoryError
            self.items = items
            self._room = room
        return &self.items[self.count]

    cdef int _cut(self, Py_ssize_t count, Py_ssize_t codes, Py_ssize_t changes) except -1:
        """Forget what came after that."""
        self.count = count
        self._codes_count = codes
        del self._changes[changes:]
        self._frames.pop()
        return 0
