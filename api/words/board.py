"""The wallboard's part of each language, as the modules that it loads: `python -m api.words.board` writes them.

Owns api/static/texts. A test holds that they say what the files of the languages say (schemas/words).
"""

import json
from pathlib import Path
from typing import Any

from schemas.config.screens import LANGUAGES
from schemas.words import RIGHT_TO_LEFT, language_file

FOLDER = Path(__file__).parents[1] / "static" / "texts"


def module(language: str) -> str:
    """The module of a language."""
    said = language_file(language)
    lines = [
        f"// Made of schemas/words/{language}.yaml by api/words/board.py. Change that file, then run it.",
        "",
        f"export const LANGUAGE = {_quoted(language)};",
        f"export const DIRECTION = {_quoted('rtl' if language in RIGHT_TO_LEFT else 'ltr')};",
        "",
        "export const TEXTS = {",
    ]
    before = None
    for key, text in said["board"].items():
        group = key.partition(".")[0]
        if before not in {None, group}:
            lines.append("")
        before = group
        lines.append(f"  {_quoted(key)}: {_text(text)},")
    lines += ["};", ""]
    labels = [f"  {name}: {_quoted(entry['label'])}," for name, entry in said["metrics"].items()]
    lines += [
        "/** What shipped metrics are called; those of your own are called as metrics.yaml says."
        " @type {Record<string, string>} */",
        *(["export const METRICS = {", *labels, "};"] if labels else ["export const METRICS = {};"]),
        "",
    ]
    return "\n".join(lines)


def _text(text: Any) -> str:
    if isinstance(text, str):
        return _quoted(text)
    return "{ " + ", ".join(f"{number}: {_quoted(words)}" for number, words in text.items()) + " }"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def write_boards(folder: Path = FOLDER) -> None:
    """Write the modules of all languages."""
    for language in LANGUAGES:
        (folder / f"{language}.js").write_text(module(language), "utf-8")


if __name__ == "__main__":
    write_boards()
