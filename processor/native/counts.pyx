# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What a plain record counts for, as `processor.core.contributions` says, and whether it is of the past.

Owns no rule. -1 wherever a field holds a value of another type than it should: Python then says what that is.

Sums stay within 64 bits: connectors take no instant beyond 2**33 seconds from the epoch (schemas/instants.py) and no
talk longer than ten years (schemas/connectors/fields.py), of which a pane would have to count 29,000 to go beyond.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from processor.native.rows cimport CALL, CODES, EMAIL, Row
from processor.native.wire cimport read_integer, read_text

from processor.core.retention import INSTANTS
from schemas.panes import MEASURES, Measure
from schemas.records import DELETED, FIELD_CODES as _codes

SUMS = tuple(sorted(name for name, kind in MEASURES.items() if kind is Measure.SUM))
"""The measures that are added up, in the order in which a pane is written."""

cdef int _DELETED = _codes[DELETED], _REP = _codes["rep"], _DIRECTION = _codes["direction"]
cdef int _DIALED = _codes["dialed_at"], _ANSWERED = _codes["answered_at"], _ENDED = _codes["ended_at"]
cdef int _OUTCOME = _codes["outcome"], _TALK = _codes["talk_seconds"], _INTERNAL = _codes["internal"]
cdef int _SENT = _codes["sent_at"], _AUTOMATED = _codes["automated"]
cdef int _BOOKED_BY = _codes["booked_by"], _BOOKED = _codes["booked_at"], _STARTS = _codes["starts_at"]

cdef int CALLS_MADE = SUMS.index("calls_made"), CALLS_CONNECTED = SUMS.index("calls_connected")
cdef int TALK = SUMS.index("talk"), CONVERSATIONS = SUMS.index("conversations")
cdef int EMAILS_SENT = SUMS.index("emails_sent"), EMAILS_RECEIVED = SUMS.index("emails_received")
cdef int MEETINGS_BOOKED = SUMS.index("meetings_booked"), MEETINGS_HELD = SUMS.index("meetings_held")

cdef uint64_t _instants[4]
for _place, _kind in enumerate(("call", "email", "meeting"), 1):
    _instants[<int>_place] = sum(1 << _codes[_name] for _name in INSTANTS[_kind])


cdef inline int _integer(const Row *row, int code, int64_t *value) noexcept:
    """1: it is set to this; 0: there is none; -1: it is something else."""
    cdef const uint8_t *at
    cdef const uint8_t *end
    if not row.is_set >> code & 1 or row.slots[code].value[0] == 0xC0:
        return 0
    at = row.slots[code].value
    end = at + row.slots[code].size
    if not read_integer(&at, end, value) or at != end:
        return -1
    return 1


cdef inline bint _says(const Row *row, int code, const char *text, uint32_t size) noexcept:
    """Whether it is this short text, as msgpack writes it."""
    return row.is_set >> code & 1 and row.slots[code].size == size and memcmp(row.slots[code].value, text, size) == 0


cdef inline bint _is_true(const Row *row, int code) noexcept:
    return row.is_set >> code & 1 and row.slots[code].value[0] == 0xC3


cdef inline bint _is_none(const Row *row, int code) noexcept:
    return not row.is_set >> code & 1 or row.slots[code].value[0] == 0xC0


cdef inline bint _refer(const Row *row, int code, Count *count) noexcept:
    """Whom the field names. False: something else than a text is there."""
    cdef const uint8_t *at
    cdef const uint8_t *end
    count.rep = NULL
    count.rep_size = 0
    if _is_none(row, code):
        return True
    at = row.slots[code].value
    end = at + row.slots[code].size
    return read_text(&at, end, &count.rep, &count.rep_size)


cdef inline void _put(Count *count, int measure, int64_t value) noexcept:
    count.measure[count.values] = measure
    count.value[count.values] = value
    count.values += 1


cdef int counts_of(const Row *row, int64_t min_talk, Count *found) noexcept:
    """What it counts for, as `contributions` says: how many are in `found`, at most two; -1: not plain."""
    if _is_true(row, _DELETED):
        return 0
    if row.kind == CALL:
        return _counts_of_call(row, min_talk, found)
    if row.kind == EMAIL:
        return _counts_of_email(row, found)
    return _counts_of_meeting(row, found)


