"""The page of a screen: what the browser is given, with the settings of the screen in it.

Owns the form in which a screen's settings reach the page. Draws nothing (api/static).
"""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote, urlencode

import orjson
import segno
from starlette.requests import HTTPConnection

from api.read.view import View
from api.words.texts import ReaderWords
from schemas.calendars import weekdays_of
from schemas.config.hours import read_days, read_hours
from schemas.config.screens import Scene, ScreenConfig, When
from schemas.config.tiles import MessageTile, Tile, window_of
from schemas.instants import SECOND
from schemas.json_object import Json

_TEMPLATES = Path(__file__).parents[1] / "templates"
_PAGE = Template((_TEMPLATES / "board.html").read_text("utf-8"))
_PAIRING = Template((_TEMPLATES / "pair.html").read_text("utf-8"))

USUAL = ("calls_made", "conversations", "emails_sent", "meetings_held", "deals_won", "revenue_won")
_MOST_USUAL = 6


def usual_metrics(catalogue: Iterable[str]) -> list[str]:
    """What a screen shows of which nobody says what: the usual metrics, as far as they are not switched off."""
    known = list(catalogue)
    return [name for name in USUAL if name in known] or known[:_MOST_USUAL]


def board_page(settings: Json | None, device: str | None = None, *, usual: Sequence[str] = USUAL) -> str:
    """The page of a screen with these settings; None: the address of the page says what it shows.

    `device`: the screen on the wall, where it was paired. `usual`: what is shown where the address does not say it.
    """
    words = ReaderWords("en" if settings is None else settings["language"])
    return _PAGE.substitute(
        language=words.language,
        device=escape(device or ""),
        direction=words.direction,
        no_script=escape(words.say("problem.no_script")),
        theme="dark" if settings is None else settings["theme"],
        title=escape("floorcast" if settings is None else settings["title"] or "floorcast"),
        # The only character by which text could end the element that it stands in.
        settings=orjson.dumps(settings or {"usual": [*usual]}).decode().replace("<", "\\u003c"),
    )


def unknown_name(request: HTTPConnection) -> tuple[str, str] | None:
    """`team` or `metric`, and a name in the address of a screen that none of them has."""
    view: View = request.app.state.read_side.view
    for field, known in (("team", view.roster.team_names), ("metric", view.catalogue)):
        asked = ",".join(request.query_params.get(name, "") for name in (field, f"{field}s")).split(",")
        unknown = next((name.strip() for name in asked if name.strip() and name.strip() not in known), None)
        if unknown is not None:
            return field, unknown
    return None


def pairing_page(words: ReaderWords) -> str:
    """The page of a screen without a valid key: a code to pair it with."""
    heading, text = (escape(words.say(key)) for key in ("pair.heading", "pair.text"))
    return _PAIRING.substitute(language=words.language, direction=words.direction, heading=heading, text=text)


def screen_settings(
    name: str, screen: ScreenConfig, *, teams: list[str], calendars: list[str], origin: str = ""
) -> Json:
    """What a page shows.

    `teams`: whose numbers this viewer may see; `calendars`: those that say whether they work; `origin`: where the
    viewer finds floorcast, for phones that are to find it too.
    """
    return {
        "screen": name,
        "title": screen.title or "",
        "language": screen.language,
        "theme": screen.theme,
        "isCalm": screen.calm,
        "teams": teams,
        "calendars": calendars,
        "rotate": screen.rotate * 1000 // SECOND,
        "scenes": [
            {
                "name": scene.name,
                "when": None if scene.when is None else _when(scene.when),
                "tiles": [_tile(tile) | _code(tile, origin, name, scene, teams) for tile in scene.tiles],
            }
            for scene in screen.scenes
        ],
        "minGroup": screen.privacy.min_group,
        "celebrates": [
            {"on": each.on, "atLeast": None if each.at_least is None else f"{each.at_least:f}", "again": each.again}
            for each in screen.celebrate
        ],
        "sound": {
            "isOn": screen.sound.on,
            "volume": screen.sound.volume,
            "quiet": _times(screen.sound.quiet),
            "files": {
                cause: f"/media/{quote(file)}?screen={quote(name)}" for cause, file in screen.sound.files.items()
            },
        },
        "blank": _times(screen.blank),
    }


def _tile(tile: Tile) -> Json:
    return tile.model_dump(mode="json", exclude_none=True)


def _code(tile: Tile, origin: str, screen: str, scene: Scene, teams: list[str]) -> Json:
    """A code to the numbers of this scene. No key is in it: who opens it has one of their own."""
    if not isinstance(tile, MessageTile) or tile.qr is None:
        return {}
    path = "/me"
    if tile.qr == "scene":
        path = f"/board/{quote(screen)}?{urlencode({'scene': scene.name})}"
    elif tile.qr == "floor":
        windows = [window for each in scene.tiles if (window := window_of(each)) is not None]
        asked = {"window": windows[:1], "team": teams if len(teams) == 1 else []}
        path = f"/floor?{urlencode(asked, doseq=True)}"
    return {"qr": qr_code(origin + path)}


def qr_code(address: str) -> Json:
    """The address, how many squares the code has at each side, and its dark ones as lines of an SVG path.

    It stands among the page's settings: no picture has to be asked for.
    """
    rows = segno.make_qr(address, error="m").matrix
    squares = (f"M{x} {y}.5h1" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark)
    return {"address": address, "size": len(rows), "path": "".join(squares)}


def _when(when: When) -> Json:
    """As numbers: weekdays from 0 for Monday, days from 1 or, from the end, from -1, minutes of the day."""
    return {
        "weekdays": None if when.weekdays is None else weekdays_of(when.weekdays),
        "days": None if when.days is None else [read_days(days) for days in when.days],
        "hours": None if when.hours is None else [read_hours(hours) for hours in when.hours],
    }


def _times(entries: list[str]) -> Json:
    """Spans of the day and whole weekdays, any of which may hold."""
    return {
        "hours": [read_hours(entry) for entry in entries if ":" in entry],
        "weekdays": [weekday for entry in entries if ":" not in entry for weekday in weekdays_of(entry)],
    }
