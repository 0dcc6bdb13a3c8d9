"""Questions about texts, read from SQuAD's layout or flat records, and answer files."""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from kbert.tasks.data.records import parsed_json, read_records, text_lines
from kbert.tasks.data.tfds import is_tfds


@dataclasses.dataclass(frozen=True)
class Question:
    """A question and the text that may hold its answer.

    Attributes:
        id: one of its own among the questions of a source.
        question: what is asked.
        context: the text.
        answers: (text, start) of each accepted answer, context[start:start + len(text)]
            being the text; () if there is no answer, None if none is known.
        title: of the article that the context is from; None if not told.
    """

    id: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...] | None = None
    title: str | None = None


def read_questions(
    source: str | Path, is_labelled: bool = True, encoding: str = "utf-8"
) -> Iterator[Question]:
    """The questions of a file, or of `tfds:NAME:SPLIT`, one at a time.

        {"data": [{"title": …, "paragraphs": [{"context": "abc", "qas": [{"id": "7",
            "question": "b?", "answers": [{"text": "b", "answer_start": 1}]}]}]}]}
        {"id": "7", "question": "b?", "context": "abc",
            "answers": {"text": ["b"], "answer_start": [1]}}

    Both are Question("7", "b?", "abc", (("b", 1),), …).

    A `.json` file has the layout of SQuAD 1.1, 2.0 and KorQuAD 1.0 (KLUE-MRC's "guid"
    serves as "id"), or holds flat records; `.jsonl`, tables and TFDS have flat records,
    whose "id" may be left out: then it is the record's number, from 1. With
    "is_impossible" there is no answer, whatever is plausible.

    Args:
        is_labelled: False reads over the answers.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: what is no JSON, lacks a field, has an empty question or context, an
            id given twice, or an answer that is not where it is said to be (only after
            the last question, with their number); the place in the file is named.
    """
    if is_tfds(source) or Path(source).suffix != ".json":
        records = read_records(source, encoding)
        records = ((f"record {n}", str(n), r) for n, r in enumerate(records, 1))
    else:
        records = _json_records(Path(source), encoding)
    questions = _unique(records, source, is_labelled)
    for question in questions:
        fault = _misplaced(question)
        if fault is not None:
            count = 1 + sum(_misplaced(other) is not None for other in questions)
            raise ValueError(
                "Expected the text of each answer at its answer_start, counted in "
                f"characters from 0; {source}, question {question.id}: {fault}. "
                f"Questions with such an answer: {count}. Correct or delete them."
            )
        yield question


def _unique(records, source, is_labelled):
    places = {}
    for place, number, record in records:
        question = _question(record, number, f"{source}, {place}", is_labelled)
        if question.id in places:
            raise ValueError(
                f"Expected an id of its own for each question; {source} has "
                f"{question.id!r} as {places[question.id]} and {place}."
            )
        places[question.id] = place
        yield question
    if not places:
        raise ValueError(f"Expected questions; {source} has none.")


def _json_records(path, encoding):
    """(place, number, flat record) of a `.json` file."""
    try:
        items = parsed_json("\n".join(text_lines(path, encoding)))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"Expected JSON in the layout of SQuAD; {path}: {error}. A file of one "
            "object a line is called .jsonl."
        ) from None
    if isinstance(items, dict):
        items = items.get("data")
    if not isinstance(items, list):
        raise ValueError(
            'Expected JSON in the layout of SQuAD, a list of articles under "data"; '
            f"{path} has none."
        )
    for number, item in enumerate(items, 1):
        if isinstance(item, dict) and "paragraphs" in item:
            yield from _article(item, f"article {number}", path)
        else:
            yield f"record {number}", str(number), item


def _article(article, place, path):
    for p, paragraph in enumerate(_list(article, "paragraphs", path, place), 1):
        inner = f"{place}, paragraph {p}"
        for q, record in enumerate(_list(paragraph, "qas", path, inner), 1):
            if not isinstance(record, dict):
                raise _missing("a question's object", path, f"{inner}, question {q}")
            record = {
                "title": article.get("title"),
                "context": paragraph.get("context"),
            } | record
            yield f"{inner}, question {q}", None, record


