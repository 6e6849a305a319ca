"""The reference pages, made from the code they describe: `python docs/generate.py`, or `--check` to compare them.

Owns docs/reference and docs/metrics.md, and of docs/connectors what becomes what. What a field or setting means stands
at the field; only what belongs to no field (an introduction, an order) is written here. Reads no network and no Kafka.
"""

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import yaml
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings
from typer.main import get_command

from api.app import build_read_side, create_app
from api.http import errors
from api.read.exposition import Exposition, Picture
from api.settings import Settings as ApiSettings
from api.write.ingest import Ingest
from deploy.catalogue.words import plan_words
from deploy.cli import app as command_line
from deploy.settings import Settings as UpSettings
from processor.settings import Settings as WorkerSettings
from schemas.catalogue import Catalogue, Metric
from schemas.catalogue.defined import bound_under
from schemas.catalogue.json_schema import json_schema
from schemas.catalogue.reading import shipped
from schemas.catalogue.series import exported
from schemas.config import Config, parse_config
from schemas.config.rules import rules_of
from schemas.config.screens import Origin
from schemas.connectors import KINDS, build_connector, kind_of, read_connection
from schemas.connectors import fields as field_limits
from schemas.connectors.hubspot.events import STATEMENTS
from schemas.connectors.hubspot.object_types import BY_TYPE_ID
from schemas.connectors.hubspot.objects import DEFAULT_STAGES, DISPOSITIONS, LEAD_STATUS, LIFECYCLE
from schemas.connectors.tables import Table
from schemas.deliveries import Delivery
from schemas.documents.by_kind import ByKind
from schemas.documents.values import Currency, DurationSetting, Name, TimeZone
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.kafka_rights import RIGHTS
from schemas.records import CHOICES, ENTERED, FIELDS, HISTORIES, FieldType
from schemas.topics import TOPICS, Topic
from schemas.verifications import Verification
from schemas.windows import WINDOWS

REFERENCE = Path(__file__).parent / "reference"
DEPLOY = Path(__file__).parents[1] / "deploy"
_NOTE = "<!-- Made by docs/generate.py from the code. Change the code, then run it. -->"

_SAMPLE_CONFIG = """
organisation: {name: Sample, timezone: UTC, currency: USD}
connections:
  feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
"""


# --- Markdown ---------------------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *(line(row) for row in rows)])


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", _NOTE, *(part.strip("\n") for part in parts if part.strip())]) + "\n"


def _code(value: object) -> str:
    return f"`{value}`"


def _prose(text: str | None) -> str:
    return inspect.cleandoc(text or "")


# --- Configuration ----------------------------------------------------------------------------------------------------

_WORDS = {
    str: "text", int: "whole number", float: "number", bool: "`true` or `false`", SecretStr: "secret text",
    Decimal: "decimal", Path: "path",
}  # fmt: skip
_ALIASES: Sequence[tuple[Any, str]] = (
    (DurationSetting, "duration"), (TimeZone, "IANA time zone"), (Currency, "ISO 4217 code"), (Name, "name"),
    (Origin, "origin such as `https://wiki.example.com`"),
)  # fmt: skip


