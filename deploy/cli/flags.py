"""Flags that several commands take, each with one meaning and one help text."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFlag = Annotated[Path | None, typer.Option("--config", help="The configuration file. [default: floorcast.yaml]")]
DataFlag = Annotated[
    Path | None, typer.Option("--data", help="Folder of Kafka's log and our files. [default: .floorcast]")
]
BrokerFlag = Annotated[str | None, typer.Option("--broker", metavar="HOST:PORT", help="A Kafka that runs already.")]
HostFlag = Annotated[str | None, typer.Option("--host", help="Address to listen on. [default: 127.0.0.1]")]
PortFlag = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on. [default: 8080]")]
PrefixFlag = Annotated[
    str | None, typer.Option("--prefix", help="What the names of all topics begin with. [default: floorcast.]")
]
UrlFlag = Annotated[str | None, typer.Option("--url", help="Address of the api. [default: the up that runs on --data]")]
KeyFlag = Annotated[
    str | None,
    typer.Option(
        "--key", help="API key of scope read; better in the variable, as others see the process list.",
        envvar="FLOORCAST_API_KEY", show_envvar=True,
    ),
]  # fmt: skip
ConnectionFlag = Annotated[str | None, typer.Option("--connection", help="Only of this connection.")]
ReasonFlag = Annotated[str | None, typer.Option("--reason", help="Only of this reason, such as bad_field.")]
