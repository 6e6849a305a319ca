"""What channels call those whom an alert is about."""

import pytest

from processor.agents.channels.wording import Wording
from processor.core.alert_names import with_names
from schemas.alerts import Alert
from schemas.naming import NameStyle, strictest
from tests.alert_builders import make_alert, make_crossing
from tests.builders import make_config

PEOPLE = {"r1": "Ana Lim"}
LEADS = {"l1": "Jane Doe"}
NOBODY: dict[str, str] = {}
WORDING = Wording(make_config())


def called(alert: Alert, names: NameStyle) -> Alert:
    (found,) = with_names(
        [alert], names, rep_name=PEOPLE.get, team_name={"north": "North"}.get, lead_name=LEADS.get
    )  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("names", "lead", "rep"),
    [
        ("full", "Jane Doe", "(rep Ana Lim, team North)"),
        ("first", "Jane", "(rep Ana, team North)"),
        ("none", "l1", "(team North)"),
    ],
)
def test_a_lead_and_its_rep_are_named_as_far_as_the_channel_may_know(names: NameStyle, lead: str, rep: str) -> None:
    alert = called(make_alert(), names)

    assert WORDING.told([alert]).headline == f"Lead {lead} is overdue"
    assert WORDING.told([alert]).lines[0].startswith(f"Lead {lead} {rep}: overdue since")


def test_what_nobody_names_goes_by_its_id() -> None:
    (alert,) = with_names([make_alert("l9")], "full", rep_name=PEOPLE.get, team_name=NOBODY.get, lead_name=NOBODY.get)

    assert WORDING.told([alert]).headline == "Lead l9 is overdue"
    assert "(rep Ana Lim, team north)" in WORDING.told([alert]).lines[0]


def test_a_number_of_somebody_who_may_not_be_named_names_nobody() -> None:
    alert = called(make_crossing(), "none")

    assert alert.called is not None
    assert "r1" not in WORDING.told([alert]).headline
    assert "r1" not in (alert.called.rep_id or "") + alert.called.id
    assert alert.rep == "r1"  # who snoozes it means this one


def test_the_strictest_of_several_says_least() -> None:
    assert strictest(["first", "none", "alias"]) == "none"
    assert strictest([]) == "full"
