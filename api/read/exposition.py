"""Prometheus text of the sales metrics: per rep and window, waiting leads, and the pipeline's counters.

Owns the names, units and labels of what is exported. Pure: takes a picture of the values and gives bytes, piece by
piece, so that others can run between; the picture holds nothing that is changed afterwards.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from api.read.connection_exposition import connection_lines, counted_by_name, head_of, quoted
from api.read.goal_rows import Attainment
from api.read.piecemeal import Piecemeal
from api.read.view import Scope, ScopeValues, View
from schemas.alerts import LATENESS_SECONDS, LEVELS, METRIC_THRESHOLD
from schemas.catalogue import Catalogue
from schemas.catalogue.base import MetricValue
from schemas.catalogue.series import exported
from schemas.connection_states import ConnectionState
from schemas.instants import SECOND
from schemas.progress import Progress
from schemas.verifications import Verification

MAX_REPS = 25_000
"""Reps that are exported, those of the roster first; more are counted in `floorcast_reps_left_out`, so that no CRM can
flood Prometheus."""

_LOOKED_AT_ONCE = 2_000
"""Reps and waiting leads that a scrape looks at before the event loop turns again."""

RESPONSE_BUCKETS = (60, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Seconds; one hour among them."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that is exported, as of one instant."""

    catalogue: Catalogue
    windows: Mapping[str, Mapping[Scope, ScopeValues]] = field(default_factory=dict)
    teams: Mapping[str, str | None] = field(default_factory=dict)
    """Rep -> team today; the reps that are exported."""
    teams_exported: Sequence[str] = ()
    """Teams that have series of their own, because not every rep has."""
    reps_left_out: int = 0
    waiting: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(team, state) -> leads."""
    oldest: Mapping[str, int] = field(default_factory=dict)
    """Team -> start of the lead that waits longest (microseconds); none waits: not there."""
    responses: Mapping[str, "Responses"] = field(default_factory=dict)
    progress: Mapping[tuple[str, int], Progress] = field(default_factory=dict)
    lag: Mapping[tuple[str, int], int] = field(default_factory=dict)
    crossed: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(threshold, level) -> open alerts."""
    goals: Sequence[Attainment] | None = None
    """None: there are no goals."""
    deals_without_rate: int | None = None
    unreadable_panes: int = 0
    negative_durations: Mapping[str, int] = field(default_factory=dict)
    """Metric -> how many ended before they started."""
    behind_seconds: float = 0.0
    verification: Verification | None = None
    missed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Connection -> kind of record -> how many no webhook has brought."""
    connections: Mapping[str, ConnectionState] = field(default_factory=dict)
    is_ready: bool = False
    definitions_differ: bool = False
    """Workers derive by others than what is served."""


@dataclass(slots=True)
class Responses:
    """The histogram of one team's response times."""

    buckets: list[int]
    total: float = 0.0
    count: int = 0

    def observe(self, seconds: float) -> None:
        """Add one answered lead."""
        for place, edge in enumerate(RESPONSE_BUCKETS):
            if seconds <= edge:
                self.buckets[place] += 1
        self.total += seconds
        self.count += 1

    def copy(self) -> "Responses":
        """As it stands now."""
        return Responses(list(self.buckets), self.total, self.count)


