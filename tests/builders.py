"""Builders of the values that tests are about, with defaults: changes of records, a configuration, a verification.

Owns no expectation. Instants are written as text (`2026-03-18T10:00Z`, any offset) and become microseconds.
"""

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from msgspec import structs

from schemas.catalogue import Catalogue
from schemas.catalogue.defined import Defined
from schemas.catalogue.reading import ReadDefinitions, read_metrics, shipped
from schemas.config import Config, ConfigError
from schemas.definitions import definitions_digest
from schemas.instants import MINUTE, SECOND, from_datetime
from schemas.records import FIELDS, FieldType, RecordChange, Value, make_change
from schemas.verifications import Verification, WindowComparison, encode_verification


def instant(moment: str | int) -> int:
    """`2026-03-18T10:00Z`, `2026-03-28 23:30+01:00` -> microseconds; an integer is one already."""
    if isinstance(moment, int):
        return moment
    parsed = datetime.fromisoformat(moment)
    if parsed.tzinfo is None:
        msg = f"{moment!r} has no offset"
        raise ValueError(msg)
    return from_datetime(parsed)


def change(
    record: str,
    record_id: str,
    changed_at: str | int = "2026-03-18T00:00Z",
    /,
    *,
    delivered_at: str | int | None = None,
    deleted: bool | None = None,
    **fields: Any,
) -> RecordChange:
    """Make what the CRM set on one record at one instant; delivered at that instant unless said otherwise.

    Fields are written as a test likes to read them: instants as text, `talk_seconds` in seconds, `amount` and `value`
    as a number or text; None clears. `received_at` is the lead's field, `delivered_at` when the api took the change.
    """
    # A field may be a word of Python: it is written `from_`.
    named = {name.rstrip("_"): value for name, value in fields.items()}
    normalised: dict[str, Value] = {name: _normalised(record, name, value) for name, value in named.items()}
    if deleted is not None:
        normalised["deleted"] = deleted
    version = instant(changed_at)
    return make_change(
        kind=record,
        id=record_id,
        changed_at=version,
        fields=normalised,
        received_at=version if delivered_at is None else instant(delivered_at),
    )


def _normalised(record: str, name: str, value: Any) -> Value:
    kind = FIELDS[record][name]
    if value is None:
        return None
    if kind is FieldType.INSTANT or (kind is FieldType.DATE_OR_INSTANT and len(str(value)) > len("2026-03-18")):
        return instant(value)
    if kind is FieldType.SECONDS:
        return int(Decimal(str(value)) * SECOND)
    if kind is FieldType.DECIMAL:
        return str(value)
    normalised: Value = value
    return normalised


def make_verification(config: Config, at: int, **fields: Any) -> bytes:
    """What a recount by these definitions found at an instant: nothing, unless said."""
    found = Verification(
        verified_at=at, started_at=at, every=5 * MINUTE, definitions=definitions_digest(config), deliveries=40,
        changes=60, windows=(WindowComparison("leads", at), WindowComparison("today", at)), compared=("leads", "today"),
    )  # fmt: skip
    return encode_verification(structs.replace(found, **fields))


def catalogue_of(text: str) -> Catalogue:
    """What a `metrics.yaml` defines by itself, with nothing that is shipped. Raises ConfigError."""
    read = read_metrics(text, "metrics.yaml", Defined(Catalogue()))
    if read.problems:
        raise ConfigError(read.problems)
    return read.defined.metrics


def make_config(
    *,
    timezone: str = "UTC",
    currency: str = "USD",
    week_starts: str = "monday",
    calendar: str | None = None,
    defines: str | None = None,
    defined: Defined | None = None,
    **sections: Any,
) -> Config:
    """Make a configuration with one connection `feed`; `sections` are more top-level entries of `floorcast.yaml`.

    `defines`: the text of a `metrics.yaml` beside it. `defined`: all that is served, instead.
    """
    data: dict[str, Any] = {
        "organisation": {
            "name": "Acme",
            "timezone": timezone,
            "currency": currency,
            "week_starts": week_starts,
            "calendar": calendar,
        },
        "connections": {"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
        **sections,
    }
    if defined is not None:
        return Config.model_validate(data, context=ReadDefinitions(defined, []))
    return Config.model_validate(data, context=None if defines is None else _read(defines))


@cache
def _read(defines: str) -> ReadDefinitions:
    read = read_metrics(defines, "metrics.yaml", shipped())
    assert read.problems == []
    return read
