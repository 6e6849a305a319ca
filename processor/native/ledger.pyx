# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The plain part of a ledger's batch and of its rebuilding: what is not plain comes back to `processor.core.ledger`.

Owns no rule. A record is plain if it is a call, an email or a meeting of which nothing is too old to be kept.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem, PyDict_Next
from cpython.mem cimport PyMem_Free
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from processor.native.batch cimport ChangeBatch, Item
from processor.native.panes cimport PaneTable
from processor.native.plan cimport HERE, NOTHING, CompiledPlan, Entries, Program
from processor.native.rows cimport (
    CALL,
    EMAIL,
    HAND_BACK,
    NOT_PLAIN,
    STALE,
    Fold,
    Kind,
    Row,
    begin,
    drop,
    fold,
    groups_of,
    is_sound,
    kind_of,
    oldest_version,
    read_row,
    speaks_of_the_past,
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
    cdef CompiledPlan _plan
    cdef Row _row
    cdef Entries _before
    cdef Entries _after

    def __cinit__(self):
        memset(&self._row, 0, sizeof(Row))
        memset(&self._before, 0, sizeof(Entries))
        memset(&self._after, 0, sizeof(Entries))

    def __dealloc__(self):
        drop(&self._row)
        PyMem_Free(self._before.data)
        PyMem_Free(self._after.data)

    def __init__(self, PaneTable panes):
        self._panes = panes
        self._plan = panes.plan

    def takes(self, changes):
        """Whether it is a batch of frames; changes that were decoded are for Python."""
        return isinstance(changes, ChangeBatch)

    def fold(self, ChangeBatch batch, dict rows, int64_t kept_from, expiry, look_at, output):
        """Take in what is plain of a batch; the changes that are left, in their order.

        `look_at` is called before a row is read while the expiry has rows to look at. All changes of a record that
        come after one that is not plain are left too.
        """
        cdef int64_t duplicates = 0
        cdef bytes key, row, old
        cdef PyObject *held
        cdef dict news = {}
        cdef dict engaged = {}
        cdef list left = []
        cdef list groups
        cdef set others = set()
        cdef set spared = expiry.spared
        cdef bint is_counted
        cdef Row *scratch = &self._row
        cdef const Item *item
        cdef const Program *program
        cdef Py_ssize_t place
        cdef Fold found
        due, filed = expiry.due, expiry.filed
        for place in range(len(batch)):
            item = &batch.items[place]
            if item.change != NULL:
                change = <object>item.change
                if kind_of(change.kind) != NOT_PLAIN:
                    others.add(_key(change.kind, change.id))
                left.append(change)
                continue
            # Of a plain change there is no object, and it needs none.
            key = _key_of(item.kind, item.id, item.id_size)
            if (
                item.changed_at < kept_from or not item.entries or (spared and key in spared)
                or (others and key in others)
            ):
                others.add(key)
                left.append(batch.change(place))
                continue
            if due:
                look_at(key, output)
            held = PyDict_GetItem(rows, key)
            self._before.count = self._after.count = 0
            is_counted = True
            if held == NULL:
                begin(scratch, item.kind)
            else:
                old = <bytes>held  # what is read points into it
                if read_row(scratch, <const uint8_t *>PyBytes_AS_STRING(old), PyBytes_GET_SIZE(old)):
                    program = &self._plan.program[<int>item.kind]
                    # A change of what no measure looks at changes no pane. A first one may: that the record is there.
                    is_counted = program.standing != NOTHING and _sets_any(batch, item, program.reads)
                    if is_counted and self._plan.evaluate(scratch, &self._before) < 0:
                        scratch.kind = NOT_PLAIN
                else:
                    scratch.kind = NOT_PLAIN
                if scratch.kind != item.kind:
                    others.add(key)
                    left.append(batch.change(place))
                    continue
            found = fold(
                scratch, item.changed_at, item.digest, item.fields, item.begin + item.size, item.entries,
                &batch.codes[item.codes],
            )
            if found == STALE:
                duplicates += 1
                continue
            if (
                found == HAND_BACK or (is_counted and self._plan.evaluate(scratch, &self._after) < 0)
                or speaks_of_the_past(scratch, kept_from) != 0
            ):
                others.add(key)
                left.append(batch.change(place))
                continue
            self._panes.exchange(&self._before, &self._after)
            row = write_row(scratch)
            if held == NULL:
                filed[item.changed_at // DAY].append(key)
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
        cdef int64_t said_at, day = 0
        cdef list today = None
        cdef bytes row
        self._before.count = 0
        while PyDict_Next(rows, &position, &key, &value):
            row = <bytes>value
            if (
                not read_row(&self._row, <const uint8_t *>PyBytes_AS_STRING(row), PyBytes_GET_SIZE(row))
                or not self._row.is_set or not is_sound(&self._row)
                or self._plan.evaluate(&self._row, &self._after) < 0
            ):
                left.append(<object>key)
                continue
            said_at = oldest_version(&self._row)
            if said_at < kept_from:
                left.append(<object>key)
                continue
            if today is None or said_at // DAY != day:
                day = said_at // DAY
                today = filed[day]
            today.append(<object>key)
            self._panes.exchange(&self._before, &self._after)
        return left


    def follow(self, dict rows, dict news, int64_t kept_from, expiry):
        """Put what is plain of these rows, and was before, in the place of what is there; the keys of the others.

        For rows that another owner has written since `rows` were: None is one that is gone.
        """
        cdef PyObject *key
        cdef PyObject *value
        cdef PyObject *held
        cdef Py_ssize_t position = 0
        cdef list left = []
        cdef bytes row, old
        cdef int64_t said_at
        cdef set spared = expiry.spared
        filed = expiry.filed
        while PyDict_Next(news, &position, &key, &value):
            held = PyDict_GetItem(rows, <object>key)
            self._before.count = 0
            if <object>value is None or (spared and <object>key in spared):
                left.append(<object>key)
                continue
            row = <bytes>value
            if held != NULL:
                old = <bytes>held  # what is read points into it
                if old == row:
                    continue
                if (
                    not read_row(&self._row, <const uint8_t *>PyBytes_AS_STRING(old), PyBytes_GET_SIZE(old))
                    or self._plan.evaluate(&self._row, &self._before) < 0
                ):
                    left.append(<object>key)
                    continue
            if (
                not read_row(&self._row, <const uint8_t *>PyBytes_AS_STRING(row), PyBytes_GET_SIZE(row))
                or not self._row.is_set or not is_sound(&self._row)
                or self._plan.evaluate(&self._row, &self._after) < 0
            ):
                left.append(<object>key)
                continue
            said_at = oldest_version(&self._row)
            if said_at < kept_from:
                left.append(<object>key)
                continue
            if held == NULL:
                filed[said_at // DAY].append(<object>key)
            rows[<object>key] = row
            self._panes.exchange(&self._before, &self._after)
        return left


cdef inline bint _sets_any(ChangeBatch batch, const Item *item, uint64_t fields) noexcept:
    cdef uint32_t place
    for place in range(item.entries):
        if fields >> batch.codes[item.codes + place] & 1:
            return True
    return False


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
