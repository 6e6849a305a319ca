"""The digest of the definitions: what changes numbers changes it, what does not leaves it."""

from typing import Any

import pytest

from api.read.view import View
from schemas.definitions import digest_of
from schemas.progress import Progress, encode_progress, progress_key
from schemas.topics import PROGRESS
from tests.builders import make_config

_FEED = {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
_OTHER_SECRET = _FEED | {
    "secrets": ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_plJ3nmyCDGBKInavdOK15jsl0nGoW3cZ"]
}


@pytest.mark.parametrize(
    "sections",
    [
        {"timezone": "Asia/Kuala_Lumpur"},
        {"currency_rates": {"EUR": "1.08"}},
        {"lead_response": {"rules": [{"sla": "5m"}]}},
        {"reps": {"r-1": {"aliases": {"feed": ["x"]}}}},
        {"connections": {"feed": _FEED | {"namespace": "hs"}}},
    ],
    ids=["time zone", "rate", "sla", "alias", "namespace"],
)
def test_another_definition_has_another_digest(sections: dict[str, Any]) -> None:
    assert digest_of(make_config(**sections)) != digest_of(make_config())


@pytest.mark.parametrize(
    "sections",
    [{"prometheus": {"windows": ["7d"]}}, {"connections": {"feed": _OTHER_SECRET}}],
    ids=["exported windows", "rotated secret"],
)
def test_what_changes_no_number_leaves_the_digest(sections: dict[str, Any]) -> None:
    assert digest_of(make_config(**sections)) == digest_of(make_config())


def test_a_name_is_no_definition() -> None:
    reps = {"r-1": {"name": "Ana Lim", "email": "ana@example.com", "team": "north"}}
    teams = {"north": {"name": "North"}}
    married = {"r-1": {"name": "Ana Gray", "email": "gray@example.com", "team": "north"}, "r-2": {"name": "New"}}

    assert digest_of(make_config(reps=reps, teams=teams)) == digest_of(
        make_config(reps=married, teams={"north": {"name": "Northern lights"}})
    )
    assert digest_of(make_config(reps=reps, teams=teams)) != digest_of(
        make_config(reps={"r-1": {"team": "south"}}, teams={"north": {}, "south": {}})
    )


def test_what_was_done_by_other_definitions_is_not_done_for_the_view() -> None:
    config = make_config(currency_rates={"EUR": "1.25"})
    view = View(config)
    old, new = (Progress(offset=9, definitions=digest_of(made_by)) for made_by in (make_config(), config))

    view.apply(PROGRESS.name, progress_key("ledger", 0), encode_progress(old))
    view.apply(PROGRESS.name, progress_key("ledger", 1), encode_progress(new))

    assert {place: progress.offset for place, progress in view.progress.items()} == {("ledger", 1): 9}
