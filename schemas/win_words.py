"""What was won, in one line, as channels are told of it. Owns the words and what `names` leaves of a win. Pure."""

from decimal import Decimal

import msgspec

from schemas.config import Config
from schemas.json_object import Json
from schemas.media import photo_address
from schemas.naming import NameStyle, called, id_told, without_person
from schemas.notices import Notice
from schemas.words import Words

WIN = "win"


def told_win(win: Json, names: NameStyle) -> Json:
    """A win as those may be told who may know people by `names` alone: it goes by that, not by who is shown."""
    if names == "full":
        return win
    rep = win.get("rep")
    told = win | {"rep": id_told(names, rep), "name": called(names, rep, win.get("name"))}
    is_seen = names == "first" and rep is not None and win.get("photo") is not None
    told["photo"] = photo_address(told["rep"]) if is_seen else None
    if win.get("deal_name") is not None:
        told["deal_name"] = None  # names of deals are names of people, often
    if rep is not None and win.get("goal") is not None:
        told["win"] = f"{win['cause']}:{without_person(win['win'])}"
    return told


def win_line(win: Json, words: Words, config: Config) -> str:
    """A win that may be told as it is."""
    match win["cause"]:
        case "deal_won":
            what = words.say("win.deal_won")
        case "goal_reached":
            what = words.say("win.goal_reached", goal=metric_label(win["metric"], words, config))
        case _:
            what = words.say(
                "win.milestone",
                goal=metric_label(win["metric"], words, config),
                share=words.formats.share(win["milestone"]),
            )
    line = words.say("win.of", what=what, who=win["name"]) if win["name"] else what
    if win["amount"] is not None:
        line = words.say("win.with", win=line, amount=words.formats.money(Decimal(win["amount"]), win["currency"]))
    return f"{line} · {win['deal_name']}" if win["deal_name"] else line


def win_notice(win: Json, words: Words, names: NameStyle, config: Config) -> Notice:
    """What a channel is told of a win, or that it is taken back."""
    told = told_win(win, names)
    line = win_line(told, words, config)
    return Notice(
        WIN,
        words.say("win.taken_back", win=line) if win["withdrawn"] else line,
        data=msgspec.json.encode(told).decode(),
        language=words.language,
        is_right_to_left=words.direction == "rtl",
    )


def metric_label(metric: str, words: Words, config: Config) -> str:
    """What a metric is called: your own words for it, else those of the language."""
    if metric in words.metrics and metric not in config.defined.own:
        return words.metrics[metric]
    entry = config.catalogue.get(metric)
    return metric if entry is None else entry.label
