"""The digest of the definitions: what changes numbers changes it, what does not leaves it."""

from hashlib import sha256
from typing import Any, get_args

import msgspec
import pytest
from pydantic import BaseModel

from api.read.view import View
from schemas.alerts import Acknowledgement, Alert, AlertFrame
from schemas.catalogue.reading import MetricsFile, shipped
from schemas.config import Config
from schemas.deals import DealCard
from schemas.definitions import FORM, ROWS, definitions_digest
from schemas.documents.by_kind import ByKind
from schemas.leads import LeadClock
from schemas.panes import Pane, encode_pane
from schemas.progress import Progress, encode_progress, progress_key
from schemas.records import FIELDS, Value, fold_all, make_change
from schemas.topics import PROGRESS
from schemas.voices import LEFT, VOICES
from tests.builders import make_config

_FEED = {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
_OTHER_SECRET = _FEED | {
    "secrets": ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_plJ3nmyCDGBKInavdOK15jsl0nGoW3cZ"]
}
_CLOSE = {"kind": "close", "secrets": ["00112233445566778899aabbccddeeff"], "namespace": "cl"}


@pytest.mark.parametrize(
    "sections",
    [
        {"timezone": "Asia/Kuala_Lumpur"},
        {"currency_rates": {"EUR": "1.08"}},
        {"lead_response": {"rules": [{"sla": "5m"}]}},
        {"reps": {"r-1": {"aliases": {"feed": ["x"]}}}},
        {"connections": {"feed": _FEED | {"namespace": "hs"}}},
        {"connections": {"feed": _FEED, "crm": _CLOSE}},
    ],
    ids=["time zone", "rate", "sla", "alias", "namespace", "connection"],
)
def test_another_definition_has_another_digest(sections: dict[str, Any]) -> None:
    assert definitions_digest(make_config(**sections)) != definitions_digest(make_config())


@pytest.mark.parametrize(
    "sections",
    [
        {"prometheus": {"windows": ["7d"]}},
        {"connections": {"feed": _OTHER_SECRET}},
        {"cors": ["https://intranet.example.com"]},
        {"lead_response": {"responder": "anyone"}, "retention": {"records": "400d"}},
    ],
    ids=["exported windows", "rotated secret", "cors", "what holds anyway"],
)
def test_what_changes_no_number_leaves_the_digest(sections: dict[str, Any]) -> None:
    assert definitions_digest(make_config(**sections)) == definitions_digest(make_config())


def test_how_a_crm_is_asked_is_no_definition_and_whether_it_is_asked_is_one() -> None:
    def digest(**of_close: Any) -> str:
        return definitions_digest(make_config(connections={"feed": _FEED, "crm": _CLOSE | of_close}))

    assert digest(api={"key": "api_old"}) == digest(
        api={"key": "api_new"}, reconcile={"every": "5m"}, lookups={"wait": "2s"}
    )
    assert digest(api={"key": "api_old"}) != digest()


def test_a_name_is_no_definition() -> None:
    reps = {"r-1": {"name": "Ana Lim", "email": "ana@example.com", "team": "north"}}
    teams = {"north": {"name": "North"}}
    married = {"r-1": {"name": "Ana Gray", "email": "gray@example.com", "team": "north"}, "r-2": {"name": "New"}}

    assert definitions_digest(make_config(reps=reps, teams=teams)) == definitions_digest(
        make_config(reps=married, teams={"north": {"name": "Northern lights"}})
    )
    assert definitions_digest(make_config(reps=reps, teams=teams)) != definitions_digest(
        make_config(reps={"r-1": {"team": "south"}}, teams={"north": {}, "south": {}})
    )


def test_what_was_done_by_other_definitions_is_not_done_for_the_view() -> None:
    config = make_config(currency_rates={"EUR": "1.25"})
    view = View(config)
    old, new = (Progress(offset=9, definitions=definitions_digest(made_by)) for made_by in (make_config(), config))

    view.apply(PROGRESS.name, progress_key("ledger", 0), encode_progress(old))
    view.apply(PROGRESS.name, progress_key("ledger", 1), encode_progress(new))

    assert {place: progress.offset for place, progress in view.progress.items()} == {("ledger", 1): 9}


WRITTEN = {2: "ae57e7f59e107303"}
"""Form -> digest of what is written in it."""
MESSAGES: tuple[type[msgspec.Struct], ...] = (Acknowledgement, Alert, AlertFrame, DealCard, LeadClock, Progress)


def written() -> bytes:
    """What messages of derived topics look like: the members of each, a pane of every sort of cell, a row."""
    members = [(kind.__name__, kind.__struct_fields__, kind.__annotations__) for kind in MESSAGES]
    ids, pairs = {b"0123456789abcdef": 1, b"fedcba9876543210": 2}, {(86_400_000_000, 60_000_000): 1}
    pane: Pane = {2: 3, 4: {60_000_000: 1, 3_600_000_000: 2}, 6: {7: 5, 9: 4}, 8: ids, 10: pairs}
    words: list[tuple[int, dict[str, Value]]] = [
        (1, {"rep": "r-1", "stage": "open", "amount": "12.50", "lead": "l-1"}),
        (2, {"rep": "r-2", "stage": "won", "closed_at": 2}),
    ]
    row = fold_all(
        "deal", [make_change(kind="deal", id="d-1", changed_at=at, fields=said, received_at=9) for at, said in words]
    )
    return b"\0".join([repr(members).encode(), encode_pane(pane), row.encode()])


def test_another_form_of_what_is_written_has_another_number() -> None:
    """Can a build before yours not read it? Then raise `FORM`. If it can (a further member at the end that has a
    default), write down the new digest."""
    assert {FORM: sha256(written()).hexdigest()[:16]} == WRITTEN


def test_what_rows_may_hold_has_a_number() -> None:
    """A field, kind or voice that is new? A build before yours takes it for damage: raise `ROWS`."""
    known = repr([{kind: [*fields] for kind, fields in FIELDS.items()}, VOICES, LEFT])
    assert {ROWS: sha256(known.encode()).hexdigest()[:16]} == {2: "f5958476a880d62a"}


def test_another_form_is_another_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    before = definitions_digest(make_config())
    monkeypatch.setattr("schemas.definitions.FORM", FORM + 1)

    assert definitions_digest(make_config()) != before


def defaults_of(model: type[BaseModel], known: dict[str, str]) -> dict[str, str]:
    """What holds where nobody says anything, of a section and all within it: name of model and setting -> default."""
    for name, setting in model.model_fields.items():
        place = f"{model.__name__}.{name}"
        if place in known:
            continue
        known[place] = repr(setting.get_default(call_default_factory=True))
        within = [setting.annotation]
        while within:
            each = within.pop()
            by_kind = [model for one in get_args(each) if isinstance(one, ByKind) for model in one.models()]
            within += by_kind or get_args(each)
            if isinstance(each, type) and issubclass(each, BaseModel):
                defaults_of(each, known)
    return known


def test_what_nobody_sets_has_a_number() -> None:
    """A default that changed changes numbers, and the digest leaves out what nobody sets: raise `FORM`. If it changes
    none, or the setting is new, write down the new digest."""
    defaults: dict[str, str] = {}
    sections: set[type[BaseModel]] = {Config, MetricsFile, *(type(entry) for entry in shipped().metrics.values())}
    for section in sections:
        defaults_of(section, defaults)
    assert {FORM: sha256(repr(sorted(defaults.items())).encode()).hexdigest()[:16]} == {2: "ed2cec8414a68a4d"}
