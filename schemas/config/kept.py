"""How far back the windows reach that the file asks for, and what is kept of them.

Owns these remarks. What is served of a window that is not kept is for whoever reads it to say.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from schemas.catalogue import kept_days
from schemas.config.tiles import metrics_of, window_of
from schemas.instants import DAY

if TYPE_CHECKING:
    from schemas.config.whole import Config

LONGEST: Mapping[str, int] = {
    "yesterday": 2, "week": 7, "7d": 7, "30d": 30, "month": 31, "quarter": 92, "year": 366,
}  # fmt: skip
"""Of windows of days: how many days lie between today and their first, today included, at the most."""
_LAST_YEAR: Mapping[str, int] = {"quarter": 460, "year": 735}
"""Of which windows the same dates a year before are kept only if records are for so many days."""

KeptAsked = tuple[str, str, tuple[str, ...]]
"""(the field of the file, the window, metrics)."""


def remarks_on_kept(config: "Config") -> Iterator[str]:
    """What is asked for and will be null, of the windows of thresholds, goals and screens."""
    kept = config.retention.records // DAY
    for field, window, metrics in _asked(config):
        longest, last_year = LONGEST.get(window, 1), _LAST_YEAR.get(window, 0)
        if kept < longest:
            yield f"{field}: a {window} needs retention.records: {longest}d, and {kept}d are kept, so it can be null"
        elif kept < last_year:
            yield (
                f"{field}: last_year of a {window} needs retention.records: {last_year}d, and {kept}d are kept, so"
                " that comparison is null"
            )
        for metric in metrics:
            days = kept_days(config.catalogue, metric)
            if days is not None and days < longest - 1:
                yield f"{field}: {metric} keeps its ids for {days}d, so it is null once a {window} is older than that"


def too_long(config: "Config", metric: str, window: str) -> str | None:
    """Why nobody could tell whether a metric has crossed a limit in all of a window; None: one can."""
    days = kept_days(config.catalogue, metric)
    if days is None or days >= LONGEST.get(window, 1) - 1:
        return None
    need = LONGEST[window] - 1
    return f"{metric} keeps its ids for {days}d, and a {window} is longer: give it keep: {need}d, or use another window"


def _asked(config: "Config") -> Iterator[KeptAsked]:
    for name, threshold in config.alerts.thresholds.items():
        yield f"alerts.thresholds.{name}.window", threshold.window, ()  # of ids it is refused
    for name, goal in config.goals.items():
        yield f"goals.{name}.period", goal.period.removeprefix("fiscal_"), (goal.metric,)
    for name, screen in config.screens.items():
        for number, scene in enumerate(screen.scenes):
            for place, tile in enumerate(scene.tiles):
                window = window_of(tile)
                if window is not None:
                    yield f"screens.{name}.scenes.{number}.tiles.{place}.window", window, metrics_of(tile)