@cache
def _notes(model: type) -> Mapping[str, str]:
    """The text below each field of a class, its bases' fields included."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not owner.__module__.startswith("schemas."):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
        if not isinstance(body, ast.ClassDef):
            continue
        for here, below in zip(body.body, body.body[1:], strict=False):
            if isinstance(here, ast.AnnAssign) and isinstance(here.target, ast.Name) and isinstance(below, ast.Expr):
                text = below.value
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    found[here.target.id] = _prose(text.value)
    return found


def _is_model(hint: Any) -> bool:
    return inspect.isclass(hint) and issubclass(hint, BaseModel)


def _bounds(metadata: Sequence[Any]) -> str:
    words: list[str] = []
    marks = [inner for outer in metadata for inner in (outer.metadata if isinstance(outer, FieldInfo) else [outer])]
    for mark in marks:
        match mark:
            case Gt(gt=limit):
                words.append(f"above {limit}")
            case Ge(ge=limit):
                words.append(f"at least {limit}")
            case Lt(lt=limit):
                words.append(f"below {limit}")
            case Le(le=limit):
                words.append(f"at most {limit}")
            case MinLen(min_length=limit):
                words.append(f"at least {limit} long")
            case MaxLen(max_length=limit):
                words.append(f"at most {limit} long")
            case _:
                pattern = getattr(mark, "pattern", None)
                words += [f"like `{pattern}`"] if pattern else []
    return ", ".join(words)


def _is(hint: Any, known: Any) -> bool:
    """Whether it is a kind of value that has a word, perhaps with bounds."""
    parts = get_args(known)
    return bool(get_args(hint)[: len(parts)] == parts)


def _type(hint: Any) -> str:
    alias = next((word for known, word in _ALIASES if _is(hint, known)), None)
    if alias is not None:
        return alias
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is not None:
        return _composed(origin, arguments)
    if _is_model(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _composed(origin: Any, arguments: Sequence[Any]) -> str:
    if origin is Annotated:
        if (kinds := _kinds_in(arguments)) is not None:
            return " or ".join(map(_type, kinds.models()))
        inner, limits = _type(arguments[0]), _bounds(arguments[1:])
        return f"{inner}, {limits}" if limits else inner
    if origin is Literal:
        return ", ".join(_code(value) for value in arguments)
    inner_types = [_type(argument) for argument in arguments if argument is not NoneType]
    if origin is list:
        return f"list of {inner_types[0]}"
    if origin is dict:
        return f"mapping: {inner_types[0]} → {inner_types[1]}"
    return " or ".join(inner_types)


def _duration(microseconds: int) -> str:
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        if microseconds % size == 0 and (unit != "d" or microseconds > 2 * DAY):
            return f"{microseconds // size}{unit}"
    return f"{microseconds}µs"


def _default(field: FieldInfo, hint: Any) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return "its defaults"
    if value is None or value in ("", [], {}):
        return "none"
    if _is(hint, DurationSetting):
        return _code(_duration(value))
    if isinstance(value, list):
        return _code(f"[{', '.join(map(str, value))}]")
    return _code(str(value).lower() if isinstance(value, bool) else value)


def _kinds_in(annotations: Sequence[Any]) -> ByKind | None:
    return next((each for each in annotations if isinstance(each, ByKind)), None)


def _inner_models(hint: Any) -> Iterator[type[BaseModel]]:
    if (kinds := _kinds_in(get_args(hint))) is not None:
        yield from kinds.models()
        return
    if _is_model(hint):
        yield hint
    for argument in get_args(hint):
        yield from _inner_models(argument)


def _models(root: type[BaseModel]) -> list[type[BaseModel]]:
    """The model and all models in it, each once, in the order in which a reader meets them."""
    found: list[type[BaseModel]] = []

    def visit(model: type[BaseModel]) -> None:
        if model not in found:
            found.append(model)
            for hint in get_type_hints(model, include_extras=True).values():
                for inner in _inner_models(hint):
                    visit(inner)

    visit(root)
    return found


def _meaning(model: type[BaseModel], name: str, hint: Any) -> str:
    """What stands below a field; where nothing does, what the part that it holds says of itself."""
    note = _notes(model).get(name)
    if note is not None:
        return note
    if get_origin(hint) is Literal and len(get_args(hint)) == 1:
        return "Says that it is one of these."
    parts = list(_inner_models(hint))
    return _prose(parts[0].__doc__).split("\n\n")[0] if len(parts) == 1 else ""


def _model_section(model: type[BaseModel]) -> str:
    hints, rows = get_type_hints(model, include_extras=True), []
    for name, field in model.model_fields.items():
        hint = hints[name]
        limits = _bounds(field.metadata) if get_origin(hint) is not Annotated else ""
        kind = _type(hint) + (f", {limits}" if limits else "")
        rows.append([_code(field.alias or name), kind, _default(field, hint), _meaning(model, name, hint)])
    return f"## {model.__name__}\n\n{_prose(model.__doc__)}\n\n" + _table(["field", "type", "default", "meaning"], rows)


def configuration() -> str:
    """Every field of `floorcast.yaml`."""
    return _page(
        "Configuration: floorcast.yaml",
        """
The file describes the organisation: whose numbers, from which CRMs, by which rules. How processes run is in
[settings](settings.md). `floorcast check` reads it and names file, line and field of whatever is wrong. A change takes
effect when the processes are started again; what was counted by an old rule is then counted by the new one.

Durations are written `30s`, `5m`, `1h`, `2d`. A name has 1 to 64 letters, digits, `.`, `_` or `-`. `${env:NAME}` in
any text is replaced by that environment variable, by a line of `.env`, or by the file `/run/secrets/NAME`; the first
that is there wins. A field that is not listed here is refused.""",
        *(_model_section(model) for model in _models(Config)),
    )


# --- Settings ---------------------------------------------------------------------------------------------------------


def _settings_table(model: type[BaseSettings]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        kind = _type(field.annotation)
        limits = _bounds(field.metadata)
        default = "none" if field.default is None else _code(field.default)
        rows.append([
            _code(f"FLOORCAST_{name.upper()}"), kind + (f", {limits}" if limits else ""), default,
            field.description or "",
        ])  # fmt: skip
    return _table(["variable", "type", "default", "meaning"], rows)


def kafka_rights() -> str:
    """The least rights on a Kafka."""
    tool = "kafka-acls --bootstrap-server $BROKER --add"
    return _page(
        "Rights on Kafka",
        """
