# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Deliveries of kind `generic`, read straight into the frames of their changes, byte for byte as Python does.

Owns no rule: `schemas.connectors.generic` and `schemas.connectors.fields` say what an event is. What is not plain is
handed back whole, the delivery and all that is in it: envelopes, escapes and other scripts, unknown members and fields,
whatever has to be trimmed, refused, ignored or counted apart.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove

from processor.native.plain_json cimport (
    FALSE,
    NIL,
    NUMBER,
    TEXT,
    TRUE,
    Item,
    read_instant,
    read_item,
    read_plain_text,
    skip_sign,
    skip_space,
    value_of,
)
from processor.native.wire cimport (
    read_array,
    read_integer,
    read_map,
    read_text,
    write_head,
    write_integer,
    write_number,
    write_text,
)

from hashlib import blake2b
from zlib import crc32

import msgspec

from schemas.connectors.base import CLOCK_AHEAD, MAX_EVENTS
from schemas.connectors.fields import MAX_DECIMALS, MAX_ID, MAX_TALK, MAX_TEXT
from schemas.frames import MAX_FRAME, record_key
from schemas.records import CHOICES, DELETED, FIELDS, HASH_MASK, FieldType

cdef enum:
    KINDS = 16
    MEMBERS = 24  # of a kind: its fields and the deletion
    CHOICES_KEPT = 8
    NAMESPACE = 255
    ID = 256  # the longest id that there is room for
    HEAD = 8  # checksum and size of a change, before its bytes

# How a value is read: as `schemas.connectors.fields` does it for a type of field.
cdef enum Form:
    HAND_BACK = 0
    WORDS = 1
    CHOICE = 2
    FLAG = 3
    INSTANT = 4
    SECONDS = 5
    DECIMAL = 6
    CURRENCY = 7
    REFERENCE = 8

cdef struct Named:
    const uint8_t *name
    uint32_t size
    Form form
    int choices
    const uint8_t *choice[CHOICES_KEPT]
    uint32_t choice_size[CHOICES_KEPT]

cdef struct Kind:
    const uint8_t *name
    uint32_t size
    int members
    Named member[MEMBERS]  # in the order of names, in which a change has them
    int deleted
    int stage
    int entered_at

cdef struct Event:
    # What an event says, before anything is made of it.
    Item record
    Item id
    Item changed_at
    Item deleted
    bint has_fields
    int fields
    const uint8_t *name[MEMBERS]
    uint32_t name_size[MEMBERS]
    Item value[MEMBERS]

cdef struct Heard:
    # One connection: what its deliveries add to the counters.
    const uint8_t *name
    uint32_t size
    const uint8_t *namespace
    uint32_t namespace_size
    int64_t deliveries
    int64_t events
    int64_t received_at
    int64_t changed_at

cdef Kind _kinds[KINDS]
cdef int _kinds_known = 0
cdef uint32_t _crc[256]
cdef list _kept = []  # the texts that the tables point into
cdef int64_t _clock_ahead = CLOCK_AHEAD, _max_talk = MAX_TALK
cdef uint32_t _max_text = MAX_TEXT, _max_id = MAX_ID, _max_decimals = MAX_DECIMALS, _max_events = MAX_EVENTS
cdef Py_ssize_t _max_frame = MAX_FRAME - 8  # without the heads of a frame
cdef uint64_t _hash_mask = HASH_MASK
cdef object _encode = msgspec.msgpack.Encoder().encode

_FORMS = {
    FieldType.TEXT: WORDS,
    FieldType.CHOICE: CHOICE,
    FieldType.FLAG: FLAG,
    FieldType.INSTANT: INSTANT,
    FieldType.SECONDS: SECONDS,
    FieldType.DECIMAL: DECIMAL,
    FieldType.CURRENCY: CURRENCY,
    FieldType.REFERENCE: REFERENCE,
}


cdef const uint8_t *_keep(str text, uint32_t *size) except NULL:
    raw = text.encode()
    _kept.append(raw)
    size[0] = <uint32_t>len(raw)
    return <const uint8_t *>PyBytes_AS_STRING(raw)


