"""What the parts of `floorcast.yaml` say of each other: every name that one part uses and another has.

Owns these checks and their words. Finds all problems at once, each with the place in the file that it is about.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic_core import PydanticCustomError

from schemas.catalogue import begins_at_zero
from schemas.catalogue.adding import adds_up, is_spread
from schemas.catalogue.reading import ReadDefinitions
from schemas.config.alerts import Threshold
from schemas.config.goals import Goal
from schemas.config.kept import too_long
from schemas.config.screens import ScreenConfig
from schemas.config.tiles import FiguresTile, FunnelTile, Tile, metrics_of, team_of
from schemas.config.windows import PERIODS
from schemas.documents.errors import suggestion
from schemas.documents.text import DocumentPath, DocumentProblem

if TYPE_CHECKING:
    from schemas.config.whole import Config


def check_references(config: "Config", read: ReadDefinitions | None) -> None:
    """Raise one error with all problems. Called once the parts themselves are right.

    `read`: what is known of metrics.yaml; what it says wrongly of a metric is told as its own fault.
    """
    problems = [found for check in _CHECKS for found in check(config)]
    if read is None or read.is_readable:
        broken = frozenset() if read is None else read.broken
        problems += [
            *_thresholds(config, broken),
            *_goals(config, broken),
            *_tiles(config, broken),
            *_digest(config, broken),
            *_export(config, broken),
        ]
    if problems:
        reasons = "; ".join(f"{'.'.join(map(str, place))}: {reason}" for place, reason in problems)
        # pydantic takes the braces of a message for names of its context.
        kind, words = "references", "{reasons}"
        raise PydanticCustomError(kind, words, {"reasons": reasons, "problems": problems})


def _unknown(
    place: DocumentPath, what: str, names: str | Sequence[str] | None, known: Iterable[str], where: str = ""
) -> Iterator[DocumentProblem]:
    """Say of each of the names at a place that is not known that there is no such thing where such things stand."""
    among = list(known)
    for name in [names] if isinstance(names, str) else names or ():
        if name not in among:
            yield place, f"there is no {what} {name!r} under {where or f'{what}s'}{suggestion(name, among)}"


def _calendars(config: "Config") -> Iterator[DocumentProblem]:
    known = config.calendars
    yield from _unknown(("organisation", "calendar"), "calendar", config.organisation.calendar, known)
    for team, entry in config.teams.items():
        yield from _unknown(("teams", team, "calendar"), "calendar", entry.calendar, known)
    for name, threshold in config.alerts.thresholds.items():
        yield from _unknown(("alerts", "thresholds", name, "calendar"), "calendar", threshold.calendar, known)
    for index, rule in enumerate(config.lead_response.rules):
        calendars = (config.organisation.calendar, *(team.calendar for team in config.teams.values()))
        if rule.clock == "business" and not any(calendars):
            reason = "business time needs organisation.calendar or a team with a calendar, and there is none"
            yield ("lead_response", "rules", index, "clock"), reason


def _teams(config: "Config") -> Iterator[DocumentProblem]:
    for rep, person in config.reps.items():
        yield from _unknown(("reps", rep, "team"), "team", person.team, config.teams)
    if not config.teams:  # a file without teams leaves them to the CRM
        return
    for index, rule in enumerate(config.lead_response.rules):
        yield from _unknown(("lead_response", "rules", index, "when", "team"), "team", rule.when.team, config.teams)
    for index, route in enumerate(config.alerts.routes):
        yield from _unknown(("alerts", "routes", index, "teams"), "team", route.teams, config.teams)
    for name, threshold in config.alerts.thresholds.items():
        yield from _unknown(("alerts", "thresholds", name, "teams"), "team", threshold.teams, config.teams)
    for name, goal in config.goals.items():
        for index, amount in enumerate(goal.amounts):
            yield from _unknown(("goals", name, "amounts", index, "team"), "team", amount.team, config.teams)


def _teams_of_screens(config: "Config") -> Iterator[DocumentProblem]:
    for name, screen in config.screens.items() if config.teams else ():
        yield from _unknown(("screens", name, "teams"), "team", screen.teams, config.teams)
        for place, tile in _tiles_of(screen):
            yield from _unknown(("screens", name, *place, "team"), "team", team_of(tile), config.teams)


def _channels(config: "Config") -> Iterator[DocumentProblem]:
    named: list[tuple[DocumentPath, Sequence[str]]] = [
        *((("alerts", "routes", index, "to"), route.to) for index, route in enumerate(config.alerts.routes)),
        *(
            (("screens", name, "celebrate", index, "to"), celebrate.to)
            for name, screen in config.screens.items()
            for index, celebrate in enumerate(screen.celebrate)
        ),
        (("digest", "to"), () if config.digest is None else config.digest.to),
    ]
    for place, channels in named:
        yield from _unknown(place, "channel", channels, config.alerts.channels, "alerts.channels")


def _people(config: "Config") -> Iterator[DocumentProblem]:
    seen: dict[str, str] = {}
    for rep, entry in config.reps.items():
        if not 0 < len(rep) <= 256 or not rep.isprintable():
            yield ("reps", rep), f"{rep!r} is not an id of 1 to 256 printable characters"
        for connection, ids in entry.aliases.items():
            place = ("reps", rep, "aliases", connection)
            yield from _unknown(place, "connection", connection, config.connections)
            found = config.connections.get(connection)
            for alias in map(found.served_id, ids) if found is not None else ():
                if seen.setdefault(alias, rep) != rep:
                    yield place, f"{alias!r} is already an alias of {seen[alias]!r}"


def _secrets(config: "Config") -> Iterator[DocumentProblem]:
    """Whoever may post as one connection could post as the other."""
    holder: dict[str, str] = {}
    for name, connection in config.connections.items():
        for index, secret in enumerate(connection.secrets):
            text = secret.get_secret_value().strip().rstrip("=")
            text = text.lower() if connection.kind == "close" else text  # a key in hexadecimal digits
            first = holder.setdefault(text, name)
            if first != name:
                yield ("connections", name, "secrets", index), f"is a secret of connection {first!r} too"


def _matches(config: "Config") -> Iterator[DocumentProblem]:
    for name, connection in config.connections.items():
        if connection.match is None:
            continue
        place, other = ("connections", name, "match", "calls", "with"), connection.match.calls.other
        yield from _unknown(place, "connection", other, config.connections)
        if other == name:
            yield place, f"is {name!r} itself: name the connection whose calls count"
        elif other in config.connections:
            theirs = config.connections[other].match
            if theirs is not None:
                yield place, f"connection {other!r} has a match of its own, so a call could count nowhere"


def _rates(config: "Config") -> Iterator[DocumentProblem]:
    currency = config.organisation.currency
    if currency in config.currency_rates:
        yield ("currency_rates", currency), f"{currency} is the organisation's own currency"


def _export(config: "Config", broken: frozenset[str]) -> Iterator[DocumentProblem]:
    reps = config.prometheus.reps
    why = None if isinstance(reps, str) or reps.by in broken else _lacking(config, reps.by)
    if why is not None:
        yield ("prometheus", "reps", "by"), why


def _lacking(config: "Config", metric: str) -> str | None:
    """Why a metric cannot be used; None: it can."""
    if metric in config.defined.switched_off:
        return f"{metric} is switched off in metrics.yaml"
    return (
        None if metric in config.catalogue else f"there is no metric {metric!r}{suggestion(metric, config.catalogue)}"
    )


def _thresholds(config: "Config", broken: frozenset[str]) -> Iterator[DocumentProblem]:
    for name, threshold in config.alerts.thresholds.items():
        if threshold.metric not in broken:
            for field, reason in _of_threshold(threshold, config):
                yield ("alerts", "thresholds", name, field), reason
        is_of_all = threshold.per == "organisation"
        if threshold.during is not None and is_of_all and not (threshold.calendar or config.organisation.calendar):
            yield ("alerts", "thresholds", name), "during needs a calendar: the organisation as a whole has none"


def _of_threshold(threshold: Threshold, config: "Config") -> Iterator[tuple[str, str]]:
    catalogue, name = config.catalogue, threshold.metric
    lacking = _lacking(config, name)
    if lacking is not None:
        yield "metric", lacking
        return
    why = too_long(config, name, threshold.window)
    if why is not None:
        yield "window", why
    # A level goes on from one period to the next.
    is_zero_at_first = threshold.window in PERIODS and begins_at_zero(catalogue, name) and adds_up(catalogue, name)
    if threshold.comparison == "below" and threshold.limit > 0 and is_zero_at_first and threshold.at is None:
        yield (
            threshold.comparison,
            f"{name} begins at 0 with each {'day' if threshold.window == 'today' else threshold.window}"
            ", so it would be below at once: set at with window today, or use a window such as 1h or 7d",
        )


def _tiles_of(screen: ScreenConfig) -> Iterator[tuple[DocumentPath, Tile]]:
    for number, scene in enumerate(screen.scenes):
        for place, tile in enumerate(scene.tiles):
            yield ("scenes", number, "tiles", place), tile


def _tiles(config: "Config", broken: frozenset[str]) -> Iterator[DocumentProblem]:
    for name, screen in config.screens.items():
        for place, tile in _tiles_of(screen):
            field = "metrics" if isinstance(tile, FiguresTile) else "metric"
            for metric in metrics_of(tile):
                if metric not in broken:
                    for reason in _of_tile(tile, metric, config):
                        yield ("screens", name, *place, field), reason


def _of_tile(tile: Tile, metric: str, config: "Config") -> Iterator[str]:
    lacking = _lacking(config, metric)
    if lacking is not None:
        yield lacking
    elif isinstance(tile, FunnelTile) and config.catalogue[metric].type != "funnel":
        yield f"{metric} is no funnel"


def _digest(config: "Config", broken: frozenset[str]) -> Iterator[DocumentProblem]:
    for name in config.digest.metrics if config.digest is not None else ():
        lacking = None if name in broken else _lacking(config, name)
        if lacking is not None:
            yield ("digest", "metrics"), lacking


def _goals(config: "Config", broken: frozenset[str]) -> Iterator[DocumentProblem]:
    catalogue, aliases = config.catalogue, _known_aliases(config) if config.goals else {}
    for name, goal in config.goals.items():
        if goal.metric in broken:
            continue
        lacking = _lacking(config, goal.metric)
        if lacking is not None:
            yield ("goals", name, "metric"), lacking
            continue
        for index, amount in enumerate(goal.amounts):
            place = ("goals", name, "amounts", index)
            if amount.rep in aliases:
                yield (*place, "rep"), f"{amount.rep!r} is an alias: write {aliases[amount.rep]!r}"
        if not is_spread(catalogue, goal.metric):
            yield from _sums_of_teams(config, name, goal)


def _known_aliases(config: "Config") -> dict[str, str]:
    """Ids that stand for somebody's other id, of connections that there are."""
    return {
        config.connections[connection].served_id(person): rep
        for rep, entry in config.reps.items()
        for connection, ids in entry.aliases.items()
        if connection in config.connections
        for person in ids
        if person != rep
    }


def _sums_of_teams(config: "Config", name: str, goal: Goal) -> Iterator[DocumentProblem]:
    """What is not spread over days does not add up over people either."""
    own = {amount.team for amount in goal.amounts if amount.amount is not None and amount.rep is None}
    told: set[str] = set()
    for index, amount in enumerate(goal.amounts):
        if amount.each is None:
            continue
        reached = config.teams if amount.team is None else [amount.team]
        missing = [team for team in reached if team not in own and team not in told]
        told.update(missing)
        if missing:
            reason = (
                f"{goal.metric} does not add up over people: {' and '.join(missing)} must have an amount of its own"
            )
            yield ("goals", name, "amounts", index, "each"), reason


def _pipelines(config: "Config") -> Iterator[DocumentProblem]:
    names = config.stage_names()
    for name, entry in config.pipelines.items():
        for stage in entry.ambiguous(names):
            yield ("pipelines", name), f"several stages are called {stage!r}: write the id of the one that is meant"


_CHECKS = (_calendars, _teams, _teams_of_screens, _channels, _people, _secrets, _matches, _rates, _pipelines)