With these rights every process and command does its work, and none of them reaches beyond the prefix
(`FLOORCAST_PREFIX`). Each is needed by what the table says. Where one is missing, a command or worker ends with 3 and
names it, the topic, group or producer, and who lacks it; `/readyz` of an api says it.

Reading, writing and altering imply describing; `AlterConfigs` implies `DescribeConfigs`. A user who never runs
`topics --alter` may have `DescribeConfigs` in place of it. Nothing on the cluster itself is needed: since Kafka 2.8
whoever may write to a topic may write idempotently (one before that wants `IdempotentWrite` on the cluster as well).
""",
        _table(
            ["resource", "operation", "why"], [[f"`{one.resource}`", f"`{one.operation}`", one.why] for one in RIGHTS]
        ),
        "## By Kafka's own tool",
        "With `User:floorcast` and the prefix `floorcast.`:",
        "\n".join(["```sh", *(f"{tool} {one.command('User:floorcast', 'floorcast.')}" for one in RIGHTS), "```"]),
    )


def _compose_variables() -> str:
    text = (REFERENCE.parents[1] / "docker-compose.yml").read_text(encoding="utf-8")
    found = dict(re.findall(r"\$\{(FLOORCAST_\w+):-([^}]*)\}", text))
    return _table(["variable", "default"], [[_code(name), _code(default)] for name, default in sorted(found.items())])


def settings() -> str:
    """Environment variables of all processes."""
    return _page(
        "Settings: environment variables",
        """
Settings say how a process runs; the organisation is described in [floorcast.yaml](configuration.md). A flag of the
command wins over the environment, the environment over `.env` in the working directory, and that over a file
`/run/secrets/FLOORCAST_…`.""",
        "## `floorcast up`, `demo`, `topics`, `check`, `simulate`, `verify`\n\n" + _settings_table(UpSettings),
        "## `floorcast api`\n\n" + _settings_table(ApiSettings),
        "## `floorcast worker`\n\n" + _settings_table(WorkerSettings),
        """## Others

| variable | read by | meaning |
|---|---|---|
| `FLOORCAST_API_KEY` | `floorcast verify` | Key of scope `read`, where the api wants one. |
| `FLOORCAST_CACHE` | the local Kafka | Folder of Kafka's jars and their archive; the user's cache folder by default. |
| `FLOORCAST_SECRET` | `floorcast simulate` | Like `--secret`. |""",
        "## docker-compose.yml\n\nSet in `.env` beside it.\n\n" + _compose_variables(),
    )


# --- Metrics ----------------------------------------------------------------------------------------------------------


@cache
def _whole_api() -> tuple[FastAPI, CollectorRegistry]:
    """The api as it would run, connected to nothing."""
    own, found = ApiSettings(_env_file=None, _secrets_dir=None), parse_config(_SAMPLE_CONFIG, {})
    registry = CollectorRegistry()
    read_side = build_read_side(own, found, registry)
    return create_app(own, found, ingest=Ingest(own), state={"read_side": read_side}, registry=registry), registry


def _series() -> list[tuple[str, str, str]]:
    """(name, type, help) of every exported series that is not a metric of the catalogue."""
    sales = {exported(name, metric.unit)[0] for name, metric in shipped().metrics.items()}
    verified = Verification(0, 0, 0, "", 0, 0)
    picture = Picture(
        catalogue=Catalogue(),
        deals_without_rate=0,
        negative_durations={"talk_seconds": 0},
        goals=(),
        verification=verified,
    )
    text = b"".join(Exposition().pieces(picture)) + generate_latest(_whole_api()[1])
    helps: dict[str, str] = {}
    found = []
    for line in text.decode().splitlines():
        mark, _, rest = line.partition(" ")[2].partition(" ")
        name, _, content = rest.partition(" ")
        if line.startswith("# HELP"):
            helps[name] = content
        elif line.startswith("# TYPE") and mark == "TYPE" and name not in sales and not name.endswith("_created"):
            found.append((name, content, helps.get(name, "")))
    return found


def metrics() -> str:
    """The catalogue and what Prometheus gets."""
    rows = [
        [_code(name), metric.label, metric.unit, metric.better, metric.type, metric.description]
        for name, metric in shipped().metrics.items()
    ]
    exports = []
    for name, metric in shipped().metrics.items():
        series, factor = exported(name, metric.unit)
        exports.append([_code(series), f"`{name}`" + (", in seconds" if factor != 1 else "")])
    return _page(
        "Metrics",
        """
