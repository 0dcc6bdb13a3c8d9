"""Two ways from outputs to answers: NumPy, as in `kbert predict`, or the graph.

    python benchmarks/decoding.py KorQuAD_v1.0_dev.json klue-ner-v1.1_dev.tsv

`kbert.tasks` decodes in NumPy, a SavedModel in TensorFlow's ops; tests prove them
equal. This tells what it would cost `predict` to use the graph's functions as well:
windows, nearest windows, the search for answers, tokens of units, entities; over the
whole file, and for one text. Logits are random. The ways take turns; printed are their
medians, and the ratio of the medians: above 1, NumPy is faster. `graph_first` is the
first call, which traces.
"""

import argparse
import collections
import itertools
import json
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def question_parts(path, tokenizer, limit):
    """{part: {way: function}} of windows and of answers."""
    import numpy as np
    import tensorflow as tf

    import kbert
    from kbert.export.graph import answers, windows
    from kbert.tasks.questions import answer_spans
    from kbert.tasks.rows.windows import nearest_window
    from kbert.tasks.rows.windows import windows as lay
    from kbert.text.numpy_packer import padded

    task = kbert.QuestionAnswering()
    questions = list(task.read(path))[:limit]
    packed = task.pack(questions, tokenizer)
    generator = np.random.default_rng(0)
    flat = generator.normal(0, 3, (2, len(packed.rows.token_ids))).astype("float32")
    outputs = dict(zip(("start_logits", "end_logits"), flat))
    lengths = np.diff(packed.tokens.splits)[packed.text_of].astype("int32")
    room = task.sequence_length - 1 - packed.window_starts[packed.splits[:-1]]
    room, stride = room.astype("int32"), np.minimum(128, room // 2).astype("int32")
    begin, end = packed.windows.T.astype("int32")
    tokens = [packed.tokens.text(i) for i in packed.text_of]
    ids, starts, limits = (
        tf.RaggedTensor.from_row_lengths(np.concatenate(column), lengths)
        for column in zip(*tokens)
    )
    contexts = tf.constant([question.context for question in questions])

    def numpy_windows():
        return lay(lengths, room, stride)

    rows, spans = numpy_windows()
    line = spans + (np.cumsum(lengths) - lengths)[rows][:, None]
    rows = rows.astype("int32")

    def numpy_nearest():
        return nearest_window(line)

    def numpy_answers():
        return task.decode(outputs, packed)

    def window_spans(lengths, room, stride):
        return windows.window_spans(lengths, room, stride)

    def nearest(ids):
        return windows.nearest_windows(rows, begin, end, ids)

    def search(logits, ids, starts, limits, contexts):
        base = tf.cast(tf.gather(ids.row_starts(), rows), tf.int32)
        found = answers.window_candidates(
            logits,
            tf.constant(packed.window_starts.astype("int32")),
            base + begin,
            tf.constant(end - begin),
            windows.nearest_windows(rows, begin, end, ids),
            task.n_best,
            task.max_answer_length,
        )
        points = windows.code_points(contexts)
        candidates = answers.best_candidates(
            points,
            tf.gather(rows, found["window"]),
            tf.gather(starts.flat_values, found["first"]),
            tf.gather(limits.flat_values, found["last"]),
            found["score"],
        )
        return answers.n_best_entries(points, candidates, len(questions), task.n_best)

    def graph_answers(search):
        row_lengths = packed.rows.lengths
        keep = np.arange(row_lengths.max()) < row_lengths[:, None]
        logits = np.stack([padded(keep, column, 0) for column in flat])
        entries = {
            name: x.numpy().tolist()
            for name, x in search(logits, ids, starts, limits, contexts).items()
        }
        return [
            [
                {
                    name: entries[name][i][k]
                    for name in ("text", "start", "end", "logit", "score")
                }
                for k in range(count)
            ]
            for i, count in enumerate(entries["count"])
        ]

    assert answer_spans  # what `task.decode` searches with
    return {
        "windows": ways(numpy_windows, window_spans, lengths, room, stride),
        "nearest windows": ways(numpy_nearest, nearest, ids),
        "answers": {
            "numpy": numpy_answers,
            "eager": lambda: graph_answers(search),
            "graph": graph_call(graph_answers, search),
        },
    }


def tag_parts(path, tokenizer, limit):
    """{part: {way: function}} of tagging."""
    import numpy as np
    import tensorflow as tf

    import kbert
    from kbert.export.graph import entities, units
    from kbert.metrics.entities import entities_of
    from kbert.tasks.tagging import tagged_rows

    task = kbert.TokenClassification(sequence_length=128)
    examples = list(task.read(path))[:limit]
    task = kbert.TokenClassification(sequence_length=128).learned(examples)
    labels = list(task.labels)
    slices = tokenizer.slices([example.text for example in examples])
    counts = [len(example.units) for example in examples]
    rows = np.repeat(np.arange(len(examples), dtype="int32"), counts)
    *unit_ends, starts, limits = (
        x.astype("int32") for x in tagged_rows._spread(examples, slices)
    )
    size = int(max(x.max() for x in (*unit_ends, limits))) + 1
    generator = np.random.default_rng(0)
    classes = generator.integers(0, len(labels), sum(counts))
    splits = np.cumsum([0, *counts])
    letters, types = entities.tag_parts(labels)
    letters = np.array(letters, "int32")[classes]
    types = np.array([types.index(kind) for kind in types], "int32")[classes]

    def numpy_units():
        _, first = tagged_rows._units_of_tokens(examples, slices)
        if task.granularity == "character":
            return tagged_rows._tokens_of_characters(examples, slices, first)
        return first

    def graph_units(*ends):
        if task.granularity == "character":
            return units.characters_tokens(ends[:2], rows, *ends[2:], size)
        return units.units_first_tokens(ends[:2], *ends[2:], size)

    def numpy_entities():
        tags = np.array(labels, object)[classes]
        return [entities_of(tags[a:b].tolist()) for a, b in itertools.pairwise(splits)]

    def graph_entities(letters, types):
        first, last = entities.entity_spans(letters, types, rows)
        return first, last, tf.gather(types, first), tf.gather(rows, first)

    return {
        "tokens of units": ways(numpy_units, graph_units, *unit_ends, starts, limits),
        "entities": ways(numpy_entities, graph_entities, letters, types),
    }


def ways(numpy_function, graph_function, *inputs):
    """A function in NumPy beside one of the graph, eager and traced once."""
    import tensorflow as tf

    inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs, expand_composites=True)

    def as_arrays(function):
        outputs = function(*inputs)
        return tf.nest.map_structure(lambda x: x.numpy(), outputs)

    return {
        "numpy": numpy_function,
        "eager": lambda: as_arrays(graph_function),
        "graph": graph_call(as_arrays, graph_function),
    }