cdef int _prepare() except -1:
    """The tables: from those of `schemas.records`."""
    global _kinds_known
    cdef Kind *kind
    cdef Named *named
    cdef uint32_t rest
    if MAX_ID > ID:
        raise RuntimeError("an id may be longer than there is room for here")
    if len(FIELDS) > KINDS:
        raise RuntimeError("there are more kinds than there is room for here")
    for place, (kind_name, fields) in enumerate(FIELDS.items()):
        kind = &_kinds[<int>place]
        kind.name = _keep(kind_name, &kind.size)
        names = sorted([*fields, DELETED])
        if len(names) > MEMBERS:
            raise RuntimeError(f"a {kind_name} has more fields than there is room for here")
        kind.members = len(names)
        kind.deleted = names.index(DELETED)
        kind.stage = names.index("stage") if "stage" in fields else -1
        kind.entered_at = names.index("entered_stage_at") if "stage" in fields else -1
        for number, name in enumerate(names):
            named = &kind.member[<int>number]
            named.name = _keep(name, &named.size)
            named.form = FLAG if name == DELETED else _FORMS.get(fields[name], HAND_BACK)
            named.choices = 0
            for choice in sorted(CHOICES[kind_name, name]) if named.form == CHOICE else ():
                if named.choices == CHOICES_KEPT:
                    raise RuntimeError(f"{name} of a {kind_name} has more choices than there is room for here")
                named.choice[named.choices] = _keep(choice, &named.choice_size[named.choices])
                named.choices += 1
        _kinds_known += 1
    for place in range(256):
        rest = <uint32_t>place
        for _ in range(8):
            rest = rest >> 1 ^ (0xEDB88320 if rest & 1 else 0)
        _crc[<int>place] = rest
    return 0


_prepare()


cdef inline bint _is(const uint8_t *one, uint32_t ones, const uint8_t *other, uint32_t others) noexcept:
    return ones == others and memcmp(one, other, ones) == 0


cdef inline bint _is_trimmed(const Item *item, uint32_t most) noexcept:
    """A text that is stored as it stands, or a whole number, which is stored as its digits."""
    if item.what == NUMBER:
        return True
    return item.what == TEXT and 0 < item.size <= most and item.text[0] != 0x20 and item.text[item.size - 1] != 0x20


cdef inline bint _read_event(const uint8_t **at, const uint8_t *end, Event *event) noexcept:
    cdef const uint8_t *name
    cdef uint32_t size
    cdef Item *item
    event.record.what = event.id.what = event.changed_at.what = event.deleted.what = NIL
    event.has_fields = False
    event.fields = 0
    if not skip_sign(at, end, b"{"):
        return False
    while True:
        if not read_plain_text(at, end, &name, &size) or not skip_sign(at, end, b":"):
            return False
        if _is(name, size, b"fields", 6):
            if event.has_fields or not _read_fields(at, end, event):
                return False
            event.has_fields = True
        else:
            if _is(name, size, b"record", 6):
                item = &event.record
            elif _is(name, size, b"id", 2):
                item = &event.id
            elif _is(name, size, b"changed_at", 10):
                item = &event.changed_at
            elif _is(name, size, b"deleted", 7):
                item = &event.deleted
            else:
                return False
            # Of a member that is there twice the last one counts.
            if item.what != NIL or not read_item(at, end, item) or item.what == NIL:
                return False
        skip_space(at, end)
        if at[0] < end and at[0][0] == b"}":
            at[0] += 1
            return True
        if not skip_sign(at, end, b","):
            return False


cdef inline bint _read_fields(const uint8_t **at, const uint8_t *end, Event *event) noexcept:
    if not skip_sign(at, end, b"{"):
        return False
    if at[0] < end and at[0][0] == b"}":
        at[0] += 1
        return True
    while event.fields < MEMBERS:
        if not read_plain_text(at, end, &event.name[event.fields], &event.name_size[event.fields]):
            return False
        if not skip_sign(at, end, b":") or not read_item(at, end, &event.value[event.fields]):
            return False
        event.fields += 1
        skip_space(at, end)
        if at[0] < end and at[0][0] == b"}":
            at[0] += 1
            return True
        if not skip_sign(at, end, b","):
            return False
    return False