`GET /v1/metrics` serves this catalogue. How a number comes about, with examples, is told in
[how numbers are made](../guides/how-numbers-are-made.md). Counts and sums are 0 where nothing happened; ratios,
averages and percentiles are `null` there. A deleted record counts nowhere. *better* says which values rank first.""",
        _table(["metric", "label", "unit", "better", "type", "definition"], rows),
        f"""## Windows

{", ".join(_code(window) for window in WINDOWS)}; in REST also `from` and `to`, two dates, both included.

`5m` to `24h` are whole minutes: the current one and those before it. The others are days in the organisation's time
zone, to date; `7d` and `30d` are today and the days before it.""",
        """## In Prometheus: the sales floor

One gauge per metric, with the labels `rep`, `team` and `window`; which windows is said by `prometheus.windows` of
[floorcast.yaml](configuration.md). A `null` has no series.""",
        _table(["series", "metric"], exports),
        "## In Prometheus: leads and pipeline",
        _table(["series", "type", "meaning"], [[_code(name), kind, text] for name, kind, text in _series()]),
    )


# --- Topics -----------------------------------------------------------------------------------------------------------


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "compacted: the newest value of each key"
    return "`retention.records`" if topic.retention is None else _duration(topic.retention)


def topics() -> str:
    """The topic catalogue."""
    rows = [
        [_code(topic.name), topic.holds, topic.key, topic.value, _kept(topic), "yes" if topic.derived else "no"]
        for topic in TOPICS
    ]
    sample = next(topic for topic in TOPICS if topic.derived)
    log = next(topic for topic in TOPICS if not topic.derived)
    compacted = next(topic for topic in TOPICS if topic.compacted).settings(400 * DAY)
    others = dict(log.settings(400 * DAY)) | {"retention.ms": "as long as *kept* says"}
    rows_of_settings = [
        [_code(name), compacted.get(name, ""), others.get(name, "")] for name in sorted({*compacted, *others})
    ]
    return _page(
        "Kafka topics",
        f"""
`floorcast up` and `floorcast topics` create these, and refuse topics that differ. Settings are set anew by
`floorcast topics --alter`, and by `up` on the Kafka that it runs itself; partitions and `cleanup.policy` are not: a
wrong policy may already have deleted something, so somebody has to look. Names begin with `FLOORCAST_PREFIX`, and
those of derived topics carry the generation: `{log.full_name("floorcast.", 1)}`, `{sample.full_name("floorcast.", 1)}`.
What is derived can be made again from what is not, so that is what to back up: `deliveries` above all.""",
        _table(["topic", "holds", "key", "value", "kept", "derived"], rows),
        "## Topic settings\n\n" + _table(["setting", "compacted topics", "the others"], rows_of_settings),
    )


# --- REST -------------------------------------------------------------------------------------------------------------


def _schema_words(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_schema_words(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return ", ".join(_code(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_schema_words(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_schema_words(schema['additionalProperties'])}"
    limits = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    return " ".join([str(schema.get("format") or schema.get("type") or "any"), *limits])


def _default_word(schema: Mapping[str, Any]) -> str:
    return _code(schema["default"]) if schema.get("default") is not None else "none"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    head, text = _prose(operation.get("summary")), _prose(operation.get("description"))
    lines = [f"### `{method.upper()} {path}`", f"{head}.", text]
    parameters = [
        [
            _code(each["name"]), each["in"], _schema_words(each["schema"]),
            "**required**" if each.get("required") else _default_word(each["schema"]),
            each.get("description", ""),
        ]
        for each in operation.get("parameters", ())
    ]  # fmt: skip
    if parameters:
        lines.append(_table(["parameter", "in", "type", "default", "meaning"], parameters))
    body = operation.get("requestBody", {})
    for kind, content in body.get("content", {}).items():
        described = f" {body['description']}" if "description" in body and not body.get("required") else ""
        lines.append(f"Body: `{kind}`{_shape_words(content)}.{described}")
    for status in ("200", "202"):
        for kind, content in operation["responses"].get(status, {}).get("content", {}).items():
            lines.append(f"Answer: {'' if status == '200' else f'{status}, '}`{kind}`{_shape_words(content)}.")
    return "\n\n".join(line for line in lines if line.strip("."))


def _shape_words(content: Mapping[str, Any]) -> str:
    schema = content.get("schema")
    return f": {_schema_words(schema)}" if schema and "$ref" in schema else ""


def rest() -> str:
    """Every path of the api."""
    document = _whole_api()[0].openapi()
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation.get("tags", ["other"])[0], []).append(_operation(method, path, operation))
    shapes = []
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items()):
        rows = [
            [_code(field), _schema_words(shape), shape.get("description", "")]
            for field, shape in schema.get("properties", {}).items()
        ]
        table = _table(["field", "type", "meaning"], rows)
        shapes.append(f"### {name}\n\n{_prose(schema.get('description'))}\n\n{table}")
    problems = sorted(
        ((kind.status, kind.slug, _prose(kind.__doc__)) for kind in _error_kinds()), key=lambda each: each[:2]
    )
    return _page(
        "REST and stream",
        """
