"""The checklist of a wallboard, and the test that holds each line of it.

What is expected of a wallboard on the left; on the right where it is tested: a function of a module below `tests/`,
or the title of a test of JavaScript (its beginning will do). What a television, a network or a person has to do is not
here.
"""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
BOARD, STATIC, ROUTES = "api/board/", "api/static/", "api/http/routes/"
CHECKLIST: dict[str, tuple[tuple[str, str], ...]] = {
    "legible from three metres, figures of 72 points, safe margins": (
        (BOARD + "test_scenes.py", "test_everything_can_be_read_from_three_metres_and_nothing_stands_at_the_edge"),
    ),
    "at most six figures in a scene, each with target and state": (
        (
            STATIC + "address.test.js",
            "without parameters it is today's usual metrics, the first of them with its people; of others six",
        ),
        (BOARD + "test_scenes.py", "test_a_figure_shows_its_goal_and_its_state_in_words_and_a_sign"),
        (BOARD + "test_scenes.py", "test_a_board_of_several_teams_shows_the_goal_of_all_of_them"),
    ),
    "nothing below the fold; 1080p, 4K, upright, ultra-wide": (
        (BOARD + "test_shapes.py", "test_nothing_scrolls_or_leaves_the_screen"),
        (BOARD + "test_for_everybody.py", "test_every_tile_in_every_state"),
    ),
    "long names and many reps: pages, never smaller": (
        (BOARD + "test_leaderboard.py", "test_many_reps_are_paged_at_full_size_and_nobody_stands_on_two_pages"),
        (BOARD + "test_leaderboard.py", "test_two_people_of_one_name_can_be_told_apart"),
        (BOARD + "test_leaderboard.py", "test_a_long_name_stands_whole_beside_a_face_an_amount_and_an_attainment"),
        (STATIC + "ranking.test.js", "pages have each row once, at most twelve, and no page is nearly empty"),
    ),
    "scenes of 10 to 60 s, all of them within two minutes": (
        ("schemas/test_config_screens.py", "test_what_is_wrong_is_named"),
        ("schemas/test_config_screens.py", "test_scenes_that_take_too_long_to_come_round_are_remarked"),
    ),
    "a breach pins its scene": (
        (BOARD + "test_scenes.py", "test_a_breach_pins_the_waiting_leads_until_somebody_answers_and_a_scene_that_is"),
        (BOARD + "test_scenes.py", "test_where_no_scene_shows_leads_a_strip_of_alerts_stands_on_every_one"),
        (STATIC + "rotation.test.js", "a breach brings the scene with the waiting leads"),
    ),
    "no empty frame between scenes": (
        (BOARD + "test_scenes.py", "test_scenes_take_turns_without_an_empty_frame_and_only_the_one_that_is_shown_is"),
    ),
    "a celebration interrupts, and the rotation goes on where it was": (
        (STATIC + "rotation.test.js", "what holds a scene takes nothing of its turn: it goes on where it was"),
    ),
    "age of each source and p95 always, the state by colour, sign and word": (
        (BOARD + "test_freshness.py", "test_freshness_names_each_connection_with_age_state_and_delay"),
        (STATIC + "freshness.test.js", "the worst connection comes first; one that has never delivered is no failure"),
        (STATIC + "icons.test.js", "every sign has an outline of its own"),
    ),
    "quiet hours are no outage": (
        (BOARD + "test_freshness.py", "test_a_floor_that_does_not_work_is_closed_and_not_stale"),
        (
            STATIC + "freshness.test.js",
            "a floor is closed since the last of its calendars is, by those alone by which it",
        ),
    ),
    "old numbers dimmed, with their time, kept and never zero": (
        (
            BOARD + "test_connection.py",
            "test_silence_is_a_disconnection_within_ten_seconds_that_keeps_the_last_numbers",
        ),
        (BOARD + "test_freshness.py", "test_numbers_that_stand_still_upstream_are_shown_as_stale"),
    ),
    "not known is not zero": ((BOARD + "test_values.py", "test_a_null_is_a_dash_and_a_zero_is_a_zero"),),
    "server-sent events with Last-Event-ID, pauses with jitter, sequence, skew": (
        (
            BOARD + "test_connection.py",
            "test_a_broken_connection_comes_back_with_the_last_event_id_and_the_new_numbers",
        ),
        (STATIC + "stream.test.js", "silence is broken by a new connection, and pauses grow to ten seconds"),
        (STATIC + "stream.test.js", "of two screens that were cut off together one comes back sooner"),
        (ROUTES + "test_stream.py", "test_heartbeat_comes_while_nothing_happens"),
        (STATIC + "stream.test.js", "an event of another instance, or one that cannot be read, asks for a new picture"),
        (BOARD + "test_leads.py", "test_clocks_follow_the_server_when_the_television_is_wrong"),
    ),
    "a new build, and another layout, are taken by themselves": (
        (BOARD + "test_connection.py", "test_the_page_reloads_itself_once_when_a_new_build_is_served"),
        (ROUTES + "test_boards.py", "test_what_the_file_says_of_screens_is_part_of_what_is_served"),
    ),
    "hours leave no memory behind": (
        (BOARD + "test_soak.py", "test_hours_leave_nothing_behind"),
        ("api/test_soak.py", "test_hours_leave_nothing_behind_in_an_api"),
    ),
    "old Chromium": (
        (STATIC + "files.test.js", "${file} keeps to what older televisions run"),
        (STATIC + "files.test.js", "what is looked for is found"),
    ),
    "tokens that read only, expire and can be revoked; pairing by code": (
        (ROUTES + "test_screens.py", "test_a_code_is_paired_and_its_browser_gets_the_cookie_once"),
        (ROUTES + "test_screens.py", "test_a_device_reads_what_its_screen_shows_and_nothing_else"),
        (ROUTES + "test_screens.py", "test_a_revoked_screen_is_gone_for_good"),
        (ROUTES + "test_stream.py", "test_key_that_is_taken_away_ends_its_stream_and_its_browser_asks_at_once_why"),
        (BOARD + "test_trouble.py", "test_a_key_that_is_taken_away_takes_the_numbers_off_the_screen_and_asks"),
    ),
    "nothing of people beyond the settings": (
        (ROUTES + "test_screens_privacy.py", "test_no_answer_to_it_names_them"),
        (BOARD + "test_scenes.py", "test_a_screen_that_is_told_no_names_shows_no_ids_in_their_place"),
    ),
    "nothing burns in: shifts, dark hours": (
        (BOARD + "test_shapes.py", "test_the_picture_shifts_a_few_pixels_against_burn_in"),
        (BOARD + "test_scenes.py", "test_in_dark_hours_nothing_shines"),
        (BOARD + "test_checklist.py", "test_no_white_burns_in_and_digits_stand_still"),
    ),
    "contrast in both themes, from right to left, Persian digits": (
        (BOARD + "test_for_everybody.py", "test_every_tile_in_every_state"),
        (BOARD + "test_checklist.py", "test_bars_can_be_told_from_what_lies_behind_them"),
        (BOARD + "test_celebrations.py", "test_in_persian_no_number_is_cut_off_and_no_word_covers_another"),
        (STATIC + "format.test.js", "each language writes numbers, money, durations and dates as it does"),
    ),
    "rows move only when a rank changes, and not on calm screens; nothing flashes": (
        (BOARD + "test_leaderboard.py", "test_the_leaderboard_sorts_itself_anew_when_a_rank_changes"),
        (BOARD + "test_leaderboard.py", "test_reduced_motion_moves_nothing"),
        (BOARD + "test_checklist.py", "test_nothing_moves_for_ever_or_for_long"),
    ),
    "sound: quiet hours, a cap, a caption, unlocked by a touch": (
        (STATIC + "sounds.test.js", "a sound is played no louder than is good for a room"),
        (BOARD + "test_celebrations.py", "test_in_quiet_hours_nothing_is_heard"),
        (BOARD + "test_celebrations.py", "test_a_sound_is_played_with_a_caption_once_the_screen_was_touched"),
    ),
    "a burst is one celebration": (
        (BOARD + "test_celebrations.py", "test_a_burst_names_up_to_five_and_counts_more"),
        (STATIC + "celebrations.test.js", "what comes meanwhile joins, and it ends all the same"),
    ),
    "ranks by value and by own target, ties said, only the top, zeros not shamed": (
        (BOARD + "test_leaderboard.py", "test_equal_values_share_a_rank_and_the_next_rank_is_skipped"),
        ("api/read/test_discretion.py", "test_who_is_not_shown_is_not_sent"),
    ),
    "corrections": ((BOARD + "test_values.py", "test_a_correction_lowers_a_number"),),
    "screens are listed, identified, reloaded and sent a scene": (
        (ROUTES + "test_screens.py", "test_a_screen_is_listed_with_what_it_says_and_for_how_long_it_was_silent"),
        (ROUTES + "test_screens.py", "test_a_screen_is_told_what_to_do"),
        (ROUTES + "test_screens.py", "test_only_that_screen_hears_it_and_only_in_time"),
    ),
}