class ResponseHistogram:
    """Every lead once, when its answer first becomes known; by the team of who answered, on that day."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._seen: set[str] = set()
        self._coming: list[tuple[int, str]] = []
        """Heap of (instant, lead)."""
        self.teams: dict[str, Responses] = {}

    def observe(self, leads: Iterable[str], now: int) -> None:
        """Look at the clocks that have changed, and at answers that were still to come when they were looked at."""
        looked_at = list(leads)
        while self._coming and self._coming[0][0] <= now:
            looked_at.append(heappop(self._coming)[1])
        for lead in looked_at:
            clock = self._view.clocks.get(lead)
            if clock is None or lead in self._seen or clock.response is None or clock.answered_at is None:
                continue
            if clock.answered_at > now:
                heappush(self._coming, (clock.answered_at, lead))
                continue
            self._seen.add(lead)
            day = self._view.calendar.day_of(clock.answered_at)
            team = self._view.roster.team_on(clock.touch_rep, day) or ""
            held = self.teams.setdefault(team, Responses([0] * len(RESPONSE_BUCKETS)))
            held.observe(clock.response / SECOND)


class ExportedReps(NamedTuple):
    """The reps that a scrape has."""

    teams: Mapping[str, str | None]
    """With their teams of today."""
    left_out: int


def exported_reps(view: View, now: int) -> Piecemeal[ExportedReps]:
    """Those of the roster first: what a CRM invents takes no place of theirs."""
    team_on, today, everybody = view.roster.team_on, view.calendar.day_of(now), view.reps()
    teams: dict[str, str | None] = {}
    for looked_at, rep in enumerate([*view.roster.people, *everybody], 1):
        if rep not in teams and len(teams) < MAX_REPS:
            teams[rep] = team_on(rep, today)
        if not looked_at % _LOOKED_AT_ONCE:
            yield
    return ExportedReps(teams, max(0, len(everybody) - MAX_REPS))


class WaitingLeads(NamedTuple):
    """How many leads wait, and since when."""

    counts: Mapping[tuple[str, str], int]
    """(team, state) -> leads."""
    oldest: Mapping[str, int]
    """Team -> start of the lead that waits longest."""


def exported_leads(view: View, now: int) -> Piecemeal[WaitingLeads]:
    """Those that wait; every team and state has its number, 0 too."""
    warn_at, today = view.config.lead_response.warn_at, view.calendar.day_of(now)
    counts = {(team, state): 0 for team in ("", *view.roster.team_names) for state in ("waiting", "warned", "breached")}
    oldest: dict[str, int] = {}
    for looked_at, clock in enumerate(list(view.waiting.values()), 1):
        if clock.started_at is not None and clock.is_waiting(now):
            team, state = view.roster.team_on(clock.rep, today) or "", clock.state(now, warn_at)
            counts[team, state] = counts.get((team, state), 0) + 1
            oldest[team] = min(oldest.get(team, clock.started_at), clock.started_at)
        if not looked_at % _LOOKED_AT_ONCE:
            yield
    return WaitingLeads(counts, oldest)


def crossed_limits(view: View) -> dict[tuple[str, str], int]:
    """(threshold, level) -> open alerts; every threshold has its number, 0 too."""
    counts: dict[tuple[str, str], int] = {
        (name, entry.level): 0 for name, entry in view.config.alerts.thresholds.items()
    }
    for alert in view.open_alerts.values():
        if alert.crossing is not None and alert.kind == METRIC_THRESHOLD:
            key = alert.crossing.threshold, alert.level
            counts[key] = counts.get(key, 0) + 1
    return counts


_Lines = tuple[str | None, ...]
"""A rep's line of each metric, in the order of the catalogue; None: no value."""

_ROWS_IN_A_PIECE = 100
"""So many reps whose lines have all to be made take about a millisecond."""


_LINES_IN_A_PIECE = 2_000
"""Lines that are made take about a millisecond to be joined, and a few to be compressed."""

_GOALS_IN_A_PIECE = 500