`/openapi.json` says the same to machines, `/docs` shows it in a browser. Instants are RFC 3339 in UTC with
milliseconds, durations are seconds, money is a decimal string with its `currency` beside it. Answers under `/v1` carry
an `ETag` of their values and honour `If-None-Match`. While the view still loads after a start they are 503 with
`Retry-After`.

With API keys a request carries `Authorization: Bearer fc_…`; which scope an address needs is said with it. Without any
key, on loopback, everything is open to this machine itself; through a proxy (`Forwarded`, `X-Forwarded-*`, `Via`) a key
is needed all the same. Headers of a proxy are believed if its address is among `FLOORCAST_TRUSTED_PROXIES`.

`HEAD` is answered wherever `GET` is, but on the stream. `Accept-Encoding: gzip` is honoured. A parameter that an
address does not have is 422. Every answer has an `x-request-id`, by which the log knows the request: the one that it
brought (at most 64 letters, digits, `.`, `_` and `-`), else a new one. Pages of the sites under `cors` in
[floorcast.yaml](configuration.md) may ask, with a key.

The stream sends `snapshot` first: rows, waiting leads, open alerts, the last 20 wins of today, what was `taken_back` of
wins, freshness. Then `metrics` (rows with the metrics that changed, as whole values), `lead`, `alert` and `win` (one of
them, as in REST) and `freshness`. What changes by time alone is sent too. Each event has an `id`; whoever comes back
with `Last-Event-ID` gets what was missed, or a new snapshot. Every 5 s without news there is a comment.""",
        *(f"## {name.capitalize()}\n\n" + "\n\n".join(found) for name, found in groups.items()),
        "## Errors\n\n`application/problem+json` (RFC 9457). `type` is `urn:floorcast:problem:` and one of these "
        "words; `field` names the parameter, header or setting to look at, where there is one.\n\n"
        + _table(["status", "word", "meaning"], [[str(status), _code(slug), text] for status, slug, text in problems]),
        "## Shapes\n\n" + "\n\n".join(shapes),
    )


def _error_kinds() -> list[type[errors.ApiError]]:
    return [
        found for found in vars(errors).values() if inspect.isclass(found) and issubclass(found, errors.ApiError)
    ]  # fmt: skip


# --- Webhooks ---------------------------------------------------------------------------------------------------------

_FIELD_WORDS: Mapping[FieldType, str] = {
    FieldType.TEXT: "text",
    FieldType.FLAG: "`true` or `false`",
    FieldType.INSTANT: "RFC 3339 instant with an offset",
    FieldType.SECONDS: "seconds, a number that is not negative",
    FieldType.DECIMAL: "decimal, as a number or text",
    FieldType.CURRENCY: "ISO 4217 code",
    FieldType.REFERENCE: "id",
    FieldType.REFERENCES: "list of ids; a change replaces it whole",
    FieldType.DATE: "date such as `2026-03-18`, a day of the organisation",
    FieldType.DATE_OR_INSTANT: "date, a day of the organisation, or an RFC 3339 instant",
    FieldType.ATTRIBUTES: "object",
    FieldType.PHONE: "telephone number with country code; kept only where `match` needs it, as a keyed hash",
}


def _record_section(kind: str, found: Mapping[str, FieldType]) -> str:
    rows = []
    for name, field_type in found.items():
        choices = CHOICES.get((kind, name), ())
        words = ", ".join(_code(choice) for choice in sorted(choices)) if choices else _FIELD_WORDS[field_type]
        rows.append(
            [_code(name), words, "yes" if name in HISTORIES.get(kind, ()) or name in ENTERED.get(kind, ()) else ""]
        )
    return f"### `{kind}`\n\n" + _table(["field", "value", "history kept"], rows)


def webhooks() -> str:
    """What a connection takes and answers."""
    taken = [
        (202, "", "Stored: Kafka has acknowledged the raw bytes. The body names the delivery, `partition-offset`."),
        *(
            (kind.status, kind.slug, _prose(kind.__doc__).splitlines()[0])
            for kind in (
                errors.BadSignatureError, errors.NotFoundError, errors.MethodNotAllowedError, errors.BodyTooLargeError,
                errors.ContentTypeRefusedError, errors.TooManyDeliveriesError, errors.NotStoredError,
                errors.OverloadedError,
            )
        ),
        (408, "", "The request had not arrived whole within `request_deadline_seconds`."),
    ]  # fmt: skip
    limits = [
        ["body", f"{1 << 20:,} bytes, also of what gzip (`content-encoding: gzip`) inflates to"],
        ["ids", f"{field_limits.MAX_ID} printable characters"],
        ["lists of ids", f"{field_limits.MAX_IDS} ids"],
        ["text", f"{field_limits.MAX_TEXT} characters"],
        [
            "decimals",
            f"{field_limits.MAX_DIGITS} digits before the point; {field_limits.MAX_DECIMALS} after it,"
            " more are rounded",
        ],
        ["attributes", f"{field_limits.MAX_ATTRIBUTES} bytes as JSON"],
        ["`changed_at`", "at most 24 h ahead of the delivery"],
    ]
    return _page(
        "Webhooks",
        """