cdef int _counts_of_call(const Row *row, int64_t min_talk, Count *found) noexcept:
    cdef int64_t answered, ended, talk = 0
    cdef int has_at = _integer(row, _DIALED, &found.at), has_answered, has_ended
    cdef bint is_outbound
    if has_at != 1:
        return has_at
    if _is_true(row, _INTERNAL):
        return 0
    found.values = 0
    is_outbound = _says(row, _DIRECTION, b"\xa8outbound", 9)
    if is_outbound:
        _put(found, CALLS_MADE, 1)
    has_answered = _integer(row, _ANSWERED, &answered)
    has_ended = _integer(row, _ENDED, &ended)
    if has_answered < 0 or has_ended < 0:
        return -1
    if _says(row, _OUTCOME, b"\xa9connected", 10) or (_is_none(row, _OUTCOME) and has_answered):
        if is_outbound:
            _put(found, CALLS_CONNECTED, 1)
        if has_answered and has_ended:
            if ended > answered:
                talk = ended - answered
        elif _integer(row, _TALK, &talk) < 0:
            return -1
        if talk:
            _put(found, TALK, talk)
        if talk >= min_talk:
            _put(found, CONVERSATIONS, 1)
    if not found.values:
        return 0
    return 1 if _refer(row, _REP, found) else -1


cdef int _counts_of_email(const Row *row, Count *found) noexcept:
    cdef int has_at = _integer(row, _SENT, &found.at)
    if has_at != 1:
        return has_at
    found.values = 0
    if _says(row, _DIRECTION, b"\xa8outbound", 9):
        _put(found, EMAILS_SENT, 1)
    elif _says(row, _DIRECTION, b"\xa7inbound", 8):
        _put(found, EMAILS_RECEIVED, 1)
    if not found.values or _is_true(row, _AUTOMATED):
        return 0
    return 1 if _refer(row, _REP, found) else -1


cdef int _counts_of_meeting(const Row *row, Count *found) noexcept:
    cdef int counts = 0
    cdef Count *count = &found[0]
    cdef int has_booked = _integer(row, _BOOKED, &count.at), has_start
    if has_booked < 0:
        return -1
    if has_booked:
        count.values = 0
        _put(count, MEETINGS_BOOKED, 1)
        if not _refer(row, _BOOKED_BY, count):
            return -1
        if not count.rep_size and not _refer(row, _REP, count):
            return -1
        counts = 1
    count = &found[counts]
    has_start = _integer(row, _STARTS, &count.at)
    if has_start < 0:
        return -1
    if has_start and _says(row, _OUTCOME, b"\xa4held", 5):
        count.values = 0
        _put(count, MEETINGS_HELD, 1)
        _put(count, CONVERSATIONS, 1)
        if not _refer(row, _REP, count):
            return -1
        counts += 1
    return counts


cdef bint are_equal(const Count *one, int ones, const Count *other, int others) noexcept:
    cdef int place, value
    if ones != others:
        return False
    for place in range(ones):
        if one[place].at != other[place].at or one[place].values != other[place].values:
            return False
        if (one[place].rep == NULL) != (other[place].rep == NULL) or one[place].rep_size != other[place].rep_size:
            return False
        if one[place].rep_size and memcmp(one[place].rep, other[place].rep, one[place].rep_size):
            return False
        for value in range(one[place].values):
            if one[place].measure[value] != other[place].measure[value]:
                return False
            if one[place].value[value] != other[place].value[value]:
                return False
    return True


cdef int speaks_of_the_past(const Row *row, int64_t horizon) noexcept:
    """Whether all that it names happened before the horizon; -1: not plain."""
    cdef int code, has
    cdef int64_t at
    cdef bint names_any = False
    cdef uint64_t rest = row.is_set & _instants[<int>row.kind]
    for code in range(CODES):
        if not rest:
            break
        if rest & 1:
            has = _integer(row, code, &at)
            if has < 0:
                return -1
            if has:
                if at >= horizon:
                    return False
                names_any = True
        rest >>= 1
    return names_any
