"""An event as one client gets it: with what its filter leaves of it, as server-sent events are written."""

from collections.abc import Mapping
from typing import Any

import orjson

from api.read.events import News, StreamEvent
from api.read.rows import absent_lead, has_money
from api.read.subscriptions import Filter
from api.read.view import View
from api.read.win_news import WinNews
from schemas.json_object import Json


def needs_snapshot(wanted: Filter, event: StreamEvent) -> bool:
    """Whether a client with this filter shows what has gone, and no event would take away."""
    if event.kind == "alert":
        # It goes along with its lead: who does not look at the new owner would keep it for ever.
        news: News = event.payload
        return news.told is not None and wanted.wants_lead(*news.told) and not wanted.wants_lead(*news.owner)
    return event.kind == "departure" and any(departure.leaves(wanted) for departure in event.payload)


def encoded_for(view: View, instance: str, wanted: Filter, event: StreamEvent) -> bytes | None:
    """The event as a client with this filter gets it; None if there is nothing in it for them."""
    payload = payload_for(view, wanted, event)
    return None if payload is None else encoded(instance, event.kind, event.number, payload)


def payload_for(view: View, wanted: Filter, event: StreamEvent) -> Json | None:
    """What of an event is for a client with this filter; None: nothing."""
    payload: Json | None = None
    if event.kind == "metrics" and event.window in wanted.windows:
        rows = [
            only
            for scope, row in event.payload
            if wanted.wants(scope, row.get("team"))
            and ((only := chosen(view, row, wanted.metrics))["metrics"] or only.get("goals"))
        ]
        payload = {"rows": rows} if rows else None
    elif event.kind == "lead":
        payload = _lead_for(wanted, event.payload)
    elif event.kind == "alert":
        payload = event.payload.row if wanted.wants_lead(*event.payload.owner) else None
    elif event.kind == "win":
        payload = _win_for(wanted, event.payload)
    elif event.kind == "freshness":
        payload = event.payload
    return payload


def _lead_for(wanted: Filter, news: News) -> Json | None:
    if wanted.wants_lead(*news.owner):
        lead = news.row
        if "answered_rep" in lead and not wanted.wants_lead(lead["answered_rep"], lead["answered_team"]):
            # Who has answered is of a team that this client does not look at.
            return {name: value for name, value in lead.items() if not name.startswith("answered_")}
        return lead
    if news.told is not None and wanted.wants_lead(*news.told):
        # Whose it is now is not for this client.
        return absent_lead(news.row["lead"], "moved")
    return None


def _win_for(wanted: Filter, news: WinNews) -> Json | None:
    if wanted.wants_win(news.win):
        return news.win
    # Whose it is now is not for this client.
    return news.told | {"withdrawn": True} if news.told is not None and wanted.wants_win(news.told) else None


def chosen(view: View, row: Json, metrics: tuple[str, ...] | None) -> Json:
    """A row with these metrics only; None: with all of them."""
    if metrics is None:
        return row
    values = {name: row["metrics"][name] for name in metrics if name in row["metrics"]}
    bounds = {name: bound for name, bound in row["bounds"].items() if name in values}
    only = row | {"metrics": values, "bounds": bounds}
    if "goals" in only:
        only["goals"] = {name: row["goals"][name] for name in metrics if name in row["goals"]}
    if "currency" in only and not has_money(view, values):
        del only["currency"]
    return only


def encoded(instance: str, kind: str, number: int, payload: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"id: %b:%d\nevent: %b\ndata: %b\n\n" % (instance.encode(), number, kind.encode(), orjson.dumps(payload))