`POST /webhooks/{connection}`, where the connection is an entry of [floorcast.yaml](configuration.md). What is answered
2xx is in Kafka; what it says is read afterwards, and what nobody can read goes to `dead-letters` with the reason.
Redelivery does no harm: the same change counts once.""",
        "## Answers\n\n"
        + _table(
            ["status", "word", "meaning"],
            [[str(status), _code(slug) if slug else "", text] for status, slug, text in sorted(taken)],
        )
        + "\n\n429 and 503 carry `Retry-After`. All but 202 are `application/problem+json`.",
        """## Events of kind `generic`

A body is one event or an array of them:

```json
{"record": "call", "id": "c-1017", "changed_at": "2026-03-18T16:41:30.344Z", "deleted": false,
 "fields": {"rep": "r-17", "lead": "l-5", "direction": "outbound",
            "dialed_at": "2026-03-18T16:38:02.000Z", "answered_at": "2026-03-18T16:38:10.000Z",
            "ended_at": "2026-03-18T16:41:20.000Z"}}
```

`changed_at` is when the CRM set these fields; the newer one wins, field by field, whatever comes first. Of two changes
of one record at one instant the later one of a delivery wins. Fields left out are unchanged, `null` clears one.
`deleted: true` takes the record out of every number (a lead that was merged lives on in its root), and a later change
with `deleted: false` brings it back. A deal with `merged_into` counts nowhere, and the deal that stays by its own
record alone. Unknown records and fields stay in the log and are counted, no more.

