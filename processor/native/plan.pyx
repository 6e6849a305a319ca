# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""A plan, evaluated over the slots of a row: what `processor.core.plan` says, on bytes.

Owns no rule and knows no field: all that it does stands in the tables that it is made of (`processor.native.tables`).
-1 wherever a field holds a value of another type than it should, or a number that is too large here: Python then says
what that is. Programs that have more of something than there is room for, or count money, are Python's too.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

from processor.native.rows cimport NOT_PLAIN, Kind, Row, drop, kind_of, read_row
from processor.native.varints cimport read_big
from processor.native.wire cimport read_array, read_integer, read_text

from hashlib import blake2b

from processor.native.tables import NUMBERED, Tables, TooMuchError, numbers_in_keys
from schemas.catalogue.amounts import LIMB as _LIMB
from schemas.catalogue.plan import Form
from schemas.records import DELETED, FIELD_CODES

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef extern from *:
    bint __builtin_sub_overflow(int64_t one, int64_t other, int64_t *result) nogil

cdef enum:
    FIRST = 0
    GAP = 1
    OTHERWISE = 2
    IS = 3
    FLAG = 4
    IS_SET = 5
    AT_LEAST = 6
    ALL = 7
    LIMB = 40
    DIGESTS = 65536  # of ids, remembered
    EVERY = -1  # all fields hold people

cdef int _DELETED = FIELD_CODES[DELETED]

if (
    LIMB != _LIMB
    or (FIRST, GAP, OTHERWISE, IS, FLAG, IS_SET, AT_LEAST, ALL, REGISTERS, CONDITIONS, ALWAYS) != NUMBERED
    or (COUNT, NUMBER, DECIMAL, SAMPLE, PENDING, ID, PENDING_DECIMAL) != tuple(form.value for form in Form)
):
    raise RuntimeError("plans are numbered in another way here")


