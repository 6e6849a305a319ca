"""The command `floorcast`: `deploy.cli:main` is its console script."""

from deploy.cli.program import app, main

__all__ = ["app", "main"]