@pytest.mark.parametrize("line", CHECKLIST)
def test_each_line_is_held_by_tests_that_there_are(line: str) -> None:
    for module, test in CHECKLIST[line]:
        text = (TESTS / module).read_text("utf-8")
        beginnings = (f'test("{test}', f"test(`{test}") if module.endswith(".js") else (f"def {test}",)
        assert any(each in text for each in beginnings), f"{module}: {test}"


def styles() -> str:
    folder = TESTS.parent / "api" / "static"
    return "\n".join((folder / name).read_text("utf-8") for name in ("board.css", "tiles.css"))


def colours(selector: str) -> dict[str, str]:
    """The custom properties of a rule."""
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", styles().partition(selector + " {")[2].partition("}")[0]))


def contrast(one: str, other: str) -> float:
    """As WCAG counts it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_bars_can_be_told_from_what_lies_behind_them(theme: str) -> None:
    found = colours(":root") | (colours('[data-theme="light"]') if theme == "light" else {})
    behind = ("ground", "panel")
    pairs = [(bar, each) for bar in ("accent", "warned", "breached") for each in (*behind, f"{bar}-fill")]
    # Where a goal should be by now: on a bar as well, from which its edge parts it.
    pairs += [("text", "ground"), ("text", "line"), ("accent", "ground"), ("warned", "ground")]
    mark = re.search(r"\.goal-mark, \.lane-mark, \.thermometer-mark \{[^}]*\}", styles())

    assert [(one, other) for one, other in pairs if contrast(found[one], found[other]) < 3] == []
    assert mark is not None
    assert "background: var(--text); box-shadow: 0 0 0 0.2rem var(--ground)" in mark[0]


def test_no_white_burns_in_and_digits_stand_still() -> None:
    root = styles().partition(":root {")[2].partition("}")[0]

    assert "--text: #e9ebe6" in root
    assert "#fff" not in root
    assert "font-variant-numeric: tabular-nums" in styles()


def test_nothing_moves_for_ever_or_for_long() -> None:
    text = styles()
    leaderboard = (TESTS.parent / "api" / "static" / "tiles" / "leaderboard.js").read_text("utf-8")

    assert "infinite" not in text
    assert "MOVE = { duration: 500" in leaderboard