The same is taken in CloudEvents 1.0 (binary, structured, batched), with the event or an array of events as `data`.
How to sign: [connect anything](../guides/connect-anything.md).""",
        "## Records and fields\n\n" + "\n\n".join(_record_section(kind, found) for kind, found in FIELDS.items()),
        "## Limits\n\n" + _table(["what", "limit"], limits),
    )


# --- HubSpot ----------------------------------------------------------------------------------------------------------

_SAMPLES = (
    "1767225600000", "12.5", "true", "false", "closedwon", "closedlost", "appointmentscheduled", "FAILED",
    "AUTOMATION_PLATFORM", "some-text",
)  # fmt: skip
_OBJECT_NAMES = {
    "0-1": "Contact", "0-3": "Deal", "0-47": "Meeting", "0-48": "Call", "0-49": "Email", "0-136": "Lead",
}  # fmt: skip


def _fields_of_property(type_id: str, name: str, words: Sequence[str]) -> list[str]:
    """What a change of this property says something of: asked of the connector with sample values."""
    settings = {"kind": "hubspot", "secrets": ["sample-secret"], "public_url": "https://hooks.example", "leads": "both"}
    connector = build_connector(read_connection(settings))
    found: dict[str, None] = {}
    for value in (*words, *_SAMPLES):
        event = (
            f'{{"subscriptionType": "object.propertyChange", "objectTypeId": "{type_id}", "objectId": 7, '
            f'"eventId": 5, "occurredAt": 1767225600000, "propertyName": "{name}", "propertyValue": "{value}"}}'
        )
        parsed = connector.parse(Delivery("sample", 1767225600_000_000, {}, event.encode()))
        found |= dict.fromkeys(name.partition("#")[0] for change in parsed.changes for name in change.fields)
    return list(found)


def _words() -> list[str]:
    tables = (DISPOSITIONS, LIFECYCLE, LEAD_STATUS, DEFAULT_STAGES)
    enumerations = ("OUTBOUND", "EMAIL", "COMPLETED", "NEWBUSINESS")
    return [*(word for table in tables for word in table), *enumerations]


def hubspot_mapping() -> str:
    """What the HubSpot connector reads: properties, one by one, where others read objects."""
    words = _words()
    sections = []
    for type_id, target in sorted(BY_TYPE_ID.items(), key=lambda each: _OBJECT_NAMES[each[0]]):
        fields = {name: _fields_of_property(type_id, name, words) for name in target.properties}
        rows = [[_code(name), ", ".join(map(_code, found))] for name, found in fields.items()]
        head = f"### {_OBJECT_NAMES[type_id]} (`{type_id}`): record `{target.kind}`"
        sections.append(f"{head}\n\n" + _table(["property", "sets"], rows))
    events = ", ".join(_code(f"*.{action}") for action in STATEMENTS)
    return "\n\n".join(
        (
            "Of each object these events are understood, if HubSpot sends them:",
            events.replace(", `*.propertyChange`", ",\n`*.propertyChange`") + ".",
            *sections,
            "### Words\n\nAll other words of these properties (custom dispositions, stages of an own pipeline) have no "
            "counterpart and are counted as `unmapped_value`.",
            _word_table("call disposition", "`outcome`", {_as_id(word): to for word, to in DISPOSITIONS.items()}),
            _word_table("lifecycle stage", "`status` of the lead", LIFECYCLE),
            _word_table("lead status", "`status` of the lead", LEAD_STATUS),
            _word_table("deal stage", "`status` of the deal", DEFAULT_STAGES),
        )
    )


def _as_id(word: str) -> str:
    return word.lower().replace("_", "-")


def _word_table(theirs: str, ours: str, words: Mapping[str, str]) -> str:
    return _table([theirs, ours], [[_code(word), _code(meaning)] for word, meaning in words.items()])


# --- Connectors -------------------------------------------------------------------------------------------------------

CONNECTORS = Path(__file__).parent / "connectors"
_MAPPING = re.compile(r"(?<=<!-- mapping: made by docs/generate.py -->\n).*?(?=<!-- end of mapping -->)", re.DOTALL)


def connector_page(kind: str) -> str:
    """The page of a kind: written by hand but for what becomes what, which its tables say."""
    text = (CONNECTORS / f"{kind}.md").read_text(encoding="utf-8")
    sections = "\n\n".join(map(_object_section, kind_of(kind).objects)) or hubspot_mapping()
    found, count = _MAPPING.subn(lambda _: f"\n{sections}\n\n", text)
    if count != 1:
        msg = f"docs/connectors/{kind}.md: has no place for the mapping, or several"
        raise ValueError(msg)
    return found


def _object_section(table: Table) -> str:
    rows = [
        [
            ", ".join(map(_code, (row.source, *row.also))),
            ", ".join(_code(name) for name in row.sets if name in FIELDS[table.record]),
            row.note,
        ]
        for row in table.rows
        if not FIELDS[table.record].keys().isdisjoint(row.sets)
    ]
    head = f"### {_code(table.name)}: record `{table.record}`\n\n<{table.page}>"
    return f"{head}\n\n" + _table(["member", "sets", ""], rows)


# --- Commands ---------------------------------------------------------------------------------------------------------


def _helps(command: Any, name: str, parent: Any = None) -> Iterator[tuple[str, str]]:
    context = command.make_context(
        name, [], parent, resilient_parsing=True, terminal_width=100, max_content_width=100
    )  # fmt: skip
    yield context.command_path, command.get_help(context)
    for inner_name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _helps(inner, inner_name, context)


def cli() -> str:
    """What can be typed."""
    return _page(
        "Commands",
        """
| exit code | meaning |
|---|---|
| 0 | It went well, or was stopped by SIGTERM or Ctrl-C. |
| 1 | Differences were found. |
| 2 | Wrong use or configuration; starting again would not help. |
| 3 | A service that is needed cannot be reached. |