class Exposition:
    """Makes the text, and remembers the lines of everybody whose values are those of the scrape before.

    Most lines are as they were 15 seconds ago: of 10,000 with a tenth changed, a scrape computes a quarter of the time.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, Scope], tuple[ScopeValues, str | None, _Lines]] = {}

    def pieces(self, picture: Picture) -> Iterator[bytes]:
        """The text exposition format, version 0.0.4, as what is joined; several may be made in turn.

        Each takes a millisecond or less, the empty ones too, so that whoever makes them on an event loop lets it do
        something else between two. In a thread of its own the whole kept the loop from the interpreter for 5 ms at
        10,000 series (`sys.getswitchinterval`), however little of it was new.
        """
        yield from self._sales(picture)
        yield from _goals(picture)
        yield _text(_leads(picture))
        yield _text(_pipeline(picture))

    def _sales(self, picture: Picture) -> Iterator[bytes]:
        metrics = [
            (*exported(name, metric.unit), name, metric.description) for name, metric in picture.catalogue.items()
        ]
        held, now = self._held, {}
        rows: list[_Lines] = []
        for window, values in picture.windows.items():
            whose = chain(
                ((Scope("team", team), "", team) for team in picture.teams_exported),
                ((Scope("rep", rep), rep, team) for rep, team in picture.teams.items()),
            )
            for scope, rep, team in whose:
                found = values.get(scope)
                if found is None:
                    continue
                known = held.get((window, scope))
                # Values are made anew, never changed.
                if known is None or known[0] is not found or known[1] != team:
                    known = (found, team, _lines(metrics, window, rep, team, found))
                now[window, scope] = known
                rows.append(known[2])
                if len(rows) % _ROWS_IN_A_PIECE == 0:
                    yield b""
        self._held = now
        # By metric, as the format wants them.
        for place, (name, _, _, definition) in enumerate(metrics):
            yield _text(head_of(name, "gauge", definition))
            for first in range(0, len(rows), _LINES_IN_A_PIECE):
                yield _text(filter(None, map(itemgetter(place), rows[first : first + _LINES_IN_A_PIECE])))


def _text(lines: Iterable[str]) -> bytes:
    text = "\n".join(lines)
    return text.encode() + b"\n" if text else b""


def _lines(
    metrics: Iterable[tuple[str, int, str, str]], window: str, rep: str, team: str | None, values: ScopeValues
) -> _Lines:
    who = f'rep="{quoted(rep)}",' if rep else ""
    labels = f'{{{who}team="{quoted(team or "")}",window="{window}"}} '
    held = values.metrics
    made = ((name, factor, held.get(metric)) for name, factor, metric, _ in metrics)
    return tuple(None if value is None else name + labels + _number(value, factor) for name, factor, value in made)


def _goals(picture: Picture) -> Iterator[bytes]:
    if picture.goals is not None:
        name = "floorcast_goal_attainment"
        yield _text(head_of(name, "gauge", "Actual divided by target, in the current period of each goal."))
        for first in range(0, len(picture.goals), _GOALS_IN_A_PIECE):
            yield _text(
                f'{name}{{goal="{quoted(goal)}",scope="{scope}",rep="{quoted(rep)}",team="{quoted(team)}"}} {value}'
                for goal, scope, rep, team, value in picture.goals[first : first + _GOALS_IN_A_PIECE]
            )


def _leads(picture: Picture) -> Iterator[str]:
    yield from head_of("floorcast_leads_waiting", "gauge", "Leads without an answer, by how much of the SLA has gone.")
    for (team, state), count in sorted(picture.waiting.items()):
        yield f'floorcast_leads_waiting{{team="{quoted(team)}",state="{state}"}} {count}'
    name = "floorcast_lead_oldest_waiting_timestamp_seconds"
    yield from head_of(name, "gauge", "Start of the lead that waits longest; absent where none waits.")
    for team, start in sorted(picture.oldest.items()):
        yield f'{name}{{team="{quoted(team)}"}} {start / SECOND}'
    name = "floorcast_lead_response_seconds"
    yield from head_of(name, "histogram", "Seconds to the answer; each lead once, when its answer first becomes known.")
    for team, held in sorted(picture.responses.items()):
        label = f'team="{quoted(team)}"'
        for edge, count in zip(RESPONSE_BUCKETS, held.buckets, strict=True):
            yield f'{name}_bucket{{{label},le="{float(edge)}"}} {count}'
        yield f'{name}_bucket{{{label},le="+Inf"}} {held.count}'
        yield f"{name}_sum{{{label}}} {held.total}"
        yield f"{name}_count{{{label}}} {held.count}"


def _pipeline(picture: Picture) -> Iterator[str]:
    yield from head_of("floorcast_events_total", "counter", "Changes and engagements that a stage has taken in.")
    for stage in ("normalise", "ledger", "responses"):
        yield f'floorcast_events_total{{stage="{stage}"}} {_counted(picture, stage, "events")}'
    yield from head_of("floorcast_dead_letters_total", "counter", "Events that nobody could read.")
    for (connection, reason), count in sorted(_dead_letters(picture).items()):
        yield (f'floorcast_dead_letters_total{{connection="{quoted(connection)}",reason="{quoted(reason)}"}} {count}')
    yield from head_of("floorcast_ignored_events_total", "counter", "What was left out on purpose, by reason.")
    for reason, count in counted_by_name(picture.progress, "normalise", "ignored.").items():
        yield f'floorcast_ignored_events_total{{reason="{quoted(reason)}"}} {count}'
    yield from head_of("floorcast_late_changes_total", "counter", "Changes to what is older than what is kept.")
    yield f"floorcast_late_changes_total {_counted(picture, 'ledger', 'late')}"
    yield from head_of("floorcast_duplicate_changes_total", "counter", "Changes that said nothing new.")
    yield f"floorcast_duplicate_changes_total {_counted(picture, 'ledger', 'duplicates')}"
    yield from head_of("floorcast_beyond_bounds_total", "counter", "What was more than a record or a group keeps.")
    yield f'floorcast_beyond_bounds_total{{bound="named"}} {_counted(picture, "ledger", "beyond.named")}'
    yield f'floorcast_beyond_bounds_total{{bound="group"}} {_counted(picture, "responses", "beyond.group")}'
    help_ = "Panes that cannot be read: what they are part of has no value."
    yield from head_of("floorcast_unreadable_panes", "gauge", help_)
    yield f"floorcast_unreadable_panes {picture.unreadable_panes}"
    if picture.deals_without_rate is not None:
        yield from head_of("floorcast_deals_without_rate", "gauge", "Deals won in a currency without a rate.")
        yield f"floorcast_deals_without_rate {picture.deals_without_rate}"
    if picture.negative_durations:
        help_ = "Durations that a metric leaves out because they end before they start."
        yield from head_of("floorcast_negative_durations", "gauge", help_)
        for metric, number in picture.negative_durations.items():
            yield f'floorcast_negative_durations{{metric="{metric}"}} {number}'
    yield from _alerts(picture)
    yield from head_of(
        "floorcast_consumer_lag_records", "gauge", "Messages that the stage reading a topic has not done."
    )
    for (topic, partition), lag in sorted(picture.lag.items()):
        yield f'floorcast_consumer_lag_records{{topic="{topic}",partition="{partition}"}} {lag}'
    yield from head_of(
        "floorcast_behind_seconds", "gauge", "Age of the oldest delivery that is not in the numbers yet."
    )
    yield f"floorcast_behind_seconds {picture.behind_seconds}"
    yield from _verification(picture.verification)
    name = "floorcast_last_delivery_timestamp_seconds"
    yield from head_of(name, "gauge", "When a connection last delivered.")
    for connection, received_at in sorted(_last_deliveries(picture).items()):
        yield f'{name}{{connection="{quoted(connection)}"}} {received_at / SECOND}'
    name = "floorcast_reconciled_missed_total"
    yield from head_of(name, "counter", "Records whose last change no webhook has brought, but a reconciliation.")
    for connection, missed in sorted(picture.missed.items()):
        for record, count in sorted(missed.items()):
            yield f'{name}{{connection="{quoted(connection)}",record="{record}"}} {count}'
    yield from connection_lines(picture.connections, picture.progress)
    yield from head_of("floorcast_ready", "gauge", "Whether the numbers include all that was in Kafka at the start.")
    yield f"floorcast_ready {int(picture.is_ready)}"
    yield from head_of(
        "floorcast_definitions_differ", "gauge", "1 while workers derive by other files than the api serves."
    )
    yield f"floorcast_definitions_differ {int(picture.definitions_differ)}"
    yield from head_of("floorcast_reps_left_out", "gauge", "Reps beyond the number that is exported.")
    yield f"floorcast_reps_left_out {picture.reps_left_out}"


def _verification(found: Verification | None) -> Iterator[str]:
    """Nothing where nobody recounts: a 0 would say that all is well."""
    if found is not None:
        for name, value, help_text in (
            ("verified_timestamp_seconds", found.verified_at / SECOND, "When the log was last recounted and compared."),
            ("verification_differences", found.differences, "Values served otherwise than recounted from the log."),
            ("verification_undecided", found.undecided, "Values that changed too fast to be compared."),
            ("verification_interval_seconds", found.every / SECOND, "From one recount to the next, at most."),
        ):
            yield from head_of(f"floorcast_{name}", "gauge", help_text)
            yield f"floorcast_{name} {value}"


def _alerts(picture: Picture) -> Iterator[str]:
    yield from head_of("floorcast_alerts_raised_total", "counter", "Alerts raised, by level.")
    for level in LEVELS:
        yield f'floorcast_alerts_raised_total{{level="{level}"}} {_of_alerts(picture, f"alerts.{level}")}'
    name = "floorcast_threshold_alerts_open"
    yield from head_of(name, "gauge", "Numbers that are beyond a limit, by threshold.")
    for (threshold, level), count in sorted(picture.crossed.items()):
        yield f'{name}{{threshold="{quoted(threshold)}",level="{level}"}} {count}'
    yield from head_of("floorcast_alerts_late_total", "counter", "Alerts raised noticeably later than due.")
    yield f"floorcast_alerts_late_total {_of_alerts(picture, 'alerts.late')}"
    name, below = "floorcast_alert_lateness_seconds", 0
    yield from head_of(name, "histogram", "Seconds from the instant of a level to its alert.")
    for edge in LATENESS_SECONDS:
        below += _of_alerts(picture, f"lateness.{edge:g}")
        yield f'{name}_bucket{{le="{float(edge)}"}} {below}'
    below += _of_alerts(picture, "lateness.inf")
    yield f'{name}_bucket{{le="+Inf"}} {below}'
    yield f"{name}_sum {_of_alerts(picture, 'lateness_ms') / 1000}"
    yield f"{name}_count {below}"
    yield from head_of("floorcast_notifications_total", "counter", "What channels were told of alerts, or were not.")
    for outcome in ("told", "not_told", "given_up"):
        for channel, count in counted_by_name(picture.progress, "notify", f"{outcome}.").items():
            yield f'floorcast_notifications_total{{channel="{quoted(channel)}",outcome="{outcome}"}} {count}'


def _counted(picture: Picture, stage: str, counter: str) -> int:
    return sum(p.counters.get(counter, 0) for (of_stage, _), p in picture.progress.items() if of_stage == stage)


def _of_alerts(picture: Picture, counter: str) -> int:
    """Of the two stages that raise alerts: of leads, of metrics."""
    return _counted(picture, "responses", counter) + _counted(picture, "acknowledge", counter)


def _dead_letters(picture: Picture) -> dict[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for stage in ("normalise", "ledger", "responses"):
        for name, count in counted_by_name(picture.progress, stage, "dead.").items():
            connection, _, reason = name.rpartition(".")
            found[connection, reason] += count
    return found


def _last_deliveries(picture: Picture) -> dict[str, int]:
    found: dict[str, int] = {}
    for (stage, _), progress in picture.progress.items():
        if stage == "normalise":
            for connection, (received_at, _changed_at) in progress.connections.items():
                found[connection] = max(found.get(connection, 0), received_at)
    return found


def _number(value: MetricValue, factor: int) -> str:
    return str(value) if factor == 1 else repr(float(value or 0) * factor)
