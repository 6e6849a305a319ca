"""Metrics of type `funnel`: which entries of a step count, what has become of each, and what a step comes to.

Owns the recount's own reading of funnels, one deal or lead after another, step by step. In rows a funnel is one number:
of all that entered the first step, how many entered the last.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from statistics import median
from typing import Any, NamedTuple

from deploy.verification.conditions import Fact
from deploy.verification.definitions import Entry, names
from deploy.verification.facts import PATH
from deploy.verification.lead_facts import COMING, FAMILY
from deploy.verification.measures import Counted, Exact, Measure, Sum
from deploy.verification.shapes import DAY, SECOND, ServedValue
from deploy.verification.spans import Span
from deploy.verification.terms import Terms

WON = "won"
_LEAD_STEPS: Mapping[str, str] = {
    "received": "received_at",
    "answered": "answered_at",
    "qualified": "qualified_at",
    "deal": "deal_at",
    "won": "won_at",
}
_ENOUGH = 20


class Visit(NamedTuple):
    """A step that was entered."""

    at: int
    step: str
    left: int | None
    """When it was left for something else."""
    stays: bool
    """Whether nothing came after it."""


class Entered(NamedTuple):
    """An entry that counts."""

    pipeline: str | None
    step: str
    advanced: bool
    lost: bool
    reached: bool
    """Whether the last step was entered, too."""
    stayed: int | None
    since: int | None
    """Where it lasts."""


class PipelineSteps(NamedTuple):
    """The steps of one pipeline."""

    pipeline: str | None
    steps: tuple[str, ...]
    won: frozenset[str]
    is_first: bool

    def takes(self, deal: Fact) -> bool:
        """Whether a deal is on it: one that names no pipeline is in the first."""
        said = deal.get("pipeline")
        return self.pipeline is None or said == self.pipeline or (said is None and self.is_first)


class Funnel(Measure):
    """Each entry of a step, of each deal or lead."""

    def __init__(self, entry: Entry, terms: Terms) -> None:
        super().__init__(entry, terms)
        self._mode = entry.get("mode")
        self._is_each = entry.get("re_entry", "first") == "each"
        self.ways = list(self._ways())

    def _ways(self) -> Iterator[PipelineSteps]:
        own = names(self.entry.get("steps"))
        if self.sources == ("lead",):
            yield PipelineSteps(None, own or tuple(_LEAD_STEPS), frozenset(), is_first=True)
            return
        said = self.terms.config.pipelines
        wanted = self.entry.get("pipeline")
        meant = {name: held for name, held in said.items() if wanted in (None, name)}
        if not meant and own:
            yield _way(wanted, own, frozenset(), is_first=False)
        for name, held in meant.items():
            called = self._names_of(held)
            steps = [called.get(step, step) for step in own or held.steps]
            won = frozenset(called.get(stage, stage) for stage in held.won)
            yield _way(name, steps, won, is_first=name == next(iter(said)))

    def _names_of(self, pipeline: Any) -> dict[str, str]:
        """What people call stages -> their ids, of those that are no ids themselves."""
        labels = self.terms.config.stage_names() | pipeline.labels
        return {label: stage for stage, label in labels.items() if label not in labels}

    def _of(self, fact: Fact) -> Iterator[Counted]:
        for way in self.ways:
            if fact.get("record") == "lead":
                yield from self._of_lead(fact, way)
            elif way.takes(fact):
                is_lost, closed_at = fact.get("status") == "lost", fact["closed_at"]
                yield from self._counted(fact, way, _deal_path(fact, way), is_lost, closed_at)

    def _of_lead(self, lead: Fact, way: PipelineSteps) -> Iterator[Counted]:
        coming_at = lead.get(COMING)
        is_lost, won_at = _is_lead_lost(lead), lead.get("won_at")
        for counted in self._counted(lead, way, _lead_path(lead, way), is_lost, won_at):
            yield replace(counted, ends=coming_at)
        if coming_at is not None:
            started_at = lead.get("started_at")
            response = None if started_at is None else max(0, coming_at - started_at)
            answered = {**lead, "answered_at": coming_at, "response": response}
            for counted in self._counted(answered, way, _lead_path(answered, way), is_lost, won_at):
                yield replace(counted, begins=coming_at)

    def _counted(
        self, fact: Fact, way: PipelineSteps, path: list[Visit], is_lost: bool, ended_at: int | None
    ) -> Iterator[Counted]:  # fmt: skip
        created = fact.get("received_at" if fact.get("record") == "lead" else "created_at")
        for at, entered in self._entered(way, path, is_lost, is_over=is_lost or ended_at is not None):
            when = created if self.entry.get("cohort") == "created" else at
            if when is not None:
                for rep in self.credited(fact):
                    yield Counted(self, rep, when, self.terms.people.day_of(when), entered, fact)

    def _entered(
        self, way: PipelineSteps, path: list[Visit], is_lost: bool, *, is_over: bool
    ) -> Iterator[tuple[int, Entered]]:  # fmt: skip
        begin = 0
        for number, step in enumerate(way.steps):
            entries = [place for place, visit in enumerate(path) if visit.step == step]
            if self._mode == "strict":
                entries = [place for place in entries if place >= begin]
                if not entries:
                    return
                begin = entries[0] + 1
            for place in entries if self._is_each else entries[:1]:
                visit, after = path[place], self._after(path, place)
                advanced = step == way.steps[-1] or self._goes_on(way, number, after)
                yield visit.at, Entered(
                    way.pipeline, step, advanced, not advanced and is_lost, self._reaches(way, number, after),
                    None if visit.left is None else visit.left - visit.at,
                    visit.at if visit.stays and not is_over else None,
                )  # fmt: skip
        if self._mode == "inferred" and not is_lost:
            yield from _left_out(way, path)

    def _after(self, path: list[Visit], place: int) -> list[Visit]:
        """What followed an entry: all of the way where each step counts once, else up to the next entry of the step."""
        if not self._is_each:
            return path[place + 1 :] if self._mode == "strict" else path
        after = path[place + 1 :]
        ends = [index for index, visit in enumerate(after) if visit.step == path[place].step]
        return after[: ends[0]] if ends else after

    def _goes_on(self, way: PipelineSteps, number: int, after: list[Visit]) -> bool:
        wanted = way.steps[number + 1 : number + 2] if self._mode == "strict" else way.steps[number + 1 :]
        return any(visit.step in wanted for visit in after)

    def _reaches(self, way: PipelineSteps, number: int, after: list[Visit]) -> bool:
        if self._mode != "strict":
            return len(way.steps) == number + 1 or any(visit.step == way.steps[-1] for visit in after)
        ahead = iter(after)
        return all(any(visit.step == wanted for visit in ahead) for wanted in way.steps[number + 1 :])

    def empty(self, span: Span) -> Sum:
        return Share(self.ways)


def _way(pipeline: str | None, steps: Iterable[str], won: frozenset[str], *, is_first: bool) -> PipelineSteps:
    """Behind the last step stands what is won, unless that is the last one."""
    won, steps = won | {WON}, tuple(steps)
    return PipelineSteps(pipeline, steps if steps[-1] in won else (*steps, WON), won, is_first)


def _deal_path(deal: Fact, way: PipelineSteps) -> list[Visit]:
    stages, last = deal[PATH], way.steps[-1]
    visits = []
    for place, (at, stage) in enumerate(stages):
        step = last if stage in way.won else stage
        if step in way.steps:
            left = stages[place + 1][0] if place + 1 < len(stages) else None
            visits.append(Visit(at, step, left, stays=left is None))
    closed_at = deal["closed_at"]
    if deal.get("status") == WON and closed_at is not None and all(visit.step != last for visit in visits):
        before = [visit for visit in visits if visit.at <= closed_at]
        visits = [*before, Visit(closed_at, last, None, stays=False), *visits[len(before) :]]
    return visits


def _lead_path(lead: Fact, way: PipelineSteps) -> list[Visit]:
    known = {step: lead.get(_LEAD_STEPS[step]) for step in way.steps}
    visits = []
    for step, at in known.items():
        if at is not None:
            left = min((other for other in known.values() if other is not None and other > at), default=None)
            visits.append(Visit(at, step, left, stays=left is None))
    return sorted(visits, key=lambda visit: (visit.at, way.steps.index(visit.step)))


def _is_lead_lost(lead: Fact) -> bool:
    deals = lead[FAMILY].deals
    return lead.get("status") == "disqualified" or (bool(deals) and all(one.get("status") == "lost" for one in deals))


def _left_out(way: PipelineSteps, path: list[Visit]) -> Iterator[tuple[int, Entered]]:
    numbers = sorted({way.steps.index(visit.step) for visit in path})
    for number in range(numbers[0], numbers[-1]) if numbers else ():
        if number not in numbers:
            at = min(visit.at for visit in path if way.steps.index(visit.step) > number)
            yield at, Entered(way.pipeline, way.steps[number], True, False, False, None, None)


class _Step:
    """One step, summed up."""

    def __init__(self) -> None:
        self.entered = self.advanced = self.lost = self.reached = self.running = 0
        self.oldest: int | None = None
        self.stayed: list[int] = []

    def add(self, entered: Entered) -> None:
        self.entered += 1
        self.advanced += entered.advanced
        self.lost += entered.lost
        self.reached += entered.reached
        if entered.stayed is not None:
            self.stayed.append(entered.stayed)
        if entered.since is not None:
            self.running += 1
            self.oldest = entered.since if self.oldest is None else min(self.oldest, entered.since)

    def shown(self, step: str, now: int, *, is_last: bool) -> dict[str, Any]:
        conversion = Fraction(self.advanced, self.entered) if self.entered and not is_last else None
        return {
            "step": step,
            "entered": self.entered,
            "advanced": self.advanced,
            "lost": self.lost,
            "open": self.entered - self.advanced - self.lost,
            "conversion": None if conversion is None else float(conversion),
            "leak": None if conversion is None else float(1 - conversion),
            "time_in_stage_days_p50": float(median(map(Fraction, self.stayed)) / DAY) if self.stayed else None,
            "running": self.running,
            "oldest_running_seconds": None if self.oldest is None else max(0, now - self.oldest) // SECOND,
        }


class Share(Sum):
    """All entries of a window; in rows, how many of those that entered the first step have reached the end."""

    def __init__(self, ways: Sequence[PipelineSteps]) -> None:
        self.ways = ways
        self._steps: dict[tuple[str | None, str], _Step] = defaultdict(_Step)

    def add(self, counted: Counted) -> None:
        entered: Entered = counted.what
        self._steps[entered.pipeline, entered.step].add(entered)

    def value(self) -> Exact:
        first = self._steps[self.ways[0].pipeline, self.ways[0].steps[0]] if self.ways else _Step()
        return Fraction(first.reached, first.entered) if first.entered else None

    def steps(self, way: PipelineSteps, now: int) -> dict[str, Any]:
        """The steps as `/v1/funnels` serves them, without labels, and the one at which most are lost."""
        steps = [
            self._steps[way.pipeline, step].shown(step, now, is_last=step == way.steps[-1]) for step in way.steps
        ]  # fmt: skip
        enough = [step for step in steps if step["entered"] >= _ENOUGH]
        worst = max(enough, key=lambda step: Fraction(step["lost"], step["entered"]), default=None)
        return {"steps": steps, "worst": None if worst is None else worst["step"]}

    def values(self, metric: str, now: int) -> Iterator[tuple[str, ServedValue]]:
        """Everything, each under a name of its own."""
        for way in self.ways:
            yield from flat(metric, way.pipeline, self.steps(way, now), now)


def flat(metric: str, pipeline: str | None, answer: Mapping[str, Any], as_of: int) -> Iterator[tuple[str, ServedValue]]:
    """What an answer of `/v1/funnels` says, each under a name of its own.

    For how long the oldest stay has lasted is told as the second since 1970 in which it began: two answers of different
    instants say the same, but for the second that each has rounded off.
    """
    head = metric if pipeline is None else f"{metric} of {pipeline}"
    yield f"{head}, worst", answer["worst"]
    for step in answer["steps"]:
        for name, value in step.items():
            if name == "oldest_running_seconds":
                began = None if value is None else as_of / SECOND - value
                yield f"{head}, {name} {step['step']}", began
            elif name not in _LEFT_OUT:
                yield f"{head}, {name} {step['step']}", value


_LEFT_OUT = frozenset({"step", "label"})
