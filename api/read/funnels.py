"""Funnels as REST shows them: each step with what became of those that entered it, whole or by a dimension.

Owns names and forms of what is served of funnels; what counts, schemas/catalogue/funnel.py says. Pure: `now` is an
argument.
"""

from api.read.rows import whole_seconds
from api.read.segments import label_on, segment_order
from api.read.stage_labels import stage_label
from api.read.view import Scope, View
from schemas.catalogue.funnel import FunnelReader, Step, Way, steps_of, worst_of
from schemas.json_object import Json
from schemas.panes import UNREADABLE, Pane
from schemas.windows import Span


def funnel_json(
    view: View, reader: FunnelReader, scope: Scope, span: Span, now: int, pipeline: str | None
) -> Json:  # fmt: skip
    """The steps of a pipeline (None: of the first), and the one at which most are lost.

    Of a span of which not all is kept the steps alone, without numbers.
    """
    way = reader.way(pipeline)
    if view.not_kept(span, now) is not None:
        return _unknown(view, way)
    return _shown(view, way, view.merged(scope, span, now), now)


def funnel_segments(
    view: View, metric: str, scope: Scope, span: Span, now: int, pipeline: str | None, by: str
) -> list[Json]:
    """The same by a dimension: all labels of a list in its order; of people those that occur, nobody's last."""
    whole, parts = view.funnel(metric), view.funnel_parts(metric, by)
    is_kept = view.not_kept(span, now) is None
    if parts is not None:
        if not is_kept:
            return [{"by": {by: label}, **_unknown(view, part.way(pipeline))} for label, part in parts.items()]
        pane = view.merged(scope, span, now)
        return [{"by": {by: label}, **_shown(view, part.way(pipeline), pane, now)} for label, part in parts.items()]
    way = None if whole is None or not is_kept else whole.way(pipeline)
    panes = view.merged_by_people(scope, span, now, label_on(view, by))
    return [
        {"by": {by: label}, **_shown(view, way, panes[label], now)}
        for label in sorted(panes, key=segment_order(view, by))
        if way is not None and any(measure.name in panes[label] for measure in way.measures)
    ]


def _shown(view: View, way: Way | None, pane: Pane, now: int) -> Json:
    if way is None or UNREADABLE in pane:
        return _unknown(view, way)
    steps = steps_of(way, pane, now)
    return {"steps": [_step(step, _label(view, way, step.step)) for step in steps], "worst": worst_of(steps)}


def _unknown(view: View, way: Way | None) -> Json:
    steps = [] if way is None else [(step, _label(view, way, step)) for step in way.path.steps]
    return {
        "steps": [{"step": step, "label": label, **dict.fromkeys(_NUMBERS)} for step, label in steps], "worst": None
    }  # fmt: skip


def _label(view: View, way: Way, step: str) -> str:
    label = way.labels[step]
    if way.path.of == "lead":
        return label
    return stage_label(view.connection_states.values(), way.pipeline, step, label)


_NUMBERS = (
    "entered", "advanced", "lost", "open", "conversion", "leak", "time_in_stage_days_p50", "running",
    "oldest_running_seconds",
)  # fmt: skip


def _step(step: Step, label: str) -> Json:
    return {
        "step": step.step,
        "label": label,
        "entered": step.entered,
        "advanced": step.advanced,
        "lost": step.lost,
        "open": step.open,
        "conversion": None if step.conversion is None else float(step.conversion),
        "leak": None if step.leak is None else float(step.leak),
        "time_in_stage_days_p50": None if step.time_in_stage is None else float(step.time_in_stage),
        "running": step.running,
        "oldest_running_seconds": whole_seconds(step.oldest_running),
    }
