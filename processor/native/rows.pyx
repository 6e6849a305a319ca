# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Rows of calls, emails and meetings: read, folded and written, byte for byte as `schemas.records` does.

A row with anything that is not plain is not read at all: histories, pointers that had other values, fields of another
kind or type. A change that moves a pointer is handed back.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_CheckExact
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from processor.native.lists cimport is_list, is_name, skip_value
from processor.native.wire cimport is_ascii, read_array, read_integer, read_map, read_number, read_text
from processor.native.wire cimport write_head, write_integer, write_number, write_text

from processor.core.retention import INSTANTS
from schemas.damage import FIRST_CHANGE, LAST_CHANGE, LONGEST
from schemas.instants import EARLIEST, LATEST
from schemas.records import CONTACTS, DELETED, FIELD_CODES, FIELDS, NAMED_IN_ORDER, FieldType

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef enum:
    VERSIONS = CODES  # a row has no more versions than fields
    NAME_SIZE = 24
    BUCKETS = 256

KINDS = ("call", "email", "meeting")
cdef dict _codes = dict(FIELD_CODES)
cdef uint64_t _named[4]
cdef uint64_t _instants[4]
cdef Form _form[4][CODES]
cdef int64_t _first_instant = EARLIEST, _last_instant = LATEST, _longest = LONGEST
cdef int64_t _first_change = FIRST_CHANGE, _last_change = LAST_CHANGE
_FORMS = {
    FieldType.FLAG: FLAG, FieldType.INSTANT: INSTANT, FieldType.SECONDS: DURATION, FieldType.REFERENCE: REFERENCE,
    FieldType.DECIMAL: NO_FIELD,  # no plain kind has one
    FieldType.REFERENCES: LISTED,
    FieldType.PHONE: NO_FIELD,  # a row that a group of `match` hears of is left to Python
}
cdef list _groups = [""] * CODES  # whom a pointer tells
cdef uint8_t _name[CODES][NAME_SIZE]
cdef uint32_t _name_size[CODES]
cdef int _next[CODES]
cdef int _first[BUCKETS]


def _prepare():
    if max(_codes.values()) >= CODES:
        raise RuntimeError("there are more fields than a row has room for here")
    for place, kind in enumerate(KINDS, 1):
        names = NAMED_IN_ORDER.get(kind, ())
        _named[place] = sum(1 << _codes[name] for name in names)
        _instants[place] = sum(1 << _codes[name] for name in INSTANTS[kind])
        for name, field_type in FIELDS[kind].items():
            _form[place][<int>_codes[name]] = _FORMS.get(field_type, TEXT)
        _form[place][<int>_codes[DELETED]] = FLAG
    for bucket in range(BUCKETS):
        _first[bucket] = -1
    for name, code in _codes.items():
        _groups[code] = "lead" if name == CONTACTS else name
        written = name.encode("ascii")
        if not 0 < len(written) <= NAME_SIZE:
            raise RuntimeError(f"the name {name} is too long to be found here")
        memcpy(&_name[code][0], PyBytes_AS_STRING(written), len(written))
        _name_size[code] = len(written)
        bucket = _bucket(&_name[code][0], len(written))
        _next[code] = _first[bucket]
        _first[bucket] = code


