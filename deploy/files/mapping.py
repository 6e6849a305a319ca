"""What the command and `floorcast.yaml` say of a file: which column is which field, and how cells are written.

Owns the join of both (an option wins), what is wrong with it, and how it is written for `--print-mapping`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from deploy.files.dates import DateFormat, date_format
from deploy.files.problems import UseError
from deploy.files.stages import FileStages
from schemas.connectors.connection import Connection
from schemas.connectors.file_mapping import FileMapping
from schemas.connectors.words import CrmConnection, Meanings, meanings
from schemas.documents.errors import suggestion
from schemas.records import CHOICES, DELETED, FIELDS, FieldType

ID, CHANGED_AT = "id", "changed_at"
ANY = "*"
DATES = frozenset({FieldType.INSTANT, FieldType.DATE, FieldType.DATE_OR_INSTANT})
_ZONES = "--timezone"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command's options as they were typed."""

    record: str
    map: Sequence[str] = ()
    set: Sequence[str] = ()
    only: Sequence[str] = ()
    value: Sequence[str] = ()
    key: Sequence[str] = ()
    timezone: str | None = None
    ambiguous: str = "first"
    date_format: Sequence[str] = ()
    decimal: str | None = None
    duration_format: str | None = None
    null: Sequence[str] = ()
    rep_by: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header_line: int | None = None
    has_header: bool = True
    empty: str = "clear"
    repeated: str = "refuse"
    as_of: int | None = None


@dataclass(frozen=True, kw_only=True)
class FileReading:
    """The same, joined with what the connection says, and checked."""

    options: Options
    types: Mapping[str, FieldType]
    """By field: those of the record, and `id`, `changed_at`, `deleted`."""
    columns: Mapping[str, Sequence[str]]
    constants: Mapping[str, str]
    only: Mapping[str, frozenset[str]]
    """By column: the values (without case) of which a line must have one."""
    words: Mapping[str, Mapping[str, str]]
    """By field: text (without case) -> our word; `*` -> that of every other."""
    known_words: Mapping[str, Meanings]
    """By field: what the connection says."""
    stages: FileStages
    key: Sequence[str]
    zone: ZoneInfo | None
    formats: Mapping[str, DateFormat]
    decimal: str | None
    duration: str | None
    nulls: frozenset[str]
    rep_by: str

    def format_of(self, name: str) -> DateFormat | None:
        """How the instants of a field are written; None: nobody has told."""
        return self.formats.get(name, self.formats.get(ANY))


def types_of(record: str) -> dict[str, FieldType]:
    """What can be said of such a record, by name. Raises UseError."""
    if record not in FIELDS:
        raise UseError([f"--record: there is no kind of record {record!r}{suggestion(record, FIELDS)}"])
    return {
        ID: FieldType.REFERENCE, CHANGED_AT: FieldType.INSTANT, DELETED: FieldType.FLAG, **FIELDS[record]
    }  # fmt: skip


def join_mapping(options: Options, connection: Connection, learned: FileStages) -> FileReading:
    """What holds for a file. Raises UseError with everything that is wrong. `learned`: as the CRM's API says."""
    types = types_of(options.record)
    saved = connection if isinstance(connection, FileMapping) else FileMapping()
    problems: list[str] = []
    columns = _columns(options, saved, types, problems)
    constants = _constants(options, types, problems)
    formats, decimal, duration, nulls = _formats(options, saved, types, problems)
    only: dict[str, set[str]] = {}
    for text in options.only:
        column, value = _pair(text, "--only", problems)
        only.setdefault(column, set()).add(value.strip().casefold())
    mapped = {_split(text)[0] for text in options.map}
    problems += [f"--set {name}: --map says it too" for name in columns.keys() & constants.keys() & mapped]
    words = _words(options, saved, types, problems)
    zone = options.timezone or saved.timezone
    if problems:
        raise UseError(problems)
    crm = connection if isinstance(connection, CrmConnection) else None
    return FileReading(
        options=options,
        types=types,
        columns={name: said for name, said in columns.items() if name not in constants},
        constants=constants,
        only={column: frozenset(values) for column, values in only.items()},
        words=words,
        known_words={} if crm is None else _known_words(options.record, crm),
        stages=learned if crm is None else _stages(crm, learned),
        key=options.key or saved.key.get(options.record, ()),
        zone=None if zone is None else _zone(zone),
        formats=formats,
        decimal=decimal,
        duration=duration,
        nulls=nulls,
        rep_by=options.rep_by or saved.rep_by or "id",
    )