cdef inline uint32_t _decimal(const Item *item) noexcept:
    """How much of the text is the one writing of this number; 0: it is not plain."""
    cdef uint32_t place = 0, whole
    if item.what == NUMBER:
        return item.size
    if item.what != TEXT or item.size > 24:
        return 0
    while place < item.size and 0x30 <= item.text[place] <= 0x39:
        place += 1
    whole = place
    if whole == 0 or whole > 15 or (item.text[0] == 0x30 and whole > 1):
        return 0
    if place == item.size:
        return whole
    if item.text[place] != 0x2E or place + 1 == item.size or item.size - place - 1 > _max_decimals:
        return 0
    for place in range(whole + 1, item.size):
        if not 0x30 <= item.text[place] <= 0x39:
            return 0
    place = item.size
    while item.text[place - 1] == 0x30:
        place -= 1
    return whole if item.text[place - 1] == 0x2E else place


cdef inline Py_ssize_t _write_reference(uint8_t *to, const Heard *heard, const Item *item) noexcept:
    cdef Py_ssize_t head
    cdef uint8_t joined[NAMESPACE + 1 + ID]
    if heard.namespace_size == 0:
        return write_text(to, item.text, item.size)
    memcpy(joined, heard.namespace, heard.namespace_size)
    joined[heard.namespace_size] = b":"
    memcpy(joined + heard.namespace_size + 1, item.text, item.size)
    return write_text(to, joined, heard.namespace_size + 1 + item.size)


cdef Py_ssize_t _write_value(uint8_t *to, const Named *named, const Item *item, const Heard *heard) noexcept:
    """As msgpack; 0: it is not plain."""
    cdef int64_t number
    cdef uint32_t size
    cdef int place
    if item.what == NIL:
        if named.form == HAND_BACK:
            return 0
        to[0] = 0xC0
        return 1
    if named.form == INSTANT:
        if item.what == TEXT and read_instant(item.text, item.size, &number):
            return write_integer(to, number)
    elif named.form == REFERENCE:
        if _is_trimmed(item, _max_id):
            return _write_reference(to, heard, item)
    elif named.form == CHOICE:
        if item.what == TEXT:
            for place in range(named.choices):
                if _is(item.text, item.size, named.choice[place], named.choice_size[place]):
                    return write_text(to, item.text, item.size)
    elif named.form == WORDS:
        if _is_trimmed(item, _max_text):
            return write_text(to, item.text, item.size)
    elif named.form == FLAG:
        if item.what == TRUE or item.what == FALSE:
            to[0] = 0xC3 if item.what == TRUE else 0xC2
            return 1
    elif named.form == SECONDS:
        if item.what == NUMBER:
            number = value_of(item.text, item.size)
            if number <= _max_talk:
                return write_integer(to, number * 1_000_000)
    elif named.form == DECIMAL:
        size = _decimal(item)
        if size:
            return write_text(to, item.text, size)
    elif named.form == CURRENCY:
        if item.what == TEXT and item.size == 3:
            for place in range(3):
                if not 0x41 <= item.text[place] <= 0x5A:
                    return 0
            return write_text(to, item.text, 3)
    return 0


