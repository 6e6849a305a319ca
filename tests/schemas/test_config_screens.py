"""`screens` and `digest` of floorcast.yaml: what they take, and what is wrong with what is not."""

import pytest

from schemas.config import Config, ConfigError, parse_config
from schemas.config.hours import read_days, read_hours

BASE = """
organisation: {name: Acme, timezone: Asia/Kuala_Lumpur, currency: USD}
connections: {feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}}
teams: {north: {name: North}, south: {}}
alerts:
  channels:
    floor: {kind: webhook, url: "https://example.com/hook", secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
"""
WHOLE = """
screens:
  floor:
    title: Acme Sales
    language: fa
    theme: dark
    calm: false
    privacy: {top: 5, names: full, hide_zero: true, min_group: 3}
    teams: [north]
    rotate: 20s
    scenes:
      - name: Today
        tiles:
          - {kind: leaderboard, metric: calls_made, window: today}
          - {kind: figures, metrics: [calls_made, conversations, emails_sent]}
          - {kind: leads}
      - name: Month
        when: {days: [last 5], weekdays: mon-fri, hours: "08:00-12:00"}
        tiles: [{kind: race, metric: revenue_won, window: month}, {kind: trend, metric: revenue_won, window: 30d}]
      - name: Wins
        tiles:
          - {kind: wins, limit: 6}
          - {kind: thermometer, metric: revenue_won, window: quarter, team: north}
          - {kind: message, text: "Kick-off at 16:00"}
          - {kind: freshness}
          - {kind: alerts}
    celebrate: [{on: deal_won, at_least: "10000", to: [floor]}, {on: goal_reached}, {on: milestone}]
    sound: {on: true, volume: 0.5, quiet: ["18:00-08:00"], files: {deal_won: gong.mp3}}
    blank: ["20:00-07:00", sat, sun]
    frame_ancestors: ["https://wiki.example.com"]
digest: {at: "17:30", days: mon-fri, to: [floor]}
"""
ONE = "screens: {{floor: {{scenes: [{{name: Today, tiles: [{tile}]}}]{more}}}}}"


def read(text: str) -> Config:
    return parse_config(BASE + text, {})


