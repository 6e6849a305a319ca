# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The plain part of a ledger's batch and of its rebuilding: what is not plain comes back to `processor.core.ledger`.

Owns no rule. A record is plain if it is a call, an email or a meeting of which nothing is too old to be kept.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem, PyDict_Next
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from processor.native.batch cimport ChangeBatch, Item
from processor.native.counts cimport Count, are_equal, counts_of, speaks_of_the_past
from processor.native.panes cimport PaneTable
from processor.native.rows cimport (
    CALL,
    EMAIL,
    HAND_BACK,
    NEWS,
    NOT_PLAIN,
    Fold,
    Kind,
    Row,
    begin,
    drop,
    fold,
    fold_read,
    groups_of,
    is_sound,
    kind_of,
    oldest_version,
    read_row,
    write_row,
)

from schemas.frames import Engagement
from schemas.instants import DAY as _DAY

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef int64_t DAY = _DAY


cdef class Plain:
    """What a ledger's plain records are derived by, and the panes into which they count."""

    cdef PaneTable _panes
    cdef dict _aliases
    cdef int64_t _min_talk
    cdef Row _row
    cdef Count _before[2]
    cdef Count _after[2]

    def __cinit__(self):
        memset(&self._row, 0, sizeof(Row))

    def __dealloc__(self):
        drop(&self._row)

    def __init__(self, PaneTable panes, aliases, min_talk):
        self._panes = panes
        self._aliases = dict(aliases)
        self._min_talk = min_talk

    def fold(self, changes, dict rows, int64_t kept_from, expiry, look_at, output):
        """Take in what is plain of a batch, or of decoded changes; the changes that are left, in their order.

        `look_at` is called before a row is read while the expiry has rows to look at. All changes of a record that
        come after one that is not plain are left too.
        """
        cdef int64_t changed_at, duplicates = 0
        cdef uint64_t digest
        cdef bytes key, row, old
        cdef bint has_fields
        cdef PyObject *held
        cdef dict fields
        cdef dict news = {}
        cdef dict engaged = {}
        cdef list left = []
        cdef list groups
        cdef set others = set()
        cdef set spared = expiry.spared
        cdef int before, after
        cdef Fold found
        cdef Kind kind
        cdef Row *scratch = &self._row
        cdef ChangeBatch batch = changes if isinstance(changes, ChangeBatch) else None
        cdef list decoded = list(changes) if batch is None else None
        cdef const Item *item = NULL
        cdef Py_ssize_t place
        due, filed = expiry.due, expiry.filed
        for place in range(len(changes)):
            # Of a plain change in a batch there is no object, and it needs none.
            change = fields = None
            if batch is None:
                change = decoded[place]
            else:
                item = &batch.items[place]
                if item.change != NULL:
                    change = <object>item.change
            if change is None:
                kind = item.kind
                key = _key_of(kind, item.id, item.id_size)
                changed_at = item.changed_at
                has_fields = item.entries > 0
            else:
                kind = kind_of(change.kind)
                if kind == NOT_PLAIN:
                    left.append(change)
                    continue
                key = _key(change.kind, change.id)
                changed_at = change.changed_at
                fields = change.fields
                has_fields = len(fields) > 0
            if changed_at < kept_from or not has_fields or (spared and key in spared) or (others and key in others):
                others.add(key)
                left.append(batch.change(place) if change is None else change)
                continue
            if due:
                look_at(key, output)
            held = PyDict_GetItem(rows, key)
            before = 0
            if held == NULL:
                begin(scratch, kind)
            else:
                old = <bytes>held  # what is read points into it
                if read_row(scratch, <const uint8_t *>PyBytes_AS_STRING(old), PyBytes_GET_SIZE(old)):
                    before = counts_of(scratch, self._min_talk, self._before)
                else:
                    before = -1
                if before < 0 or scratch.kind != kind:
                    others.add(key)
                    left.append(batch.change(place) if change is None else change)
                    continue
            if change is None:
                found = fold_read(
                    scratch, changed_at, item.digest, item.fields, item.begin + item.size, item.entries,
                    &batch.codes[item.codes],
                )
            else:
                digest = change.digest
                found = fold(scratch, changed_at, digest, fields)
            if found != NEWS:
                if found == HAND_BACK:
                    others.add(key)
                    left.append(batch.change(place) if change is None else change)
                else:
                    duplicates += 1
                continue
            after = counts_of(scratch, self._min_talk, self._after)
            if after < 0 or (
                (after == 0 or self._after[0].at < kept_from) and speaks_of_the_past(scratch, kept_from) != 0
            ):
                others.add(key)
                left.append(batch.change(place) if change is None else change)
                continue
            if not are_equal(self._before, before, self._after, after):
                self._count(self._before, before, -1)
                self._count(self._after, after, 1)
            row = write_row(scratch)
            if held == NULL:
                filed[changed_at // DAY].append(key)
            rows[key] = row
            news[key] = row
            groups = groups_of(scratch)
            if groups:
                engaged[key] = groups
        output.duplicates += duplicates
        output.rows.extend(news.items())
        if engaged:
            engagements = output.engagements
            for key, groups in engaged.items():
                name, row = key.decode(), news[key]
                for group in groups:
                    engagements.append(Engagement(group, name, row))
        return left

    def derive(self, dict rows, int64_t kept_from, filed):
        """Count what is plain of all rows, and file it; the keys of the others."""
        cdef PyObject *key
        cdef PyObject *value
        cdef Py_ssize_t position = 0
        cdef list left = []
        cdef int counts
        cdef int64_t said_at, day = 0
        cdef list today = None
        cdef bytes row
        while PyDict_Next(rows, &position, &key, &value):
            row = <bytes>value
            counts = -1
            if read_row(&self._row, <const uint8_t *>PyBytes_AS_STRING(row), PyBytes_GET_SIZE(row)):
                if self._row.is_set and is_sound(&self._row):
                    counts = counts_of(&self._row, self._min_talk, self._after)
                    said_at = oldest_version(&self._row)
            if counts < 0 or said_at < kept_from:
                left.append(<object>key)
                continue
            if today is None or said_at // DAY != day:
                day = said_at // DAY
                today = filed[day]
            today.append(<object>key)
            self._count(self._after, counts, 1)
        return left

    cdef int _count(self, const Count *counts, int number, int sign) except -1:
        cdef int place
        cdef const Count *count
        for place in range(number):
            count = &counts[place]
            if count.rep == NULL:
                rep = None
            else:
                rep = (<const char *>count.rep)[:count.rep_size].decode("utf-8")
                if self._aliases:
                    rep = self._aliases.get(rep, rep)
            self._panes.apply(
                self._panes.intern(rep), count.at, count.values, count.measure, count.value, sign
            )
        return 0


cdef inline bytes _key(str kind, str id):
    """As `record_key`, in bytes."""
    cdef Py_ssize_t kinds, ids
    cdef const char *kind_text = PyUnicode_AsUTF8AndSize(kind, &kinds)
    cdef const char *id_text = PyUnicode_AsUTF8AndSize(id, &ids)
    return _joined(kind_text, kinds, id_text, ids)


cdef inline bytes _key_of(Kind kind, const uint8_t *id, uint32_t size):
    if kind == CALL:
        return _joined(b"call", 4, <const char *>id, size)
    if kind == EMAIL:
        return _joined(b"email", 5, <const char *>id, size)
    return _joined(b"meeting", 7, <const char *>id, size)


cdef inline bytes _joined(const char *kind, Py_ssize_t kinds, const char *id, Py_ssize_t ids):
    cdef bytes key = PyBytes_FromStringAndSize(NULL, kinds + 1 + ids)
    cdef char *to = PyBytes_AS_STRING(key)
    memcpy(to, kind, kinds)
    to[kinds] = c"|"
    memcpy(to + kinds + 1, id, ids)
    return key
