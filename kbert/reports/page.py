"""One page: a head, figures, sections and how it was made, laid out by templates."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from kbert.disk.whole_files import write_file
from kbert.reports.sections import Card
from kbert.reports.wording import language, number, words


def write_page(
    path: str | Path, heading: str, facts: Mapping, cards: Sequence[Card], sections
) -> Path:
    """Writes a page aside and renames it: a reader sees the old page or the new one.

    Args:
        path: the file to write.
        heading, facts, cards, sections: see `page`.
    """
    return _write(Path(path), page(heading, facts, cards, sections))


def page(heading: str, facts: Mapping, cards: Sequence[Card], sections) -> str:
    """HTML without scripts and without anything from the network.

    Args:
        heading: with what the facts say of model and data, the title.
        facts: see `write_report`; the last section of the page.
        cards: figures side by side, below the heading.
        sections: of `kbert.reports.sections`, in order.
    """
    return (
        _templates()
        .get_template("page.html")
        .render(
            heading=heading,
            about=_about(facts),
            cards=cards,
            sections=sections,
            facts=facts,
        )
    )


def part(facts: Mapping, name: str) -> Mapping:
    """A part of the facts that holds names and values; any other holds none."""
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}


@functools.cache
def _templates():
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"language": language, "number": number, "words": words}
    return templates


def _about(facts):
    """What the title says beside the task: model and data by their last names.

    >>> _about({"model": "runs/nsmc", "data": {"dev": {"source": "nsmc/test.tsv"}}})
    {'model': 'nsmc', 'data': 'test.tsv'}
    """
    model = facts.get("model") or part(facts, "arguments").get("output")
    data = facts.get("data")
    if isinstance(data, Mapping):
        data = (part(data, "dev") or data).get("source")
    found = {"model": model, "data": data}
    return {name: Path(str(value)).name for name, value in found.items() if value}


def _write(path, text):
    with write_file(path) as aside:
        # Text out of JSON may hold half a surrogate pair: UTF-8 has no bytes for it.
        aside.write_text(text, encoding="utf-8", errors="replace")
    return path