cdef class Events:
    """The changes of a batch of deliveries, each as it stands in a frame: encoded once, when it is read."""

    cdef uint8_t *_data
    cdef Py_ssize_t _size, _room
    cdef Heard *_heard
    cdef int _connections
    cdef tuple _texts
    cdef readonly int64_t oldest_at
    """The oldest receipt among the deliveries that were read (microseconds)."""
    cdef Py_ssize_t _changes
    cdef uint32_t _last_checksum
    cdef int64_t _last_changed_at

    def __cinit__(self, namespaces):
        """`namespaces`: of the connections whose deliveries are read here, by their names."""
        cdef Heard *heard
        self.oldest_at = <int64_t>1 << 62
        self._texts = tuple(
            (name.encode(), namespace.encode())
            for name, namespace in namespaces.items()
            if len(namespace.encode()) <= NAMESPACE
        )
        self._heard = <Heard *>PyMem_Malloc(max(1, len(self._texts)) * sizeof(Heard))
        if self._heard == NULL:
            raise MemoryError
        for name, namespace in self._texts:
            heard = &self._heard[self._connections]
            heard.name, heard.size = <const uint8_t *>PyBytes_AS_STRING(name), <uint32_t>len(name)
            heard.namespace, heard.namespace_size = (
                <const uint8_t *>PyBytes_AS_STRING(namespace), <uint32_t>len(namespace)
            )
            heard.deliveries = heard.events = heard.received_at = heard.changed_at = 0
            self._connections += 1

    def __dealloc__(self):
        PyMem_Free(self._data)
        PyMem_Free(self._heard)

    def __len__(self):
        return self._changes

    cdef int _make_room(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = self._size + more
        if room > self._room:
            room += room // 2
            data = <uint8_t *>PyMem_Realloc(self._data, room)
            if data == NULL:
                raise MemoryError
            self._data, self._room = data, room
        return 0

    def read(self, bytes raw not None, bint is_counted):
        """Take the changes of a stored delivery in. False: it is not plain, and nothing was taken."""
        cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(raw)
        cdef const uint8_t *end = at + PyBytes_GET_SIZE(raw)
        cdef const uint8_t *text
        cdef uint32_t size, pairs
        cdef int64_t received_at, newest = 0
        cdef Heard *heard = NULL
        cdef bint is_json = False
        cdef int place
        cdef Py_ssize_t before = self._size, changes = self._changes
        if not read_array(&at, end, &size) or size != 4 or not read_text(&at, end, &text, &size):
            return False
        for place in range(self._connections):
            if _is(text, size, self._heard[place].name, self._heard[place].size):
                heard = &self._heard[place]
                break
        if heard == NULL or not read_integer(&at, end, &received_at) or not 0 <= received_at < <int64_t>1 << 61:
            return False
        if not read_map(&at, end, &pairs):
            return False
        for _ in range(pairs):
            if not _read_ascii(&at, end, &text, &size):
                return False
            if size >= 3 and memcmp(text, b"ce-", 3) == 0:
                return False
            if _is(text, size, b"content-type", 12):
                if is_json or not _read_ascii(&at, end, &text, &size) or not _is(text, size, b"application/json", 16):
                    return False
                is_json = True
            elif not _read_ascii(&at, end, &text, &size):
                return False
        if not is_json or not _read_body(&at, end):
            return False
        if not self._read_json(at, end, heard, received_at, &newest):
            self._size, self._changes = before, changes
            return False
        if received_at < self.oldest_at:
            self.oldest_at = received_at
        if is_counted:
            heard.deliveries += 1
            heard.events += self._changes - changes
            heard.received_at = max(heard.received_at, received_at)
            heard.changed_at = max(heard.changed_at, newest)
        return True

    cdef bint _read_json(
        self, const uint8_t *at, const uint8_t *end, Heard *heard, int64_t received_at, int64_t *newest
    ) except -1:
        """One event, or an array of them, of which no two may speak of one record and instant: those have places."""
        cdef Event event
        cdef uint32_t events = 0
        cdef set seen = set()
        skip_space(&at, end)
        if at < end and at[0] == b"[":
            at += 1
            while True:
                if not _read_event(&at, end, &event) or not self._take(&event, heard, received_at, newest):
                    return False
                events += 1
                said = (self._last_checksum, self._last_changed_at)
                if said in seen:
                    return False
                seen.add(said)
                skip_space(&at, end)
                if at < end and at[0] == b"]":
                    at += 1
                    break
                if events == _max_events or at == end or at[0] != b",":
                    return False
                at += 1
        elif not _read_event(&at, end, &event) or not self._take(&event, heard, received_at, newest):
            return False
        skip_space(&at, end)
        return at == end

    cdef bint _take(self, const Event *event, const Heard *heard, int64_t received_at, int64_t *newest) except -1:
        cdef const Kind *kind = NULL
        cdef const Item *items[MEMBERS]
        cdef const Named *named
        cdef Item entered_at
        cdef int64_t changed_at
        cdef int place, number
        cdef uint32_t is_set = 0
        cdef uint64_t digest
        cdef Py_ssize_t room = 0, written
        cdef uint8_t *change
        cdef uint8_t *fields
        cdef uint8_t *to
        cdef uint8_t number_text[9]
        if event.record.what != TEXT:
            return False
        for place in range(_kinds_known):
            if _is(event.record.text, event.record.size, _kinds[place].name, _kinds[place].size):
                kind = &_kinds[place]
                break
        if kind == NULL or not _is_trimmed(&event.id, _max_id):
            return False
        if event.changed_at.what != TEXT or not read_instant(event.changed_at.text, event.changed_at.size, &changed_at):
            return False
        if changed_at > received_at + _clock_ahead:
            return False
        for number in range(event.fields):
            for place in range(kind.members):
                named = &kind.member[place]
                if place != kind.deleted and _is(event.name[number], event.name_size[number], named.name, named.size):
                    break
            else:
                return False
            if is_set >> place & 1:
                return False
            is_set |= <uint32_t>1 << place
            items[place] = &event.value[number]
            room += event.value[number].size if event.value[number].what >= NUMBER else 0
        if event.deleted.what != NIL:
            if event.deleted.what != TRUE and event.deleted.what != FALSE:
                return False
            is_set |= <uint32_t>1 << kind.deleted
            items[kind.deleted] = &event.deleted
        elif not event.has_fields:
            return False
        if not is_set:
            return False
        if kind.stage >= 0 and is_set >> kind.stage & 1 and not is_set >> kind.entered_at & 1:
            if items[kind.stage].what != NIL:
                entered_at = event.changed_at
                items[kind.entered_at] = &entered_at
                is_set |= <uint32_t>1 << kind.entered_at
        # More than enough: the id, and of each field its name, its text with a namespace, and their heads.
        self._make_room(HEAD + 2 * (NAMESPACE + 64) + event.id.size + room + kind.members * (NAMESPACE + 64))
        change = self._data + self._size + HEAD
        change[0] = 0x94
        to = change + 1
        to += write_text(to, kind.name, kind.size)
        to += _write_reference(to, heard, &event.id)
        to += write_integer(to, changed_at)
        fields = to
        to += write_head(to, 0x80, 16, 0xDE, _ones(is_set))
        for place in range(kind.members):
            if is_set >> place & 1:
                to += write_text(to, kind.member[place].name, kind.member[place].size)
                written = _write_value(to, &kind.member[place], items[place], heard)
                if not written:
                    return False
                to += written
        # What the digest is made of is the change but for the digest itself, which comes before the fields.
        digest = _digest(change, to - change)
        change[0] = 0x96
        written = write_number(number_text, digest)
        memmove(fields + written, fields, to - fields)
        memcpy(fields, number_text, written)
        to += written
        to += write_integer(to, received_at)
        self._last_checksum, self._last_changed_at = _checksum(kind, heard, &event.id), changed_at
        self._append(self._last_checksum, to - change)
        newest[0] = max(newest[0], changed_at)
        return True

    cdef void _append(self, uint32_t checksum, Py_ssize_t size) noexcept:
        """The change that lies behind the head that it still lacks."""
        cdef uint32_t length = <uint32_t>size
        memcpy(self._data + self._size, &checksum, 4)
        memcpy(self._data + self._size + 4, &length, 4)
        self._size += HEAD + size
        self._changes += 1

    def put(self, change):
        """Take in a change that was read in Python."""
        cdef bytes raw = _encode(change)
        self._make_room(HEAD + len(raw))
        memcpy(self._data + self._size + HEAD, PyBytes_AS_STRING(raw), len(raw))
        self._append(crc32(record_key(change.kind, change.id).encode()), len(raw))

    def heard(self):
        """What was counted of each connection: its name, deliveries, changes, newest receipt, newest `changed_at`."""
        cdef int place
        return [
            (
                self._texts[place][0].decode(),
                self._heard[place].deliveries,
                self._heard[place].events,
                self._heard[place].received_at,
                self._heard[place].changed_at,
            )
            for place in range(self._connections)
            if self._heard[place].deliveries
        ]

    def frames(self, uint32_t partitions):
        """The changes as frames for the partitions where their records live."""
        cdef uint32_t partition
        cdef uint32_t *amounts = <uint32_t *>PyMem_Calloc(partitions, sizeof(uint32_t))
        cdef const uint8_t *at = self._data
        cdef const uint8_t *end = self._data + self._size
        if amounts == NULL:
            raise MemoryError
        try:
            while at < end:
                amounts[_checksum_at(at) % partitions] += 1
                at += HEAD + _size_at(at)
            return {
                partition: self._frames_for(partition, partitions)
                for partition in range(partitions)
                if amounts[partition]
            }
        finally:
            PyMem_Free(amounts)

    cdef list _frames_for(self, uint32_t partition, uint32_t partitions):
        """Each below `MAX_FRAME`, unless one change alone is larger."""
        cdef const uint8_t *at = self._data
        cdef const uint8_t *first = at
        cdef const uint8_t *end = at + self._size
        cdef uint32_t changes = 0
        cdef Py_ssize_t size = 0
        found = []
        while at < end:
            if _checksum_at(at) % partitions == partition:
                if changes and size + _size_at(at) > _max_frame:
                    found.append(_frame(first, at, partition, partitions, changes, size))
                    first, changes, size = at, 0, 0
                changes += 1
                size += _size_at(at)
            at += HEAD + _size_at(at)
        found.append(_frame(first, end, partition, partitions, changes, size))
        return found


cdef bytes _frame(
    const uint8_t *at, const uint8_t *end, uint32_t partition, uint32_t partitions, uint32_t changes, Py_ssize_t size
):
    """As `schemas.frames.ChangeFrame` is written: the array of its one member."""
    cdef uint8_t head[8]
    cdef Py_ssize_t written = 1
    cdef uint8_t *to
    head[0] = 0x91
    written += write_head(head + 1, 0x90, 16, 0xDC, changes)
    frame = PyBytes_FromStringAndSize(NULL, written + size)
    to = <uint8_t *>PyBytes_AS_STRING(frame)
    memcpy(to, head, written)
    to += written
    while at < end:
        if _checksum_at(at) % partitions == partition:
            memcpy(to, at + HEAD, _size_at(at))
            to += _size_at(at)
        at += HEAD + _size_at(at)
    return frame


cdef inline uint32_t _checksum_at(const uint8_t *at) noexcept:
    cdef uint32_t value
    memcpy(&value, at, 4)
    return value


cdef inline uint32_t _size_at(const uint8_t *at) noexcept:
    cdef uint32_t value
    memcpy(&value, at + 4, 4)
    return value


cdef inline uint32_t _checksum(const Kind *kind, const Heard *heard, const Item *id) noexcept:
    """`crc32` of the record's key, `kind|id`, by which it has its partition."""
    cdef uint32_t rest = 0xFFFFFFFF
    rest = _further(rest, kind.name, kind.size)
    rest = _further(rest, b"|", 1)
    if heard.namespace_size:
        rest = _further(rest, heard.namespace, heard.namespace_size)
        rest = _further(rest, b":", 1)
    return ~_further(rest, id.text, id.size)


cdef inline uint32_t _further(uint32_t rest, const uint8_t *text, uint32_t size) noexcept:
    cdef uint32_t place
    for place in range(size):
        rest = rest >> 8 ^ _crc[(rest ^ text[place]) & 0xFF]
    return rest


cdef uint64_t _digest(const uint8_t *content, Py_ssize_t size) except? 0:
    """As `schemas.records.make_change` makes it: at place 0."""
    cdef bytes found = blake2b(PyBytes_FromStringAndSize(<char *>content, size), digest_size=8).digest()
    cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(found)
    cdef uint64_t value = 0
    cdef int place
    for place in range(8):
        value = value << 8 | at[place]
    return value & _hash_mask


cdef inline uint32_t _ones(uint32_t bits) noexcept:
    cdef uint32_t ones = 0
    while bits:
        bits &= bits - 1
        ones += 1
    return ones


cdef inline bint _read_ascii(const uint8_t **at, const uint8_t *end, const uint8_t **text, uint32_t *size) noexcept:
    """A text that is UTF-8 at first sight."""
    cdef uint32_t place
    if not read_text(at, end, text, size):
        return False
    for place in range(size[0]):
        if text[0][place] > 0x7F:
            return False
    return True


cdef inline bint _read_body(const uint8_t **at, const uint8_t *end) noexcept:
    """The head of the bytes that are the last member of a delivery: they reach to its end."""
    cdef const uint8_t *here = at[0]
    cdef Py_ssize_t size = 0
    cdef int width, place
    if here >= end or not 0xC4 <= here[0] <= 0xC6:
        return False
    width = 1 << (here[0] - 0xC4)
    if end - here < width + 1:
        return False
    for place in range(width):
        size = size << 8 | here[1 + place]
    at[0] = here + 1 + width
    return end - at[0] == size