def graph_call(call, function):
    import tensorflow as tf

    traced = tf.function(function, autograph=False)
    return lambda: call(traced)


def timed(parts, rounds):
    """Medians of seconds for each part and way; ratios of the medians to NumPy's."""
    seconds, first = collections.defaultdict(list), {}
    for turn in range(rounds + 1):
        for part, functions in parts.items():
            names = list(functions)
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                start = time.perf_counter()
                functions[name]()
                taken = time.perf_counter() - start
                if turn:
                    seconds[part, name].append(taken)
                else:  # a trace, for the graph
                    first[part, name] = taken
    medians = {key: statistics.median(times) for key, times in seconds.items()}
    return {
        part: {name: medians[part, name] for name in functions}
        | {"graph_first": first[part, "graph"]}
        | {
            f"{name}_ratio": medians[part, name] / medians[part, "numpy"]
            for name in functions
            if name != "numpy"
        }
        for part, functions in parts.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("questions", help="a file of SQuAD's layout")
    parser.add_argument("tagged", help="a file of tagged texts")
    parser.add_argument("--model", default="kbert_tiny_ko_en")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--examples", type=int, help="of each file, at most")
    options = parser.parse_args()

    import kbert

    tokenizer = kbert.load_tokenizer(options.model)
    results = {}
    for size, limit in (("one", 1), ("all", options.examples)):
        parts = question_parts(options.questions, tokenizer, limit)
        parts |= tag_parts(options.tagged, tokenizer, limit)
        results[size] = timed(parts, options.rounds)
        for part, figures in results[size].items():
            shown = {name: f"{value:.4g}" for name, value in figures.items()}
            print(size, part, shown, flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
