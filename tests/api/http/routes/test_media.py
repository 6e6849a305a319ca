"""`/photos/{rep}` and `/media/{name}`: who may see which file."""

import wave
from pathlib import Path
from typing import Any

import pytest

from schemas.naming import id_told
from tests.api.reading import Floor, floor_config

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
SCENES = [{"name": "Wins", "tiles": [{"kind": "wins"}]}]


def made(path: Path, **screens: dict[str, Any]) -> Floor:
    config = floor_config(
        reps={"r1": {"name": "Ana", "team": "north", "photo": "ana.png"}, "r3": {"team": "south", "photo": "no.png"}},
        screens={name: {"scenes": SCENES, **screen} for name, screen in screens.items()},
    )
    floor = Floor(path, config)
    floor.settings = floor.settings.model_copy(update={"config": path / "floorcast.yaml"})
    floor.app.state.settings = floor.settings
    (path / "media").mkdir()
    (path / "media" / "ana.png").write_bytes(PNG)
    with wave.open(str(path / "media" / "gong.wav"), "wb") as writing:
        writing.setnchannels(1)
        writing.setsampwidth(1)
        writing.setframerate(8000)
        writing.writeframes(bytes(800))
    return floor


async def test_a_photo_is_served_with_its_own_type_and_an_etag(tmp_path: Path) -> None:
    floor = made(tmp_path, floor={})
    answer = await floor.get("/photos/r1", screen="floor")

    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = await floor.get("/photos/r1", {"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("rep", ["r3", "r2", "nobody", "../floorcast.yaml", "%2e%2e%2ffloorcast.yaml"])
async def test_where_there_is_none_it_is_404(tmp_path: Path, rep: str) -> None:
    assert (await made(tmp_path, floor={}).get(f"/photos/{rep}")).status_code == 404


@pytest.mark.parametrize("names", ["alias", "none"])
async def test_a_screen_that_names_nobody_sees_nobody(tmp_path: Path, names: str) -> None:
    floor = made(tmp_path, floor={"privacy": {"names": names}})

    assert (await floor.get("/photos/r1", screen="floor")).status_code == 404
    assert (await floor.get("/photos/r1")).status_code == 200


async def test_a_screen_of_first_names_asks_by_ids_that_say_nothing_and_by_no_others(tmp_path: Path) -> None:
    floor = made(tmp_path, floor={"privacy": {"names": "first"}, "celebrate": [{"on": "deal_won"}]})
    assert (await floor.get("/photos/r1", screen="floor")).status_code == 404
    assert (await floor.get(f"/photos/{id_told('first', 'r1')}", screen="floor")).content == PNG


async def test_a_key_of_a_team_sees_its_own_people(tmp_path: Path) -> None:
    floor = made(tmp_path, floor={})

    assert (await floor.get("/photos/r1", floor.key("read", "north"))).status_code == 200
    assert (await floor.get("/photos/r1", floor.key("read", "south"))).status_code == 404
    assert (await floor.get("/photos/r1")).status_code == 401


async def test_a_sound_is_served_to_the_screens_that_play_it_and_nothing_else_is(tmp_path: Path) -> None:
    sound = {"on": True, "files": {"deal_won": "gong.wav"}}
    floor = made(tmp_path, floor={"sound": sound}, lobby={})
    answer = await floor.get("/media/gong.wav", screen="floor")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert (await floor.get("/media/gong.wav", screen="lobby")).status_code == 404
    assert (await floor.get("/media/ana.png", screen="floor")).status_code == 404
    page = (await floor.get("/board/floor")).text
    assert "/media/gong.wav?screen=floor" in page


async def test_a_row_says_where_the_face_is_and_nothing_where_there_is_none(tmp_path: Path) -> None:
    config = floor_config(reps={"r1": {"name": "Ana", "photo": "ana.png"}, "r2": {"name": "Ben"}})
    rows = (await Floor(tmp_path, config).get("/v1/reps/metrics?window=today&metrics=calls_made")).json()["rows"]

    assert {row["rep"]: row.get("photo", "-") for row in rows if row["rep"] in {"r1", "r2"}} == {
        "r1": "/photos/r1",
        "r2": "-",
    }
