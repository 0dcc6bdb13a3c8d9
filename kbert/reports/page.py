"""What every report is: a head, what it shows, and how to repeat it, in one file."""

import os
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

from kbert.reports.parts import Html, fact, joined, section, tag, words

_PAGE = Path(__file__).with_name("report.html")


def write_page(path: Path, name: str, facts: Mapping, body: Sequence[Html]) -> Path:
    """Writes a page aside and renames it: a reader sees the old page or the new one.

    Args:
        path: the file to write.
        name: the heading; with what the facts say of model and data, the title.
        facts: see `write_report`; the last section of the page.
        body: pieces between the head and the facts; empty ones are left out.
    """
    title = " · ".join([name, *_about(facts).values()])
    pieces = [_head(name, facts), *body, _facts(facts)]
    page = string.Template(_PAGE.read_text("utf-8")).substitute(
        title=joined([title]), body="\n".join(piece for piece in pieces if piece)
    )
    return _write(path, page)


def card(name: str, value: str, note: str = "", is_main: bool = False) -> Html:
    """A figure in large digits under its name; the main one stands out."""
    digits = [value, tag("small", note)] if note else [value]
    return tag(
        "div", tag("dt", name), tag("dd", *digits), class_="main" if is_main else None
    )


def part(facts: Mapping, name: str) -> Mapping:
    """A part of the facts that holds names and values; any other holds none."""
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}


def _about(facts):
    """What the title says beside the task: model and data by their last names.

    {"model": "runs/nsmc", "data": {"dev": {"source": "nsmc/test.tsv", …}, …}} ->
        model nsmc, data test.tsv
    """
    model = facts.get("model") or part(facts, "arguments").get("output")
    data = facts.get("data")
    if isinstance(data, Mapping):
        data = (part(data, "dev") or data).get("source")
    found = {"model": model, "data": data}
    return {key: Path(str(value)).name for key, value in found.items() if value}


def _head(name, facts):
    parts = []
    for key, value in _about(facts).items():
        parts += [" · " if parts else "", f"{key} ", tag("b", value)]
    about = tag("p", *parts, class_="about") if parts else ""
    return tag("header", tag("h1", name), about)


def _facts(facts):
    """A table of what is known, and the command in a block that one click selects."""
    if not facts:
        return ""
    rows = [
        tag("tr", tag("th", words(key), scope="row"), tag("td", fact(value)))
        for key, value in facts.items()
        if key != "command"
    ]
    pieces = [tag("table", tag("tbody", *rows), class_="facts")] if rows else []
    if "command" in facts:
        pieces.append(tag("pre", tag("code", str(facts["command"]))))
    return section("How this was made", *pieces)


def _write(path, page):
    aside = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        # Text out of JSON may hold half a surrogate pair: UTF-8 has no bytes for it.
        aside.write_text(page, encoding="utf-8", errors="replace")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path