A worker or stream also ends itself with 75 (another one owns what it wrote to), and whatever lasts with 70 (anything
unexpected), a worker without committing; whatever supervises it starts it again. An api, a worker, a stream, look-ups
and `verify --every` end with 0 when they are told to (SIGTERM, Ctrl-C), also before they have begun their work; a
command that is stopped, and whatever is stopped in the moment in which Python starts, ends as any program does: a shell
says 143, or 130. A worker that is stopped while Kafka is away waits 8 seconds for it and then ends with 0 without
committing; nothing is lost by that, what was not committed is done again.""",
        *(
            f"## `{name}`\n\n```text\n{text.rstrip()}\n```"
            for name, text in _helps(get_command(command_line), "floorcast")
        ),
    )


def metric_entries() -> str:
    """Every shipped metric with all that is said of it, for people."""
    defined = shipped()
    rules = rules_of(parse_config(_SAMPLE_CONFIG, {}))
    tags = sorted({tag for entry in defined.metrics.values() for tag in entry.tags})
    by_tag = [
        [tag, ", ".join(f"[{name}](#{name})" for name, entry in defined.metrics.items() if tag in entry.tags)]
        for tag in tags
    ]
    return _page(
        "The shipped metrics",
        """
What each metric counts, exactly. Counts and sums are 0 where nothing happened; ratios, averages and percentiles are
`null` there. A deleted record counts nowhere. `GET /v1/metrics` serves these texts, `floorcast metrics show NAME` the
entries, and `floorcast check` runs the examples; [write a metric of your own](guides/write-a-metric.md) says how an
entry is written. Windows and Prometheus series are in the [reference](reference/metrics.md).""",
        _table(["tag", "metrics"], by_tag),
        *(_metric_entry(name, metric) for name, metric in bound_under(defined, rules).metrics.items()),
    )


def _metric_entry(name: str, metric: Metric) -> str:
    entry = metric.entry
    better = "the higher the better" if entry.better == "higher" else "the lower the better"
    facts = f"**{entry.label}** ({entry.unit}, {better}; {', '.join(entry.tags)}; type {entry.type})"
    plan = "\n".join(plan_words(metric))
    return f"## {name}\n\n{facts}\n\n{entry.description}\n\n```text\n{plan}\n```"


def metrics_schema() -> str:
    """What editors check `metrics.yaml` against."""
    return json.dumps(json_schema(), indent=2) + "\n"


def prometheus_rule() -> str:
    """The rules of deploy/prometheus, as the Prometheus operator takes them."""
    groups: list[object] = []
    for file in sorted((DEPLOY / "prometheus" / "rules").glob("*.yml")):
        groups += yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    resource = {
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {"name": "floorcast"},
        "spec": {"groups": groups},
    }  # fmt: skip
    note = "# Made by docs/generate.py from deploy/prometheus/rules. Change those, then run it.\n"
    return note + yaml.safe_dump(resource, sort_keys=False, width=120)


def runbooks() -> str:
    """The pages of docs/runbooks, for an api to serve."""
    folder = REFERENCE.parent / "runbooks"
    pages = {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.md"))}
    note = "# Made by docs/generate.py from docs/runbooks. Change those, then run it.\n"
    return note + yaml.dump(pages, Dumper=_Blocks, sort_keys=True, width=1000, allow_unicode=True)


class _Blocks(yaml.SafeDumper):
    """Writes texts of several lines as they are read."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Blocks.add_representer(str, _Blocks.represent_str)


PAGES: Mapping[str, Callable[[], str]] = {
    "../../api/runbooks.yaml": runbooks,
    "../metrics.md": metric_entries,
    "../../deploy/kubernetes/components/prometheus-operator/rules.yaml": prometheus_rule,
    "cli.md": cli,
    "configuration.md": configuration,
    "metrics.md": metrics,
    "metrics.schema.json": metrics_schema,
    "rest.md": rest,
    "kafka-rights.md": kafka_rights,
    "settings.md": settings,
    "topics.md": topics,
    "webhooks.md": webhooks,
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages; with `--check` name those that differ and give 1."""
    different = []
    for name, make in PAGES.items():
        path, text = REFERENCE / name, make()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            different.append(name)
            if "--check" not in arguments:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    for kind in KINDS:
        made = kind_of(kind)
        if (made.objects or kind == "hubspot") and (text := connector_page(kind)) != (
            CONNECTORS / f"{kind}.md"
        ).read_text(encoding="utf-8"):
            different.append(f"../connectors/{kind}.md")
            if "--check" not in arguments:
                (CONNECTORS / f"{kind}.md").write_text(text, encoding="utf-8")
    for name in different:
        sys.stdout.write(f"docs/reference/{name} {'differs' if '--check' in arguments else 'written'}\n")
    return 1 if different and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
