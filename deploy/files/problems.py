"""What is wrong with a file: with the whole of it, or with one cell."""


class UseError(Exception):
    """The file cannot be imported so. One line per problem; exit code 2."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class CellError(ValueError):
    """A line is refused for a field. `repair` says what kind of option might read it."""

    def __init__(self, why: str, *, field: str = "", repair: str = "", text: str = "") -> None:
        self.why = why
        self.field = field
        self.repair = repair
        self.text = text
        super().__init__(why)
