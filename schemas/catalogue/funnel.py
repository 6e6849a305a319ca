"""Type `funnel`: of those that entered a step, how many went on, were lost, or may still come.

Deals pass the stages of a pipeline, leads what happens to them. In rows it is one number: of all that entered the first
step in the window, the share that has entered the last one. What a row of it is stands in paths.py.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, NamedTuple

from pydantic import Field

from schemas.catalogue.base import Entry, Exact, Reading, References, ShownReader, check_dimension
from schemas.catalogue.conditions import Condition, First, IsSet, every
from schemas.catalogue.counted import NameOrNames, credit_of
from schemas.catalogue.paths import (
    ADVANCED,
    LEAD_STEPS,
    LOST,
    OPEN,
    WON,
    Cohort,
    Mode,
    Path,
    ReEntry,
    read_passed,
    read_time,
    read_turn,
)
from schemas.catalogue.percentiles import Ranked, between, rank
from schemas.catalogue.plan import Credit, Form, Measure, Part
from schemas.catalogue.rules import PipelineStages
from schemas.catalogue.where import EntryError
from schemas.instants import DAY
from schemas.panes import Pane

MAX_STEPS = 60
ENOUGH = 20
"""A step that fewer have entered is never the worst."""
Sample = Mapping[int, int]
_NONE: Sample = {}
_AT = First(("at",))
_MEDIAN = Fraction(1, 2)


class Funnel(Entry):
    """The steps that deals or leads enter, one after the other."""

    type: Literal["funnel"]
    from_: Literal["deal", "lead"] = Field(alias="from")
    path: Literal["stage"] | None = None
    """Of deals."""
    pipeline: str | None = Field(default=None, min_length=1, max_length=256)
    """Only deals in this one. Left out: each of `pipelines` has a funnel of its own."""
    steps: list[str] = Field(default_factory=list, max_length=MAX_STEPS)
    """Left out: those of `pipelines`; of leads received, answered, qualified, deal and won."""
    mode: Mode
    re_entry: ReEntry = "first"
    cohort: Cohort = "entered"
    credit: NameOrNames = Field(default_factory=list)
    """Left out: it counts for the organisation alone."""
    by: list[str] = Field(default_factory=list, max_length=20)

    def bind(self, catalogue: References) -> "FunnelReader":
        """Raises EntryError."""
        if self.unit != "ratio":
            raise EntryError(("unit",), "must be ratio: in rows a funnel is a share")
        self._check()
        check_dimension(catalogue.narrowing, self.by, self.label)
        credit = credit_of(self.from_, self.from_, self.credit)
        parts = []
        for base in catalogue.narrowing.facts([self.from_]):
            meant = catalogue.narrowing.condition(base, _AT)
            if meant is None:
                raise EntryError(("by",), f"{self.from_} does not say {catalogue.narrowing.name}")
            parts.append((base != self.from_, meant))
        ways = self._ways(catalogue.rules.pipelines)
        return FunnelReader(self.unit, tuple(_counted(way, parts, credit) for way in ways))

    def _check(self) -> None:
        if len(set(self.steps)) != len(self.steps):
            raise EntryError(("steps",), "names a step twice")
        if self.from_ == "deal":
            if self.path is None:
                raise EntryError(("path",), "is missing: of deals it is stage")
            if WON in self.steps[:-1]:
                raise EntryError(("steps",), f"{WON} can only be the last step")
            return
        for setting in ("path", "pipeline"):
            if getattr(self, setting) is not None:
                raise EntryError((setting,), "is of deals: leads have none")
        for index, step in enumerate(self.steps):
            if step not in LEAD_STEPS:
                raise EntryError(("steps", index), f"{step} is none of {', '.join(LEAD_STEPS)}")

    def _ways(self, pipelines: Sequence[PipelineStages]) -> Iterator["_Way"]:
        if self.from_ == "lead":
            steps = tuple(self.steps or LEAD_STEPS)
            labels = {step: step.capitalize() for step in steps}
            yield _Way(None, self._path(None, steps, (), takes_unsaid=True), labels)
            return
        meant = [held for held in pipelines if self.pipeline in {None, held.name}]
        if not meant and self.steps:
            meant = [PipelineStages(self.pipeline or "", (), ())]
        for held in meant:
            steps = tuple(map(held.stage_of, self.steps)) or held.steps
            if not steps:
                continue
            won = (*held.won, *({WON} - {*held.won}))
            if steps[-1] not in won:
                steps = (*steps, WON)
            name = held.name or None
            takes_unsaid = name is None or (bool(pipelines) and name == pipelines[0].name)
            labels = {step: held.label_of(step) for step in steps}
            yield _Way(name, self._path(name, steps, won, takes_unsaid=takes_unsaid), labels)

    def _path(self, name: str | None, steps: tuple[str, ...], won: Sequence[str], *, takes_unsaid: bool) -> Path:
        return Path(
            self.from_, name, takes_unsaid, steps, tuple(sorted(won)), self.mode, self.re_entry, self.cohort
        )  # fmt: skip


class _Way(NamedTuple):
    """The funnel of one pipeline."""

    pipeline: str | None
    path: Path
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Way:
    """The funnel of one pipeline, and what is counted for it."""

    pipeline: str | None
    path: Path
    labels: Mapping[str, str]
    passed: Measure
    """A sample of who entered which step and what became of it,"""
    stayed: Measure
    """of how long those were in it who have left it,"""
    running: Measure
    """and since when the others are."""
    turning: Measure | None = None
    """Of leads: what of these three begins or ends when a first touch comes that lies in the future."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All of them."""
        counted = (self.passed, self.stayed, self.running)
        return counted if self.turning is None else (*counted, self.turning)

    def read(self, pane: Pane, now: int) -> tuple[Sample, Sample, Sample]:
        """What a merged pane holds of the three, for a reader whose clock says `now`."""
        plain: tuple[Sample, ...] = tuple(pane.get(one.name, _NONE) for one in (self.passed, self.stayed, self.running))
        turning: Mapping[tuple[int, int], int] = {} if self.turning is None else pane.get(self.turning.name, {})
        if turning:
            held = tuple(Counter(sample) for sample in plain)
            for (turn, at), number in turning.items():
                counted, value, begins = read_turn(turn)
                if begins == (at <= now):
                    held[counted][value] += number
            plain = tuple({value: number for value, number in sample.items() if number} for sample in held)
        passed, stayed, running = plain
        return passed, stayed, running


