"""What channels call those whom an alert is about: names instead of ids, as far as each channel may know them.

Owns where the names come from: the roster for people and teams, the lead's clock for leads. Pure.
"""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from schemas.alerts import Alert, Called
from schemas.naming import NameStyle, called, id_told, lead_called, without_person

NameOf = Callable[[str], str | None]
"""Id -> name; None where nobody says one."""


def with_names(
    alerts: Iterable[Alert], names: NameStyle, *, rep_name: NameOf, team_name: NameOf, lead_name: NameOf
) -> list[Alert]:
    """The same alerts with what a channel of this `names` calls people, teams and leads."""
    return [_with_names(alert, names, rep_name, team_name, lead_name) for alert in alerts]


def _with_names(alert: Alert, names: NameStyle, rep_name: NameOf, team_name: NameOf, lead_name: NameOf) -> Alert:
    if alert.notice is not None:
        return alert
    rep, team, lead = alert.rep, alert.team, alert.lead
    is_hidden = rep is not None and lead is None and names != "full"
    return replace(
        alert,
        called=Called(
            lead=None if lead is None else lead_called(names, lead_name(lead)),
            rep=None if rep is None else called(names, rep, rep_name(rep) or rep),
            team=None if team is None else team_name(team),
            rep_id=id_told(names, rep),
            id=without_person(alert.id) if is_hidden else alert.id,
        ),
    )
