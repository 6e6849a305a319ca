"""Leads and alerts that have changed, each with whose it was when it was last told.

Owns what of them is on screens. Pure: `now` is an argument.
"""

from collections.abc import Iterator

from api.read.events import News, RepAndTeam
from api.read.rows import absent_lead, alert_json, lead_news
from api.read.view import Scope, View, ViewChanges


class OwnedNews:
    """Remembers what was told of one view."""

    def __init__(self) -> None:
        self._leads: dict[str, RepAndTeam] = {}
        """The waiting leads that were told, and whose they were then."""
        self._alerts: dict[str, RepAndTeam] = {}
        """The open alerts that were told, and whose they were then."""

    def leads(self, view: View, changes: ViewChanges, changed_heads: set[Scope], now: int) -> Iterator[News]:
        """Those that are on a screen, or come there."""
        leads = changes.leads
        if changes.everything:
            leads = {*leads, *view.waiting, *self._leads}
        movers = {scope.id for scope in changed_heads if scope.kind == "rep"}
        if movers:
            leads = {*leads, *(lead for lead, owner in self._leads.items() if owner.rep in movers)}
        for lead in sorted(leads):
            told = self._leads.get(lead)
            clock = view.clocks.get(lead)
            news = absent_lead(lead, "deleted") if clock is None else lead_news(view, clock, now)
            owner = RepAndTeam(news["rep"], news["team"])
            if clock is not None and clock.is_waiting(now):
                self._leads[lead] = owner
            elif told is None:
                continue  # nobody has it on a screen
            else:
                del self._leads[lead]
            yield News(news, owner, told)

    def alerts(self, view: View, changes: ViewChanges) -> Iterator[News]:
        """The same of alerts."""
        alerts = changes.alerts
        if changes.everything:
            alerts = {*alerts, *view.open_alerts, *self._alerts}
        for id in sorted(alerts):
            alert = view.alerts.get(id)
            if alert is None or not (alert.is_open or id in self._alerts):
                continue  # nobody has it on a screen
            told, owner = self._alerts.pop(id, None), RepAndTeam(alert.rep, alert.team)
            if alert.is_open:
                self._alerts[id] = owner
            yield News(alert_json(view, alert), owner, told)
