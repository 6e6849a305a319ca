"""Screens on the walls, as the api tells of them and takes them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.http.models.common import Answer, InstantText, ListAnswer


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewCode(_Asked):
    """A screen asks to be paired."""


class Pairing(_Asked):
    """For what the screen that shows this code is."""

    code: Annotated[str, Field(min_length=1, max_length=40, examples=["K7M2QX"])]
    screen: Annotated[str, Field(min_length=1, max_length=64, examples=["floor"])]
    team: Annotated[str | None, Field(max_length=256)] = None
    name: Annotated[str | None, Field(max_length=120, examples=["Lobby"])] = None


class HeartbeatSaid(_Asked):
    """What a board says of itself."""

    build: Annotated[str, Field(max_length=64)] = ""
    scene: Annotated[str, Field(max_length=80)] = ""
    size: Annotated[str, Field(max_length=20, examples=["1920x1080"])] = ""


class CommandSaid(_Asked):
    """One of these."""

    identify: Literal[True] | None = None
    reload: Literal[True] | None = None
    scene: Annotated[str | None, Field(max_length=80)] = None


class CodeAnswer(Answer):
    """A code, and the secret with which its state is asked."""

    code: str = Field(examples=["K7M2QX"])
    claim: str = Field(examples=["T0tlbi1vZi10aGUtYnJvd3Nlcg"])
    expires_at: InstantText = Field(examples=["2026-03-18T09:46:30.344Z"])


class WaitingAnswer(Answer):
    """Nobody has paired it yet."""

    state: Literal["waiting"] = Field(examples=["waiting"])


class ClaimedAnswer(Answer):
    """What the screen has become; its token is in the cookie."""

    device: str = Field(examples=["3f2a91c0b7d4"])
    screen: str = Field(examples=["floor"])


class DeviceAnswer(Answer):
    """A device that was paired."""

    device: str = Field(examples=["3f2a91c0b7d4"])
    screen: str = Field(examples=["floor"])
    team: str | None = Field(examples=["north"])
    name: str | None = Field(examples=["Lobby"])


class ScreenRow(DeviceAnswer):
    """A device, and what it said of itself last."""

    paired_at: InstantText = Field(examples=["2026-03-18T09:41:30.344Z"])
    last_seen_at: InstantText | None = Field(examples=["2026-03-18T09:41:30.344Z"])
    online: bool = Field(description="Heard of in the last 30 s.", examples=[True])
    build: str | None = Field(examples=["9c1e0f33"])
    scene: str | None = Field(examples=["Month"])
    size: str | None = Field(examples=["1920x1080"])


class ScreensAnswer(ListAnswer[ScreenRow]):
    """Every device that was paired and not revoked."""


class DeliveredAnswer(Answer):
    """Whether the device has a stream open that tells it."""

    delivered: bool = Field(examples=[True])