cdef class CompiledPlan:
    """The plan of a ledger, for the kinds of record that are read here."""

    def __cinit__(self):
        memset(self.program, 0, sizeof(self.program))
        self._ops = NULL
        self._numbers = NULL
        self._texts = NULL
        self._lines = NULL
        self._sites = NULL
        self.names = NULL
        self.forms = NULL
        self.instants = NULL
        self.keeps = NULL

    def __dealloc__(self):
        PyMem_Free(self._ops)
        PyMem_Free(self._numbers)
        PyMem_Free(self._texts)
        PyMem_Free(self._lines)
        PyMem_Free(self._sites)
        PyMem_Free(self.names)
        PyMem_Free(self.forms)
        PyMem_Free(self.instants)
        PyMem_Free(self.keeps)

    def __init__(self, plan, aliases):
        cdef Program *held
        self._aliases = dict(aliases)
        self._held = []
        self._digests = {}
        self.cells = len(plan.forms)
        self.cell_of = {name: place for place, name in enumerate(plan.forms)}
        self.names = <uint64_t *>_room(self.cells, sizeof(uint64_t))
        self.forms = <int *>_room(self.cells, sizeof(int))
        for place, (name, form) in enumerate(plan.forms.items()):
            self.names[<int>place] = name
            self.forms[<int>place] = form.value
        self.instants = <int *>_room(self.cells, sizeof(int))
        for name, numbers in numbers_in_keys(plan).items():
            self.instants[<int>self.cell_of[name]] = numbers
        if plan.keeps:
            self.keeps = <int *>_room(self.cells, sizeof(int))
            for name, days in plan.keeps.items():
                self.keeps[<int>self.cell_of[name]] = days
        tables = Tables(self.cell_of)
        for kind, program in plan.programs.items():
            number = kind_of(kind)
            if number == NOT_PLAIN:
                continue
            held = &self.program[<int>number]
            try:
                made = tables.program(program)
            except TooMuchError:
                held.standing = ELSEWHERE
                held.reads = ~<uint64_t>0  # whatever changes, Python is asked
                continue
            held.standing = HERE
            held.register, held.registers, held.condition, held.conditions, held.site, held.sites, held.reads = made
        self._fill(tables)

    def _fill(self, tables):
        cdef int place = 0
        self._ops = <Op *>_room(len(tables.ops), sizeof(Op))
        self._numbers = <int *>_room(len(tables.numbers), sizeof(int))
        self._texts = <Text *>_room(len(tables.texts), sizeof(Text))
        self._lines = <Line *>_room(len(tables.lines), sizeof(Line))
        self._sites = <Site *>_room(len(tables.sites), sizeof(Site))
        for place, (code, one, other, number) in enumerate(tables.ops):
            self._ops[place] = Op(code, one, other, number)
        for place, number in enumerate(tables.numbers):
            self._numbers[place] = number
        for place, text in enumerate(tables.texts):
            self._held.append(text)
            self._texts[place] = Text(<const uint8_t *>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        for place, (when, form, cell, register, ids, people_in) in enumerate(tables.lines):
            self._lines[place] = Line(when, form, cell, register, ids, people_in)
        for place, (at, credit, credits, line, lines) in enumerate(tables.sites):
            self._sites[place] = Site(at, credit, credits, line, lines)

    cdef int evaluate(self, const Row *row, Entries *out) except -2:
        """Make `out` what the record counts for: 0, or -1 where that is for Python to say."""
        cdef const Program *program = &self.program[<int>row.kind]
        cdef int64_t values[REGISTERS]
        cdef uint8_t is_known[REGISTERS]
        cdef uint8_t holds[CONDITIONS]
        cdef const Op *op
        cdef const Site *site
        cdef const Line *line
        cdef const Text *text
        cdef Entry entry
        cdef Name people[MOST_NAMES]
        cdef Name names[MOST_NAMES]
        cdef int place, other, reference, count, person, id
        cdef bint is_so
        out.count = 0
        if program.standing != HERE:
            return 0 if program.standing == NOTHING else -1
        if row.is_set >> _DELETED & 1 and row.slots[_DELETED].value[0] == 0xC3:
            return 0
        for place in range(program.registers):
            op = &self._ops[program.register + place]
            is_known[place] = False
            if op.code == FIRST:
                for other in range(op.one, op.one + op.other):
                    reference = _integer(row, self._numbers[other], &values[place])
                    if reference < 0:
                        return -1
                    if reference:
                        is_known[place] = True
                        break
            elif op.code == GAP:
                if is_known[op.one] and is_known[op.other]:
                    if __builtin_sub_overflow(values[op.other], values[op.one], &values[place]):
                        return -1
                    if op.number and values[place] < 0:
                        values[place] = 0
                    is_known[place] = True
            else:
                other = op.one if is_known[op.one] else op.other
                if is_known[other]:
                    values[place] = values[other]
                    is_known[place] = True
        for place in range(program.conditions):
            op = &self._ops[program.condition + place]
            if op.code == IS:
                text = &self._texts[op.other]
                is_so = (
                    row.is_set >> op.one & 1 and row.slots[op.one].size == text.size
                    and memcmp(row.slots[op.one].value, text.data, text.size) == 0
                )
            elif op.code == FLAG:
                is_so = row.is_set >> op.one & 1 and row.slots[op.one].value[0] == 0xC3
            elif op.code == IS_SET:
                is_so = False
                for other in range(op.one, op.one + op.other):
                    if _is_set(row, self._numbers[other]):
                        is_so = True
                        break
            elif op.code == AT_LEAST:
                is_so = is_known[op.one] and values[op.one] >= op.number
            else:
                is_so = True
                for other in range(op.one, op.one + op.other):
                    reference = self._numbers[other]
                    if not (holds[reference] if reference >= 0 else not holds[~reference]):
                        is_so = False
                        break
            holds[place] = is_so
        for place in range(program.site, program.site + program.sites):
            site = &self._sites[place]
            if not is_known[site.at]:
                continue
            entry.site = <uint32_t>place
            entry.at = values[site.at]
            count = -1  # until it is known for whom it counts
            for other in range(site.line, site.line + site.lines):
                line = &self._lines[other]
                reference = line.when
                if reference != ALWAYS and not (holds[reference] if reference >= 0 else not holds[~reference]):
                    continue
                if count < 0:
                    count = self._chosen(row, site.credit, site.credits, EVERY, people)
                    if count < 0:
                        return -1
                    if not count:
                        people[0].text, people[0].size, count = NULL, 0, 1
                entry.line = <uint32_t>other
                entry.cell = line.cell
                if line.form == ID:
                    reference = self._chosen(row, line.register, line.ids, line.people_in, names)
                    if reference < 0:
                        return -1
                for person in range(count):
                    entry.rep, entry.rep_size = people[person].text, people[person].size
                    entry.key = entry.low = 0
                    entry.amount = 1
                    if line.form == COUNT:
                        _append(out, &entry)
                    elif line.form == ID:
                        for id in range(reference):
                            self._identify(&names[id], &entry)
                            _append(out, &entry)
                    elif is_known[line.register]:
                        entry.key = key_of(values[line.register])
                        if line.form == SAMPLE:
                            _append(out, &entry)
                        else:
                            _append_parts(out, &entry, values[line.register])
        return 0

    cdef int _chosen(self, const Row *row, int first, int numbers, int people_in, Name *found) except -2:
        """What the first of these fields that is set holds, each once; how many, or -1: that is for Python to say.

        A number below 0 says how many fields follow of which all count together. Persons, of which `people_in` has the
        bits: as they are served.
        """
        cdef int place = first, count = 0, known = 0, choice = -1, other, code, fields
        while place < first + numbers and not count:
            code = self._numbers[place]
            place += 1
            choice += 1
            if code >= 0:
                count = _texts_of(row, code, found, 0)
                continue
            fields = -code
            for other in range(place, place + fields):
                if count >= 0:
                    count = _texts_of(row, self._numbers[other], found, count)
            place += fields
        if count < 0:
            return -1
        for place in range(count):
            if (people_in == EVERY or people_in >> choice & 1) and self._aliases:
                self._resolve(&found[place])
            for other in range(known):
                if found[other].size == found[place].size and (
                    memcmp(found[other].text, found[place].text, found[place].size) == 0
                ):
                    break
            else:
                found[known] = found[place]
                known += 1
        return known

    cdef int _resolve(self, Name *name) except -1:
        """Make it the id under which that person is served: its bytes lie in the alias, which stays."""
        cdef PyObject *alias = PyDict_GetItem(self._aliases, (<const char *>name.text)[:name.size].decode("utf-8"))
        cdef Py_ssize_t length
        if alias != NULL:
            name.text = <const uint8_t *>PyUnicode_AsUTF8AndSize(<object>alias, &length)
            name.size = <uint32_t>length
        return 0

    cdef int _identify(self, const Name *name, Entry *entry) except -1:
        """Put what a pane holds of an id into the entry's key."""
        cdef bytes id = (<const char *>name.text)[:name.size]
        cdef const uint8_t *digest
        found = self._digests.get(id)
        if found is None:
            if len(self._digests) >= DIGESTS:
                self._digests.clear()
            found = self._digests[id] = blake2b(id, digest_size=16).digest()
        digest = <const uint8_t *>PyBytes_AS_STRING(<bytes>found)
        entry.key = read_big(digest, 8)
        entry.low = read_big(digest + 8, 8)
        return 0

    cdef int find(self, uint64_t name, int first) noexcept:
        """The cell of that name, at `first` or after it; -1: there is none."""
        cdef int last = self.cells, middle
        while first < last:
            middle = (first + last) >> 1
            if self.names[middle] < name:
                first = middle + 1
            else:
                last = middle
        return first if first < self.cells and self.names[first] == name else -1

    def contributions(self, bytes row):
        """What a row counts for, as `Evaluator.of_record`; None: it is Python's.

        For the property that holds the two forms together.
        """
        cdef Row held
        cdef Entries out
        cdef const Entry *entry
        cdef int place
        cdef int64_t last = -1
        memset(&held, 0, sizeof(Row))
        memset(&out, 0, sizeof(Entries))
        try:
            if not read_row(&held, <const uint8_t *>PyBytes_AS_STRING(row), PyBytes_GET_SIZE(row)):
                return None
            if self.evaluate(&held, &out) < 0:
                return None
            found = []
            by_person = {}
            for place in range(out.count):
                entry = &out.data[place]
                if entry.site != last:
                    last = entry.site
                    by_person = {}
                rep = None if entry.rep == NULL else (<const char *>entry.rep)[:entry.rep_size].decode("utf-8")
                values = by_person.get(rep)
                if values is None:
                    values = by_person[rep] = []
                    found.append((rep, entry.at, values))
                key = None
                if self.forms[entry.cell] == ID:
                    key = entry.key.to_bytes(8, "big") + entry.low.to_bytes(8, "big")
                elif self.forms[entry.cell] != COUNT:
                    key = value_of(entry.key)
                values.append((self.names[entry.cell], key, entry.amount))
            return found
        finally:
            PyMem_Free(out.data)
            drop(&held)


cdef void *_room(Py_ssize_t number, size_t size) except NULL:
    cdef void *data = PyMem_Calloc(number + 1, size)
    if data == NULL:
        raise MemoryError
    return data


cdef int _append(Entries *out, const Entry *entry) except -1:
    cdef Entry *data
    if out.count == out.room:
        data = <Entry *>PyMem_Realloc(out.data, (2 * out.room + 32) * sizeof(Entry))
        if data == NULL:
            raise MemoryError
        out.data = data
        out.room = 2 * out.room + 32
    out.data[out.count] = entry[0]
    out.count += 1
    return 0


cdef int _append_parts(Entries *out, Entry *entry, int64_t value) except -1:
    """As `schemas.catalogue.amounts.limbs`."""
    cdef uint64_t rest = <uint64_t>value if value >= 0 else -<uint64_t>value
    cdef int64_t limb = 0, part
    while rest:
        part = <int64_t>(rest & ((<uint64_t>1 << LIMB) - 1))
        if part:
            entry.key = key_of(limb)
            entry.amount = part if value >= 0 else -part
            _append(out, entry)
        rest >>= LIMB
        limb += 1
    return 0


cdef int _texts_of(const Row *row, int code, Name *found, int count) noexcept:
    """Put the texts of a field, one or a list, behind those that were found; how many there are then, or -1."""
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef uint32_t texts = 1
    if not row.is_set >> code & 1 or row.slots[code].value[0] == 0xC0:
        return count
    at = row.slots[code].value
    end = at + row.slots[code].size
    read_array(&at, end, &texts)
    for _ in range(texts):
        if count == MOST_NAMES or not read_text(&at, end, &found[count].text, &found[count].size):
            return -1
        if found[count].size:
            count += 1
    return count


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


cdef inline bint _is_set(const Row *row, int code) noexcept:
    return row.is_set >> code & 1 and row.slots[code].value[0] != 0xC0 and row.slots[code].value[0] != 0x90