cdef inline int _bucket(const uint8_t *text, uint32_t size) noexcept:
    return <int>((size * 31 + text[0] * 7 + text[size - 1] * 3 + text[size // 2]) & (BUCKETS - 1))


cdef int code_of(const uint8_t *text, uint32_t size) noexcept:
    """Of a field; -1 where there is none of that name."""
    cdef int code
    if not 0 < size <= NAME_SIZE:
        return -1
    code = _first[_bucket(text, size)]
    while code >= 0 and (_name_size[code] != size or memcmp(&_name[code][0], text, size) != 0):
        code = _next[code]
    return code


_prepare()


cdef int _make_room(Buffer *buffer, Py_ssize_t size) except -1:
    if buffer.size < size:
        data = <uint8_t *>PyMem_Realloc(buffer.data, 2 * size)
        if data == NULL:
            raise MemoryError
        buffer.data = data
        buffer.size = 2 * size
    return 0


cdef Kind kind_of_text(const uint8_t *text, Py_ssize_t size) noexcept:
    if size == 4 and memcmp(text, b"call", 4) == 0:
        return CALL
    if size == 5 and memcmp(text, b"email", 5) == 0:
        return EMAIL
    if size == 7 and memcmp(text, b"meeting", 7) == 0:
        return MEETING
    return NOT_PLAIN


cdef Kind kind_of(object kind) except *:
    cdef Py_ssize_t size
    cdef const char *text
    if not PyUnicode_CheckExact(kind):
        return NOT_PLAIN
    text = PyUnicode_AsUTF8AndSize(kind, &size)
    return kind_of_text(<const uint8_t *>text, size)


cdef void begin(Row *row, Kind kind) noexcept:
    """A record of which nothing is known."""
    row.kind = kind
    row.is_set = 0


cdef void drop(Row *row) noexcept:
    """Let its buffers go."""
    PyMem_Free(row.values.data)
    PyMem_Free(row.out.data)
    row.values.data = row.out.data = NULL
    row.values.size = row.out.size = 0


cdef bint read_row(Row *row, const uint8_t *at, Py_ssize_t size) noexcept:
    """False where it is not plain. What is read points into the row's bytes."""
    cdef const uint8_t *end = at + size
    cdef const uint8_t *text
    cdef uint32_t length, patches, entries
    cdef int64_t set_at, code
    cdef uint64_t digest
    cdef bint is_negative
    cdef Slot *slot
    if not read_array(&at, end, &length) or length != 4 or not read_text(&at, end, &text, &length):
        return False
    begin(row, kind_of_text(text, length))
    if row.kind == NOT_PLAIN or not read_array(&at, end, &patches):
        return False
    for _ in range(patches):
        if not read_array(&at, end, &length) or length != 3 or not read_integer(&at, end, &set_at):
            return False
        if not read_number(&at, end, &digest, &is_negative) or is_negative or not read_map(&at, end, &entries):
            return False
        for _ in range(entries):
            if not read_integer(&at, end, &code) or not 0 <= code < CODES or not fits(row.kind, <int>code, at, end):
                return False
            slot = &row.slots[code]
            slot.at = set_at
            slot.digest = digest
            slot.value = at
            if not skip_value(&at, end):
                return False
            slot.size = <uint32_t>(at - slot.value)
            row.is_set |= <uint64_t>1 << code
    if not read_map(&at, end, &length) or length or not read_map(&at, end, &length) or length:
        return False
    return at == end


cdef bint fits(Kind kind, int code, const uint8_t *at, const uint8_t *end) noexcept:
    """Whether the value at `at` is one that this field of this kind may have (`schemas.damage`)."""
    cdef Form form = _form[<int>kind][code]
    cdef const uint8_t *text
    cdef uint32_t size
    cdef int64_t number
    cdef uint8_t head
    if at >= end or form == NO_FIELD:
        return False
    head = at[0]
    if head == 0xC0:
        return True
    if head == 0xC2 or head == 0xC3:
        return form == FLAG
    if head >> 4 == 9 or head == 0xDC:
        return form == LISTED and is_list(at, end)
    if head >> 5 == 5 or 0xD9 <= head <= 0xDB:
        return form == TEXT or (form == REFERENCE and read_text(&at, end, &text, &size) and is_name(text, size))
    if not read_integer(&at, end, &number):
        return False
    if form == INSTANT:
        return _first_instant <= number <= _last_instant
    return form == DURATION and 0 <= number <= _longest


cdef inline bint _is_newer(const Row *row, int code, int64_t at, uint64_t digest) noexcept:
    """Whether a change of that version says what the field holds."""
    cdef const Slot *slot = &row.slots[code]
    return not row.is_set >> code & 1 or slot.at < at or (slot.at == at and slot.digest < digest)


cdef bint _holds(const uint8_t *ids, const uint8_t *end, const uint8_t *id, uint32_t size) noexcept:
    """Whether an id is among those of a pointer: none, one or a list."""
    cdef const uint8_t *text
    cdef uint32_t length, count = 1
    read_array(&ids, end, &count)
    for _ in range(count):
        if read_text(&ids, end, &text, &length) and length == size and memcmp(text, id, size) == 0:
            return True
    return False


cdef bint _lacks(const uint8_t *ids, const uint8_t *end, const uint8_t *others, const uint8_t *others_end) noexcept:
    """Whether any of the other ids is not among these."""
    cdef const uint8_t *text
    cdef uint32_t length, count = 1
    read_array(&others, others_end, &count)
    for _ in range(count):
        if read_text(&others, others_end, &text, &length) and not _holds(ids, end, text, length):
            return True
    return False


cdef inline void _set(
    Row *row, int code, int64_t at, uint64_t digest, const uint8_t *value, uint32_t size
) noexcept:
    cdef Slot *slot = &row.slots[code]
    slot.at = at
    slot.digest = digest
    slot.value = value
    slot.size = size
    row.is_set |= <uint64_t>1 << code


cdef Fold fold(
    Row *row, int64_t at, uint64_t digest, const uint8_t *fields, const uint8_t *end, uint32_t entries,
    const uint8_t *codes,
) except *:
    """Take a change in, as `Record.fold` does: the codes of its fields are known, its values are plain.

    Its values lie in a buffer of the row. HAND_BACK: the row is not what it was and must not be used.
    """
    cdef const uint8_t *text, *value, *held_end
    cdef uint32_t length, count, place
    cdef int64_t number
    cdef Py_ssize_t size
    cdef uint8_t *to
    cdef int code
    cdef Fold found = STALE
    cdef bint is_newer
    cdef const Slot *held
    _make_room(&row.values, end - fields)  # what is written as short as can be needs no more than it had
    to = row.values.data
    for place in range(entries):
        code = codes[place]
        read_text(&fields, end, &text, &length)  # its name
        value = fields
        skip_value(&fields, end)
        is_newer = _is_newer(row, code, at, digest)
        if (_named[<int>row.kind] & row.is_set) >> code & 1:
            held = &row.slots[code]
            held_end = held.value + held.size
            # An id that it had and has not now, or that it had once, is to be remembered.
            if _lacks(value, fields, held.value, held_end) if is_newer else _lacks(held.value, held_end, value, fields):
                return HAND_BACK
        if not is_newer:
            continue
        if value[0] == 0xC0 or value[0] == 0xC2 or value[0] == 0xC3:
            to[0] = value[0]
            size = 1
        elif read_integer(&value, end, &number):
            size = write_integer(to, number)
        elif read_array(&value, end, &count):
            size = write_head(to, 0x90, 16, 0xDC, count)
            for _ in range(count):
                read_text(&value, end, &text, &length)
                size += write_text(to + size, text, length)
        else:
            read_text(&value, end, &text, &length)
            size = write_text(to, text, length)
        _set(row, code, at, digest, to, <uint32_t>size)
        found = NEWS
        to += size
    return found


cdef bytes write_row(Row *row):
    """As `Record.encode` writes it."""
    cdef int64_t ats[VERSIONS]
    cdef uint64_t digests[VERSIONS]
    cdef uint64_t codes[VERSIONS]
    cdef int order[VERSIONS]
    cdef int versions = 0, code, place, held
    cdef Py_ssize_t room = 64
    cdef uint64_t rest = row.is_set
    cdef const Slot *slot
    cdef uint8_t *to
    for code in range(CODES):
        if not rest:
            break
        if rest & 1:
            slot = &row.slots[code]
            room += slot.size + 24
            for place in range(versions):
                if ats[place] == slot.at and digests[place] == slot.digest:
                    codes[place] |= <uint64_t>1 << code
                    break
            else:
                ats[versions] = slot.at
                digests[versions] = slot.digest
                codes[versions] = <uint64_t>1 << code
                place = versions
                while place > 0:
                    held = order[place - 1]
                    if ats[held] < slot.at or (ats[held] == slot.at and digests[held] < slot.digest):
                        break
                    order[place] = held
                    place -= 1
                order[place] = versions
                versions += 1
        rest >>= 1
    _make_room(&row.out, room)
    to = row.out.data
    to[0] = 0x94
    to += 1
    if row.kind == CALL:
        to += write_text(to, b"call", 4)
    elif row.kind == EMAIL:
        to += write_text(to, b"email", 5)
    else:
        to += write_text(to, b"meeting", 7)
    to += write_head(to, 0x90, 16, 0xDC, versions)
    for place in range(versions):
        held = order[place]
        to[0] = 0x93
        to += 1
        to += write_integer(to, ats[held])
        to += write_number(to, digests[held])
        to += write_head(to, 0x80, 16, 0xDE, _ones(codes[held]))
        rest = codes[held]
        for code in range(CODES):
            if not rest:
                break
            if rest & 1:
                slot = &row.slots[code]
                to += write_number(to, code)
                memcpy(to, slot.value, slot.size)
                to += slot.size
            rest >>= 1
    to[0] = 0x80
    to[1] = 0x80
    to += 2
    return PyBytes_FromStringAndSize(<char *>row.out.data, to - row.out.data)


cdef inline int _ones(uint64_t bits) noexcept:
    cdef int ones = 0
    while bits:
        bits &= bits - 1
        ones += 1
    return ones


cdef bint is_sound(const Row *row) noexcept:
    """Whether its texts are UTF-8 for sure and its versions such as a connector gives: a row that nobody of ours need
    have written (`schemas.damage.check_row` says it of all others)."""
    cdef int code
    cdef uint32_t size, count
    cdef const uint8_t *at
    cdef const uint8_t *text
    cdef const Slot *slot
    cdef uint64_t rest = row.is_set
    for code in range(CODES):
        if not rest:
            break
        if rest & 1:
            slot = &row.slots[code]
            if not _first_change <= slot.at <= _last_change:
                return False
            at = slot.value
            count = 1
            read_array(&at, slot.value + slot.size, &count)
            for _ in range(count):
                if read_text(&at, slot.value + slot.size, &text, &size) and not is_ascii(text, size):
                    return False
        rest >>= 1
    return True


def is_plain(bytes row not None):
    """Whether it is a row of a call, an email or a meeting, and sound."""
    cdef Row found
    memset(&found, 0, sizeof(Row))
    return read_row(&found, <const uint8_t *>PyBytes_AS_STRING(row), PyBytes_GET_SIZE(row)) and is_sound(&found)


cdef int64_t oldest_version(const Row *row) noexcept:
    """When the first of its versions that still hold something was said; of a row that has any field."""
    cdef int code
    cdef int64_t oldest = 0x7FFFFFFFFFFFFFFF
    cdef uint64_t rest = row.is_set
    for code in range(CODES):
        if not rest:
            break
        if rest & 1 and row.slots[code].at < oldest:
            oldest = row.slots[code].at
        rest >>= 1
    return oldest


cdef list groups_of(const Row *row):
    """The groups that it names, each once."""
    cdef int code
    cdef const uint8_t *at, *end, *text
    cdef uint32_t size, count
    cdef uint64_t rest = _named[<int>row.kind] & row.is_set
    found = []
    for code in range(CODES):
        if not rest:
            break
        if rest & 1:
            at, count = row.slots[code].value, 1
            end = at + row.slots[code].size
            read_array(&at, end, &count)
            for _ in range(count):
                if read_text(&at, end, &text, &size):
                    group = f"{_groups[code]}:{(<const char *>text)[:size].decode('utf-8')}"
                    if group not in found:
                        found.append(group)
        rest >>= 1
    return found


cdef int speaks_of_the_past(const Row *row, int64_t cutoff) noexcept:
    """Whether all that it names happened before the cutoff; -1: not plain."""
    cdef int code
    cdef int64_t instant
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef bint names_any = False
    cdef uint64_t rest = row.is_set & _instants[<int>row.kind]
    for code in range(CODES):
        if not rest:
            break
        if rest & 1 and row.slots[code].value[0] != 0xC0:
            at = row.slots[code].value
            end = at + row.slots[code].size
            if not read_integer(&at, end, &instant) or at != end:
                return -1
            if instant >= cutoff:
                return False
            names_any = True
        rest >>= 1
    return names_any