def problems(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return "\n".join(caught.value.problems)


def test_a_screen_is_read_as_the_reference_writes_it() -> None:
    screen = read(WHOLE).screens["floor"]

    assert [scene.name for scene in screen.scenes] == ["Today", "Month", "Wins"]
    assert screen.privacy.top == 5
    assert screen.tells_wins
    assert screen.scenes[1].when is not None
    assert screen.scenes[1].when.hours == ["08:00-12:00"]
    assert getattr(screen.scenes[0].tiles[1], "window", None) == "today"


def test_what_is_left_out_hides_nothing_and_celebrates_nothing() -> None:
    screen = read(ONE.format(tile="{kind: leads}", more="")).screens["floor"]

    assert (screen.privacy.top, screen.privacy.names, screen.privacy.hide_zero, screen.privacy.min_group) == (
        None,
        "full",
        False,
        1,
    )
    assert not screen.tells_wins


@pytest.mark.parametrize(
    ("tile", "more", "said"),
    [
        ("{kind: clock}", "", "kind"),
        ("{kind: leads, metric: calls_made}", "", "metric"),
        ("{kind: leaderboard, metric: calls_maed}", "", "there is no metric 'calls_maed'; did you mean 'calls_made'?"),
        ("{kind: figures, metrics: [nothing_such]}", "", "tiles.0.metrics: there is no metric 'nothing_such'"),
        ("{kind: figures, metrics: []}", "", "metrics"),
        ("{kind: leaderboard, metric: calls_made, window: toady}", "", "'toady' is not a window"),
        ("{kind: trend, metric: calls_made, window: today}", "", "a trend has a point for each day"),
        ("{kind: funnel, metric: calls_made}", "", "calls_made is no funnel"),
        ("{kind: leads, team: east}", "", "there is no team 'east'"),
        ("{kind: leads, team: south}", ", teams: [north]", "'south' is none of the screen's teams"),
        ("{kind: leads}", ", teams: [east]", "there is no team 'east'"),
        ("{kind: leads}", ", rotate: 5s", "must be between 10s and 60s"),
        ("{kind: leads}", ", language: fr", "language"),
        ("{kind: leads}", ", privacy: {names: initials}", "names"),
        ("{kind: leads}", ", privacy: {top: 0}", "top"),
        ("{kind: leads}", ", blank: [holidays]", "'holidays' is not a weekday"),
        ("{kind: leads}", ", blank: ['8-17']", "weekday"),
        ("{kind: leads}", ", sound: {quiet: ['18:00']}", "is not a span such as 08:00-18:00"),
        ("{kind: leads}", ", sound: {files: {deal_won: ../gong.mp3}}", "must be a file below media/"),
        ("{kind: leads}", ", sound: {volume: 2}", "volume"),
        ("{kind: leads}", ", celebrate: [{on: goal_reached, at_least: 5}]", "at_least is for deal_won alone"),
        ("{kind: leads}", ", celebrate: [{on: deal_won, to: [flor]}]", "there is no channel 'flor'"),
        ("{kind: leads}", ", frame_ancestors: ['wiki']", "frame_ancestors"),
        (", ".join(["{kind: leads}"] * 7), "", "tiles"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tile: str, more: str, said: str) -> None:
    assert said in problems(ONE.format(tile=tile, more=more))


@pytest.mark.parametrize("days", ["0", "5-1", "last 0", "last", "32", "first 5"])
def test_days_of_the_month_that_there_are_not_are_refused(days: str) -> None:
    text = f"screens: {{floor: {{scenes: [{{name: A, when: {{days: [{days}]}}, tiles: [{{kind: leads}}]}}]}}}}"

    assert "days of the month" in problems(text)


def test_scenes_of_one_name_are_refused() -> None:
    tile = "tiles: [{kind: leads}]"

    assert "two scenes named 'A'" in problems(
        f"screens: {{floor: {{scenes: [{{name: A, {tile}}}, {{name: A, {tile}}}]}}}}"
    )


@pytest.mark.parametrize(
    ("span", "minutes"), [("08:00-12:00", (480, 720)), ("18:00-08:00", (1080, 480)), ("18:00-24:00", (1080, 1440))]
)
def test_a_span_may_go_over_midnight(span: str, minutes: tuple[int, int]) -> None:
    assert read_hours(span) == minutes


@pytest.mark.parametrize(("days", "ends"), [("last 5", (-5, -1)), ("1-5", (1, 5)), ("18", (18, 18))])
def test_days_may_be_counted_from_the_end_of_the_month(days: str, ends: tuple[int, int]) -> None:
    assert read_days(days) == ends


def test_celebrations_that_nothing_can_cause_are_remarked() -> None:
    said = parse_config(BASE + WHOLE + "reps: {ana: {photo: ana.jpg}}\n", {}).remarks()

    assert said == [
        "screens.floor.celebrate.1.on: no goal has 1 among its milestones, so none is told as reached",
        "screens.floor.celebrate.2.on: no entry of goals has milestones",
        "screens.floor.scenes.2.tiles.1.window: last_year of a quarter needs retention.records: 460d, and 400d are "
        "kept, so that comparison is null",
    ]


def test_a_screen_whose_goals_have_milestones_is_not_remarked_on() -> None:
    goals = "goals: {calls: {metric: calls_made, period: day, amounts: [{each: 50}], milestones: [0.5, 1]}}\n"
    scenes = "scenes: [{name: Now, tiles: [{kind: leads}]}]"
    screens = f"screens: {{floor: {{celebrate: [{{on: goal_reached}}, {{on: milestone}}], {scenes}}}}}\n"
    assert parse_config(BASE + goals + screens, {}).remarks() == []


@pytest.mark.parametrize(
    ("count", "rotate", "said"),
    [
        (3, "60s", ["screens.floor.rotate: 3 scenes take 180 s to come round; nobody waits for more than 120 s"]),
        (6, "20s", []),
    ],
)
def test_scenes_that_take_too_long_to_come_round_are_remarked(count: int, rotate: str, said: list[str]) -> None:
    tiles = "tiles: [{kind: message, text: Hello}]"
    always = ", ".join(f"{{name: S{number}, {tiles}}}" for number in range(count))
    now_and_then = f"{{name: Mondays, when: {{weekdays: mon}}, {tiles}}}"
    screens = f"screens: {{floor: {{rotate: {rotate}, scenes: [{always}, {now_and_then}]}}}}\n"

    assert parse_config(BASE + screens, {}).remarks() == said