def _columns(
    options: Options, saved: FileMapping, types: Mapping[str, FieldType], problems: list[str]
) -> dict[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    for name, said in saved.columns.get(options.record, {}).items():
        if _is_known(name, types, f"columns.{options.record}", problems):
            found[name] = [said] if isinstance(said, str) else said
    mapped: dict[str, list[str]] = {}
    for text in options.map:
        name, column = _pair(text, "--map", problems)
        if _is_known(name, types, "--map", problems):
            mapped.setdefault(name, []).append(column)
    return found | mapped


def _constants(options: Options, types: Mapping[str, FieldType], problems: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in options.set:
        name, value = _pair(text, "--set", problems)
        if name == ID:
            problems.append("--set id: every line would be the same record")
        elif _is_known(name, types, "--set", problems):
            found[name] = value
    return found


def _formats(
    options: Options, saved: FileMapping, types: Mapping[str, FieldType], problems: list[str]
) -> tuple[dict[str, DateFormat], str | None, str | None, frozenset[str]]:
    said = dict(saved.formats)
    nulls = said.pop("nulls", [])
    decimal = options.decimal or said.pop("decimal", None)
    duration = options.duration_format or said.pop("duration", None)
    texts = {name: text for name, text in said.items() if isinstance(text, str) and name not in {"decimal", "duration"}}
    for text in options.date_format:
        name, form = _split(text)
        texts |= {name: form} if form is not None and name in types else {ANY: text}
    found: dict[str, DateFormat] = {}
    for name, text in texts.items():
        if name != ANY and name in types and types[name] not in DATES:
            problems.append(f"--date-format {name}: is no date nor instant")
            continue
        try:
            found[name] = date_format(text)
        except UseError as error:
            problems += error.problems
    if decimal not in {None, ".", ","}:
        problems.append("--decimal: must be . or ,")
    if duration not in {None, "mm:ss", "hh:mm", "min", "ms"}:
        problems.append("--duration-format: must be mm:ss, hh:mm, min or ms")
    return found, _text(decimal), _text(duration), frozenset({*nulls, *options.null})


def _text(said: Any) -> str | None:
    return said if isinstance(said, str) else None


def _words(
    options: Options, saved: FileMapping, types: Mapping[str, FieldType], problems: list[str]
) -> dict[str, dict[str, str]]:
    told: list[tuple[str, str, str, str]] = [
        (name, word, text, "values")
        for name, by_word in saved.values.items()
        for word, texts in by_word.items()
        for text in texts
        if name in types
    ]
    for text in options.value:
        target, said = _pair(text, "--value", problems)
        name, point, word = target.partition(".")
        if not point or not word:
            problems.append(f"--value {target}: must be FIELD.WORD=TEXT, such as status.won=Closed")
        elif _is_known(name, types, "--value", problems):
            told.append((name, word, said, "--value"))
    found: dict[str, dict[str, str]] = {}
    by_options: dict[tuple[str, str], str] = {}
    for name, word, text, where in told:
        known = _own_words(options.record, name, types[name])
        if known is not None and word not in known:
            problems.append(f"{where} {name}.{word}: must be one of {', '.join(sorted(known))}")
            continue
        folded = text.strip().casefold()
        if where == "--value" and by_options.setdefault((name, folded), word) != word:
            problems.append(f"{where} {name}: {text!r} cannot mean both {by_options[name, folded]} and {word}")
        found.setdefault(name, {})[folded] = word
    return found


def _own_words(record: str, name: str, kind: FieldType) -> tuple[str, ...] | None:
    if kind is FieldType.FLAG:
        return ("true", "false")
    return CHOICES.get((record, name))


def _known_words(record: str, connection: CrmConnection) -> dict[str, Meanings]:
    found: dict[str, Meanings] = {}
    choices = CHOICES.get((record, "outcome"))
    if choices is not None:
        found["outcome"] = meanings({word: said for word, said in connection.outcomes.items() if said in choices})
    if record == "lead":
        found["status"] = meanings(connection.statuses)
    if "kind" in FIELDS[record]:
        found["kind"] = meanings(connection.types)
    return found


def _stages(connection: CrmConnection, learned: FileStages) -> FileStages:
    """What the file says wins."""
    said = {stage: entry.status for stage, entry in connection.stages.items() if entry.status}
    names = {stage: entry.name for stage, entry in connection.stages.items() if entry.name}
    return FileStages(names, learned.labels, {**learned.statuses, **said})


def _is_known(name: str, types: Mapping[str, FieldType], where: str, problems: list[str]) -> bool:
    if name in types:
        return True
    problems.append(f"{where}: there is no field {name!r} of such a record{suggestion(name, types)}")
    return False


def _split(text: str) -> tuple[str, str | None]:
    name, sign, rest = text.partition("=")
    return name.strip(), rest if sign else None


def _pair(text: str, option: str, problems: list[str]) -> tuple[str, str]:
    # A column's name may hold the sign; that of a field cannot.
    name, sign, rest = text.rpartition("=") if option == "--only" else text.partition("=")
    if not sign or not name.strip():
        problems.append(f"{option} {text}: must be written with = between its two parts")
    return name.strip(), rest


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # there is none; or the name is that of a folder
        raise UseError([f"{_ZONES}: there is no time zone {name!r}"]) from None


def mapping_text(mapping: FileReading, name: str, columns: Mapping[str, Sequence[str]]) -> str:
    """The mapping as it may stand under `connections` of floorcast.yaml. `columns`: those that the file has shown."""
    options, record = mapping.options, mapping.options.record
    formats: dict[str, Any] = {field: form.text for field, form in mapping.formats.items()}
    numbers = {"decimal": mapping.decimal, "duration": mapping.duration}
    formats |= {key: value for key, value in numbers.items() if value is not None}
    if mapping.nulls:
        formats["nulls"] = sorted(mapping.nulls)
    said: dict[str, Any] = {
        "timezone": None if mapping.zone is None else mapping.zone.key,
        "rep_by": mapping.rep_by if mapping.rep_by != "id" else None,
        "columns": {record: {field: _short(names) for field, names in columns.items()}},
        "values": {field: _by_word(texts) for field, texts in mapping.words.items()},
        "key": {record: list(mapping.key)} if mapping.key else None,
        "formats": formats,
    }
    entry = {key: value for key, value in said.items() if value}
    text = yaml.safe_dump({name: entry}, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    again = [f"--set {text}" for text in options.set] + [f"--only {text}" for text in options.only]
    return text + (f"# to be said each time: {' '.join(again)}\n" if again else "")


def _short(names: Sequence[str]) -> str | list[str]:
    return names[0] if len(names) == 1 else list(names)


def _by_word(texts: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text, word in texts.items():
        found.setdefault(word, []).append(text)
    return found


__all__ = ["ANY", "CHANGED_AT", "ID", "FileReading", "Options", "join_mapping", "mapping_text"]