def _counted(way: _Way, parts: Sequence[tuple[bool, Condition]], credit: Credit) -> Way:
    facts = [(way.path.joined if is_joined else way.path.fact, meant) for is_joined, meant in parts]

    def measure(name: str) -> Measure:
        value = (First((name,)),)
        return Measure(tuple(Part(fact, meant, _AT, credit, Form.SAMPLE, value) for fact, meant in facts))

    counted = measure("passed"), measure("stayed"), measure("running")
    return Way(*way, *counted, _turning(facts, credit) if way.path.of == "lead" else None)


def _turning(facts: Sequence[tuple[str, Condition]], credit: Credit) -> Measure:
    turns = First(("turn",)), First(("turns_at",))
    is_turn = IsSet(("turns_at",))
    parts = (Part(fact, every([meant, is_turn]), _AT, credit, Form.PENDING, turns) for fact, meant in facts)
    return Measure(tuple(parts))


class Step(NamedTuple):
    """What has become of those that entered a step in a window."""

    step: str
    label: str
    entered: int
    advanced: int
    lost: int
    open: int
    conversion: Fraction | None
    leak: Fraction | None
    time_in_stage: Fraction | None
    """Days, in the middle of the stays that have ended."""
    running: int
    """How many are in it now."""
    oldest_running: int | None
    """For how long the one has been that is longest in it (microseconds)."""


@dataclass(frozen=True, slots=True)
class FunnelReader(ShownReader):
    """Reads what was counted on the ways of all pipelines; in rows that of the first."""

    ways: tuple[Way, ...]
    measures: Sequence[Measure] = field(init=False)

    def __post_init__(self) -> None:
        found = tuple(measure for way in self.ways for measure in way.measures)
        object.__setattr__(self, "measures", found)

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        entered = reached = 0
        for value, number in self.ways[0].read(pane, reading.now)[0].items() if self.ways else ():
            step, _, has_reached = read_passed(value)
            if step == 0:
                entered += number
                reached += number * has_reached
        return Fraction(reached, entered) if entered else None

    def way(self, pipeline: str | None) -> Way | None:
        """The way of a pipeline, of the first if None; None: there is none."""
        return next((way for way in self.ways if pipeline in {None, way.pipeline}), None)


def steps_of(way: Way, pane: Pane, now: int) -> list[Step]:
    """What a merged pane says of each step."""
    entries, *times = way.read(pane, now)
    passed: dict[int, Counter[int]] = {}
    for value, number in entries.items():
        step, outcome, _ = read_passed(value)
        passed.setdefault(step, Counter())[outcome] += number
    stayed, running = map(_by_step, times)
    last = len(way.path.steps) - 1
    return [
        _step(
            step, way.labels[step], passed.get(place, Counter()), stayed.get(place, _NONE), running.get(place, _NONE),
            now, is_last=place == last,
        )
        for place, step in enumerate(way.path.steps)
    ]  # fmt: skip


def _by_step(held: Mapping[int, int]) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    for value, number in held.items():
        step, microseconds = read_time(value)
        found.setdefault(step, {})[microseconds] = number
    return found


def _step(
    step: str, label: str, passed: Counter[int], stayed: Mapping[int, int], running: Mapping[int, int], now: int, *,
    is_last: bool,
) -> Step:  # fmt: skip
    entered, advanced = passed.total(), passed[ADVANCED]
    conversion = Fraction(advanced, entered) if entered and not is_last else None
    sample = Ranked(stayed)
    return Step(
        step, label, entered, advanced, passed[LOST], passed[OPEN], conversion,
        None if conversion is None else 1 - conversion,
        Fraction(between(sample, *rank(len(sample), _MEDIAN))) / DAY if stayed else None,
        sum(running.values()),
        max(0, now - min(running)) if running else None,
    )  # fmt: skip


def worst_of(steps: Sequence[Step]) -> str | None:
    """The step in which the largest share was lost of those that entered it; None where too few have."""
    found = [(Fraction(step.lost, step.entered), -place) for place, step in enumerate(steps) if step.entered >= ENOUGH]
    return steps[-max(found)[1]].step if found else None