def _list(parent, name, path, place):
    value = parent.get(name) if isinstance(parent, dict) else None
    if not isinstance(value, list):
        raise _missing(f'a list "{name}"', path, place)
    return value


def _missing(what, path, place):
    return ValueError(
        f"Expected {what} in the layout of SQuAD; {path}, {place} has none."
    )


def _question(record, number, place, is_labelled):
    if not isinstance(record, dict):
        raise ValueError(
            f"Expected an object with a question and a context; {place} is a "
            f"{type(record).__name__}."
        )
    for name in ("question", "context"):
        if name not in record:
            raise ValueError(
                f'Expected the fields "question" and "context"; {place} has '
                f"{', '.join(record) or 'nothing'}."
            )
        if not isinstance(record[name], str) or not record[name].strip():
            raise ValueError(
                f"Expected a {name} with text in it; {place} has {record[name]!r}."
            )
    identity = record.get("id", record.get("guid", number))
    if identity is None:
        raise ValueError(
            f'Expected an "id" for each question; {place} has only {", ".join(record)}.'
        )
    title = record.get("title")
    return Question(
        str(identity),
        record["question"],
        record["context"],
        _answers(record, place) if is_labelled else None,
        None if title is None else str(title),
    )


def _answers(record, place):
    """((text, start), …) from a list of objects or from an object of lists."""
    if record.get("is_impossible"):
        return ()
    answers = record.get("answers")
    if isinstance(answers, dict):
        texts, starts = answers.get("text"), answers.get("answer_start")
        is_pair = isinstance(texts, list) and isinstance(starts, list)
        if is_pair and len(texts) == len(starts):
            answers = [
                {"text": text, "answer_start": start}
                for text, start in zip(texts, starts, strict=True)
            ]
    if not isinstance(answers, list) or not all(map(_is_answer, answers)):
        raise ValueError(
            'Expected "answers" as [{"text": "…", "answer_start": 0}, …] or {"text": '
            f'["…"], "answer_start": [0]}}, empty if there is none; {place} has '
            f"{json.dumps(answers, ensure_ascii=False)[:80]}."
        )
    return tuple((answer["text"], answer["answer_start"]) for answer in answers)


def _is_answer(answer):
    return (
        isinstance(answer, dict)
        and isinstance(answer.get("text"), str)
        and type(answer.get("answer_start")) is int
    )


def _misplaced(question):
    """What is wrong with the first answer that is not at its offset, or None."""
    for text, start in question.answers or ():
        if not text.strip():
            return f"the answer at {start} has no text"
        found = question.context[start : start + len(text)] if start >= 0 else ""
        if found != text:
            first = question.context.find(text)
            elsewhere = "nowhere in the context" if first < 0 else f"first at {first}"
            return (
                f"expected {text!r} at {start}; there stands {found!r}. It occurs "
                f"{elsewhere}"
            )
    return None


def prediction_files(answers: Iterable[dict]) -> dict[str, str]:
    """The files of google-research/bert's run_squad.py, by name.

        predictions.json        {id: text}, for SQuAD's and KorQuAD's scorers
        nbest_predictions.json  {id: [{text, probability, start_logit, end_logit}, …]}
        null_odds.json          {id: score of no answer less that of the best answer}

    The last is there only where answers may be missing; evaluate-v2.0.py takes it as
    `--na-prob-file`.

    Args:
        answers: what `QuestionAnswering.decode` gives.
    """
    fields = ("text", "probability", "start_logit", "end_logit")
    predictions, n_best, odds = {}, {}, {}
    for answer in answers:
        key = answer["id"]
        predictions[key] = answer["answer"]
        n_best[key] = [{name: e[name] for name in fields} for e in answer["n_best"]]
        if answer["no_answer_score"] is not None:
            odds[key] = answer["no_answer_score"]
    contents = {"predictions.json": predictions, "nbest_predictions.json": n_best}
    if odds:
        contents["null_odds.json"] = odds
    return {
        name: json.dumps(content, ensure_ascii=False, indent=4) + "\n"
        for name, content in contents.items()
    }
