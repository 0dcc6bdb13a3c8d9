"""`report.html` of a pre-training: its figures, its curves, how it was made."""

import math
import numbers
from collections.abc import Mapping, Sequence
from pathlib import Path

from kbert.reports.charts import line_chart
from kbert.reports.page import part, write_page
from kbert.reports.sections import Card, Charts
from kbert.reports.wording import percent, rounded, score, words

_HELD_OUT = "dev_"
_NO_FIGURES = ("step", "epoch")
_FIRST = ("masked_lm_accuracy", "next_sentence_accuracy", "loss")
# No score, but what the accuracy beside it is worth: a note on its card, and no chart.
_RANDOM = "next_sentence_random"
_LESS_IS_BETTER = ("loss", "error", "perplexity")


def write_pretraining_report(
    path: str | Path,
    history: Sequence[Mapping[str, float]],
    facts: Mapping | None = None,
) -> Path:
    """Writes one HTML file without scripts and without anything from the network.

    It is written aside and renamed: a reader sees the old page or the new one.

    Args:
        path: the file to write.
        history: for each step at which something was measured, "step" and what was
            measured: "loss", "masked_lm_accuracy" or any other name, and with the
            prefix "dev_" the same of held-out documents. Each name is a chart.
        facts: whatever helps to repeat it, shown as a table: "arguments", "data",
            "versions"; "command" is in a block to copy. The sequences seen are told
            where "arguments" has a "batch_size", the size of the corpus where "data"
            has "num_tokens" or "num_documents".
    """
    facts = dict(facts or {})
    curves = _curves(history)
    steps = [row["step"] for row in history]
    cards = [*_cards(curves), *_size_cards(steps, facts)]
    charts = [_chart(name, curves) for name in _names(curves)]
    sections = [Charts("Training", charts)] if charts else []
    return write_page(path, "Pre-training", facts, cards, sections)


def _curves(history):
    """Finite (step, value) of each name, in the order of the rows.

    >>> later = {"step": 9, "loss": 1.5, "dev_loss": 1.7}
    >>> _curves([{"step": 5, "loss": 2.0}, later])
    {'loss': [(5, 2.0), (9, 1.5)], 'dev_loss': [(9, 1.7)]}
    """
    curves = {}
    for row in history:
        for name, value in row.items():
            if name in _NO_FIGURES or not isinstance(value, numbers.Real):
                continue
            if math.isfinite(value):
                curves.setdefault(name, []).append((row["step"], value))
    return curves


def _names(curves):
    """Names without prefix, what a pre-training is judged by first."""
    found = list(dict.fromkeys(name.removeprefix(_HELD_OUT) for name in curves))
    found = [name for name in found if name != _RANDOM]
    return sorted(found, key=lambda x: _FIRST.index(x) if x in _FIRST else len(_FIRST))


def _best(name, points):
    """The first of the best points: the lowest loss, the highest accuracy."""
    is_less_better = any(word in name for word in _LESS_IS_BETTER)
    choose = min if is_less_better else max
    return choose(points, key=lambda point: point[1])


def _cards(curves):
    """The last figure of each curve, held out before training, and the best one."""
    keys = [_HELD_OUT + name for name in _names(curves)] + _names(curves)
    keys = [key for key in keys if key in curves]
    cards = []
    for key in keys:
        name = key.removeprefix(_HELD_OUT)
        side = "held-out" if key.startswith(_HELD_OUT) else "training"
        last = curves[key][-1]
        step, best = _best(name, curves[key])
        is_last_best = best == last[1] or side == "training"
        notes = [] if is_last_best else [f"best {score(name, best)} at step {step:,}"]
        share = key.replace("next_sentence_accuracy", _RANDOM)
        if share != key and share in curves:
            notes.append(f"{percent(curves[share][-1][1])} of the pairs are random")
        title, note = f"{side} {words(name)}", "; ".join(notes)
        cards.append(Card(title, score(name, last[1]), note, is_main=key == keys[0]))
    return cards


def _size_cards(steps, facts):
    """How long it was trained, and on how much."""
    sizes = {}
    if steps:
        sizes["steps"] = steps[-1]
        batch_size = part(facts, "arguments").get("batch_size")
        if isinstance(batch_size, int):
            sizes["sequences seen"] = steps[-1] * batch_size
    data = part(facts, "data")
    for name in ("num_tokens", "num_documents"):
        if isinstance(data.get(name), int):
            sizes[f"{name.removeprefix('num_')} in the corpus"] = data[name]
    return [_size_card(name, count) for name, count in sizes.items()]


def _size_card(name, count):
    exact, short = f"{count:,}", rounded(count)
    return Card(name, short, exact if exact != short else "")


def _chart(name, curves):
    """Training and held-out lines of one name."""
    held_out = curves.get(_HELD_OUT + name, ())
    sides = {"training": curves.get(name, ()), "held-out": held_out}
    lines = {side: points for side, points in sides.items() if points}
    caption = words(name)[:1].upper() + words(name)[1:]
    if len(lines) == 1:
        caption = f"{next(iter(lines)).capitalize()} {words(name)}"
    if not held_out:
        return line_chart(lines, "step", caption)
    step, best = _best(name, held_out)
    side = "" if len(lines) == 1 else "held-out "
    caption += f": best {side}{score(name, best)} at step {step:,}"
    return line_chart(lines, "step", caption, ring=(step, best))
