"""Each of twelve kinds of what is hard to count, as small as it can be, with the number that comes of it by hand."""

from typing import Any

Event = dict[str, Any]
NOON = "2026-03-18T12:00:00Z"


def told(record: str, id: str, changed_at: str, **fields: Any) -> Event:
    return {"record": record, "id": id, "changed_at": changed_at, "fields": fields}


MOVE = [
    told("rep", "r3", "2026-03-01T00:00:00Z", team="north"),
    told("rep", "r3", "2026-03-18T02:00:00Z", team="south"),
]
"""In Kuala Lumpur that is the morning of the day on which also the last version of `talks` begins."""
CASES: dict[str, tuple[str, list[Event], list[tuple[str, str, str, Any]]]] = {
    # (section, what is told, [(metric, whose, window, value)])
    "a level over a rep's move": (
        "kuala lumpur",
        [*MOVE, told("deal", "d1", NOON, rep="r3", status="open", created_at="2026-03-10T00:00:00Z", amount="100")],
        [("pipeline_now", "team north", "yesterday", "100.00"), ("pipeline_now", "team north", "today", "0.00"),
         ("pipeline_now", "team south", "yesterday", "0.00"), ("pipeline_now", "team south", "today", "100.00"),
         ("pipeline_now", "rep r3", "today", "100.00")],
    ),
    "different leads over a merge of them": (
        "kuala lumpur",
        [told("call", "c1", NOON, rep="r3", lead="l1", direction="outbound", dialed_at="2026-03-18T03:00:00Z"),
         told("call", "c2", NOON, rep="r3", lead="l2", direction="outbound", dialed_at="2026-03-18T04:00:00Z"),
         told("call", "c3", NOON, rep="r3", lead="l3", direction="outbound", dialed_at="2026-03-18T04:00:00Z"),
         told("lead", "l1", NOON, received_at="2026-03-18T01:00:00Z"), told("lead", "l2", NOON, merged_into="l1")],
        [("leads_touched", "rep r3", "today", 2), ("leads_touched", "organisation", "7d", 2)],
    ),
    "a version on the day of a move": (
        "kuala lumpur",
        [*MOVE,
         told("call", "c0", NOON, rep="r3", direction="outbound", dialed_at="2026-03-16T15:59:59Z",
              outcome="no_answer"),
         told("call", "c1", NOON, rep="r3", direction="outbound", dialed_at="2026-03-17T15:59:59Z",
              outcome="connected"),
         told("call", "c2", NOON, rep="r3", direction="outbound", dialed_at="2026-03-17T15:59:59Z",
              outcome="no_answer"),
         told("call", "c3", NOON, rep="r3", direction="outbound", dialed_at="2026-03-17T16:00:00Z",
              outcome="connected"),
         told("call", "c4", NOON, rep="r3", direction="inbound", dialed_at="2026-03-17T16:00:00Z", outcome="busy")],
        [("talks", "team north", "7d", 2), ("talks", "team north", "yesterday", 1), ("talks", "team south", "7d", 1),
         ("talks", "rep r3", "7d", 3)],
    ),
    "what the lead says, which comes last": (
        "kuala lumpur",
        [told("meeting", "m1", NOON, rep="r3", attendees=["r1"], lead="l1", starts_at="2026-03-18T01:00:00Z"),
         told("meeting", "m2", NOON, rep="r3", lead="l2", starts_at="2026-03-18T01:00:00Z"),
         told("lead", "l1", "2026-03-18T12:00:00Z", source="web")],
        [("meetings_by_source Web", "rep r3", "7d", 1), ("meetings_by_source Other", "rep r3", "7d", 1),
         ("meetings_by_source Web", "organisation", "7d", 2)],
    ),
    "a term that ends at midnight": (
        "kuala lumpur",
        [told("lead", "l1", "2026-03-17T16:00:00Z", rep="r3", received_at="2026-03-17T15:30:00Z",
              status="qualified"),
         told("lead", "l2", "2026-03-17T16:00:00.001Z", rep="r3", received_at="2026-03-17T15:30:00Z",
              status="qualified"),
         told("lead", "l3", "2026-03-18T15:20:00Z", rep="r3", received_at="2026-03-18T15:10:00Z")],
        [("soon_qualified", "rep r3", "yesterday", 0.5), ("soon_qualified", "rep r3", "today", None)],
    ),
    "a deal that comes to name another lead": (
        "kuala lumpur",
        [told("lead", "l1", NOON, source="fair"), told("lead", "l2", NOON, source="web"),
         told("deal", "d1", "2026-03-18T01:00:00Z", rep="r3", lead="l1",
              status="lost", closed_at="2026-03-18T00:00:00Z"),
         told("deal", "d1", "2026-03-18T02:00:00Z", lead="l2"),
         told("deal", "d2", "2026-03-18T01:00:00Z", rep="r3", lead="l2",
              status="lost", closed_at="2026-03-18T00:00:00Z"),
         told("deal", "d2", "2026-03-18T02:00:00Z", lead="l1")],
        [("lost_of_web", "rep r3", "today", 1), ("lost_of_web never", "rep r3", "7d", 1)],
    ),
    "working hours across a change of the clock": (
        "new york",
        [told("deal", "d1", NOON, rep="r3", created_at="2026-03-08T00:00:00Z", closed_at="2026-03-08T20:00:00Z",
              status="won")],
        [("worked_on", "rep r3", "month", 3600.0)],
    ),
    "days of what was logged later, by somebody else": (
        "kuala lumpur",
        [told("call", "c1", NOON, rep="r1", logged_by="r3", dialed_at="2026-03-16T03:00:00Z",
              logged_at="2026-03-18T03:00:00Z"),
         told("email", "e1", NOON, rep="r3", sent_at="2026-03-18T04:00:00Z"),
         told("meeting", "m1", NOON, rep="r3", ends_at="2026-03-16T04:00:00Z")],
        [("busy_days", "rep r3", "7d", 2), ("busy_days", "rep r1", "7d", 0), ("busy_days", "organisation", "today", 1)],
    ),
    "the rate of the day on which the clock started": (
        "kuala lumpur",
        [told("lead", "l1", NOON, rep="r3", received_at="2026-03-16T15:59:59Z", value="10", currency="EUR"),
         told("lead", "l2", NOON, rep="r3", received_at="2026-03-16T16:00:00Z", value="10", currency="EUR"),
         told("call", "c1", NOON, rep="r1", lead="l2", direction="outbound", dialed_at="2026-03-16T16:30:00.001Z"),
         told("lead", "l3", NOON, rep="r3", received_at="2026-03-16T16:00:00Z", value="10", currency="EUR"),
         told("call", "c2", NOON, rep="r1", lead="l3", direction="outbound", dialed_at="2026-03-16T16:30:00Z")],
        [("value_late", "rep r3", "7d", "21.83"), ("due_soon", "organisation", "7d", 3)],
    ),
    "customers that somebody kept": (
        "kuala lumpur",
        [told("subscription", "s1", NOON, rep="r3", customer="k1", starts_at="2026-01-01T00:00:00Z"),
         told("subscription", "s2", NOON, rep="r3", customer="k2", starts_at="2026-01-01T00:00:00Z",
              ends_at="2026-03-18T01:00:00Z"),
         told("subscription", "s3", NOON, rep="r1", customer="k2", starts_at="2026-03-18T01:00:00Z")],
        [("customers_kept", "rep r3", "7d", 0.5), ("customers_kept", "organisation", "7d", 1.0),
         ("customers_kept", "rep r1", "7d", None)],
    ),
    "who was answered in a thread": (
        "kuala lumpur",
        [told("email", "e1", NOON, rep="r3", direction="outbound", thread="t", sent_at="2026-03-18T01:00:00Z"),
         told("email", "e2", NOON, direction="inbound", thread="t", sent_at="2026-03-18T02:00:00Z"),
         told("email", "e3", NOON, rep="r1", direction="outbound", thread="t", sent_at="2026-03-18T03:00:00Z")],
        [("answered_each", "rep r3", "today", 1.0), ("answered_each", "rep r1", "today", 0.0),
         ("answered_each", "organisation", "today", 0.5)],
    ),
    "a person whom records call by another id": (
        "kuala lumpur",
        [told("call", "c1", NOON, rep="old-2", dialed_at="2026-03-18T01:00:00Z", talk_seconds=31, outcome="connected"),
         told("call", "c2", NOON, rep="r1", dialed_at="2026-03-18T01:00:00Z")],
        [("of_r2", "organisation", "today", 1), ("of_r2 1m", "organisation", "7d", 1)],
    ),
    "persons among what else is told apart": (
        "kuala lumpur",
        [told("subscription", "s1", NOON, rep="old-2", customer="k1", starts_at="2026-03-18T01:00:00Z"),
         told("subscription", "s2", NOON, rep="r2", customer="k2", starts_at="2026-03-18T01:00:00Z"),
         told("credit", "g1", NOON, customer="old-2", at="2026-03-18T01:00:00Z")],
        [("in_charge", "organisation", "today", 2)],
    ),
    "a deal that is told later where it was before": (
        "kuala lumpur",
        [told("deal", "d1", "2026-03-18T01:00:00Z", rep="r1", stage="s2", entered_stage_at="2026-03-17T01:00:00Z"),
         told("deal", "d1", "2026-03-18T02:00:00Z", stage="s1", entered_stage_at="2026-03-16T01:00:00Z"),
         told("deal", "d1", "2026-03-18T03:00:00Z", stage="s2", entered_stage_at="2026-03-18T01:00:00Z")],
        [("at_second", "rep r1", "yesterday", 1), ("at_second", "rep r1", "7d", 1)],
    ),
}  # fmt: skip
