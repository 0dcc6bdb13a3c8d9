"""Rows of many callers run together and come back to each as if alone."""

import asyncio
import itertools
import random
import time

import numpy as np
import pytest

from kbert.server.batcher import Batcher, Overloaded
from kbert.server.loaded_model import LoadedModel
from kbert.server.row_batches import (
    RunCost,
    WaitingRows,
    best_runs,
    joined,
    row_tokens,
    rows_of,
    runs_of,
)
from kbert.signatures import TAG, TEXT, Signature, Tensor

CARD = {"sequence_length": 100}
ECHO = Signature(
    "echo",
    (TEXT, Tensor("k", "int32", "", "", default=1)),
    (Tensor("same", "string", "B", ""), Tensor("size", "int32", "B", "")),
)


class Echo:
    """A stand-in for a model: answers with the text and its length; knows its calls."""

    is_splittable = True

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.calls = []
        self.card, self.signatures = CARD, {"echo": ECHO}

    def checked(self, name, inputs):
        k = np.array(inputs.get("k", 1), "int32")
        return {"text": np.array(inputs["text"], object), "k": k}

    def call(self, name, inputs):
        time.sleep(self.seconds)
        texts = inputs["text"].tolist()
        self.calls.append(texts)
        if b"bad" in texts:
            raise ValueError("a bad text")
        return {
            "same": np.array(texts, object),
            "size": np.array([len(text) * int(inputs["k"]) for text in texts], "int32"),
        }


def run(coroutine):
    return asyncio.run(coroutine)


async def many(batcher, model, batches):
    calls = (batcher.call(model, "echo", {"text": texts}) for texts in batches)
    return await asyncio.gather(*calls, return_exceptions=True)


def test_each_gets_its_own_in_order():
    model, generator = Echo(0.001), random.Random(0)
    lengths = [
        generator.choices(range(1, 60), k=generator.randint(1, 9)) for _ in "x" * 40
    ]
    batches = [[bytes([65 + i]) * n for n in own] for i, own in enumerate(lengths)]

    async def main():
        batcher = Batcher(token_budget=64)
        answers = await many(batcher, model, batches)
        await batcher.close()
        return answers, batcher

    answers, batcher = run(main())
    for texts, answer in zip(batches, answers, strict=True):
        assert answer["same"].tolist() == texts
        assert answer["size"].tolist() == [len(text) for text in texts]
    assert len(model.calls) < sum(map(len, batches))  # they were put together
    for texts in model.calls:
        tokens = row_tokens({"text": np.array(texts, object)}, CARD, "echo")
        assert len(texts) == 1 or tokens.max() * len(texts) <= 64
    assert batcher.waiting_rows == 0


def test_other_numbers_run_apart():
    async def main():
        batcher, model = Batcher(), Echo()
        calls = (
            batcher.call(model, "echo", {"text": [b"abc"], "k": k}) for k in (2, 3, 2)
        )
        return await asyncio.gather(*calls)

    assert [answer["size"].tolist() for answer in run(main())] == [[6], [9], [6]]


def test_a_big_request_lets_small_ones_pass():
    async def main():
        batcher, model = Batcher(token_budget=40), Echo(0.01)
        big = asyncio.create_task(batcher.call(model, "echo", {"text": [b"x"] * 400}))
        await asyncio.sleep(0.015)
        await batcher.call(model, "echo", {"text": [b"small"]})
        assert not big.done()
        return await big

    assert len(run(main())["same"]) == 400


def test_a_bad_text_takes_nobody_with_it():
    async def main():
        batcher, model = Batcher(), Echo(0.01)
        first = asyncio.create_task(batcher.call(model, "echo", {"text": [b"first"]}))
        await asyncio.sleep(0.002)
        batches = [[b"good"], [b"ok", b"bad"], [b"fine", b"too"]]
        return await many(batcher, model, batches), await first

    (good, bad, fine), _ = run(main())
    assert good["same"].tolist() == [b"good"]
    assert isinstance(bad, ValueError)
    assert fine["same"].tolist() == [b"fine", b"too"]


def test_too_much_is_turned_away_and_room_comes_back():
    async def main():
        batcher, model = Batcher(token_budget=8, max_waiting_rows=10), Echo(0.01)
        filling = asyncio.create_task(batcher.call(model, "echo", {"text": [b"x"] * 9}))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="Expected at most 10 texts to wait"):
            await batcher.call(model, "echo", {"text": [b"y"] * 9})
        await filling
        return await batcher.call(model, "echo", {"text": [b"y"] * 9})

    assert len(run(main())["same"]) == 9


def test_who_gives_up_leaves_the_queue():
    async def main():
        batcher, model = Batcher(token_budget=3), Echo(0.02)
        call = asyncio.create_task(batcher.call(model, "echo", {"text": [b"x"] * 50}))
        await asyncio.sleep(0.03)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert batcher.waiting_rows == 0
        await batcher.close()
        return len(model.calls)

    assert run(main()) < 10


def test_close_waits_for_what_was_asked():
    async def main():
        batcher, model = Batcher(token_budget=3), Echo(0.005)
        call = asyncio.create_task(batcher.call(model, "echo", {"text": [b"x"] * 20}))
        await asyncio.sleep(0)
        await batcher.close()
        assert call.done()
        return await call

    assert len(run(main())["same"]) == 20


def test_what_is_told_of_a_run():
    told = []

    async def main():
        batcher = Batcher(on_batch=lambda *facts: told.append(facts))
        texts = [b"x" * 8, b"x" * 40]
        await batcher.call(Echo(), "echo", {"text": texts})

    run(main())
    ((rows, tokens, padding, seconds),) = told
    assert (rows, tokens, padding) == (2, 4 + 12, 8)
    assert seconds >= 0


def test_rows_of_and_joined_are_reverses():
    outputs = {
        "types": np.array([[b"PS", b"LC"], [b"PS", b""]], object),
        "texts": np.array([[b"a", b"b"], [b"c", b""]], object),
        "starts": np.array([[0, 4], [2, -1]], "int32"),
        "ends": np.array([[1, 5], [3, -1]], "int32"),
        "scores": np.array([[0.5, 0.25], [1, 0]], "float32"),
        "num_entities": np.array([2, 1], "int32"),
        "truncated": np.array([False, False]),
    }
    rows = rows_of(outputs, TAG)
    assert rows[1]["starts"].tolist() == [2]
    again = joined(rows, TAG)
    for name, expected in outputs.items():
        assert again[name].tolist() == expected.tolist()
        assert again[name].dtype == expected.dtype
    assert joined(rows[1:], TAG)["types"].tolist() == [[b"PS"]]


class Tokens:
    """A request that is known by its rows' lengths alone."""

    def __init__(self, *tokens):
        self.tokens = np.array(tokens)


def test_requests_have_their_turns():
    big, small, waiting = Tokens(*[9] * 100), Tokens(9, 9), WaitingRows()
    waiting.add(big)
    assert waiting.take(27) == [(big, 0), (big, 1), (big, 2)]
    waiting.add(small)
    assert waiting.take(27) == [(big, 3), (small, 0), (big, 4)]
    assert waiting.take(27, is_alone=True) == [(small, 1)]
    assert len(waiting) == 95
    assert waiting.drop(big) == 95
    assert waiting.take(27) == []


def test_nobody_waits_for_ever():
    """A big request, and as many small ones as are answered meanwhile."""
    big, waiting = Tokens(*[9] * 5), WaitingRows()
    waiting.add(big)
    for _ in range(10):
        waiting.add(Tokens(9))
    seen = []
    for _ in range(60):
        taken = waiting.take(9)
        seen += [request for request, _ in taken]
        waiting.add(Tokens(9))
    assert seen.count(big) == 5


@pytest.mark.parametrize(
    ("tokens", "budget", "expected"),
    [
        ([20, 90, 22, 21, 24], 4096, [[0, 2, 3, 4], [1]]),
        ([90, 20, 21, 22, 23, 24], 4096, [[0], [1, 2, 3, 4, 5]]),
        ([20, 80], 4096, [[0, 1]]),
        ([20, 80], 100, [[0], [1]]),
        ([8, 8, 8, 8], 16, [[0, 1], [2, 3]]),
        ([9, 9, 9], 27, [[0, 1, 2]]),
        ([500], 16, [[0]]),
    ],
)
def test_runs_of(tokens, budget, expected):
    assert runs_of(np.array(tokens), budget, 64) == expected


def test_best_runs_cost_the_least():
    """Against every way to cut the sorted lengths."""
    generator = np.random.default_rng(0)

    def cost(runs, lengths):
        sizes = [np.sum((low <= lengths) & (lengths <= high)) for low, high in runs]
        return sum(64 + n * high for n, (_, high) in zip(sizes, runs, strict=True))

    for _ in range(200):
        lengths = 8 * generator.integers(1, 17, generator.integers(1, 20))
        distinct = np.unique(lengths).tolist()
        found = best_runs(lengths, 64)
        assert sorted(found) == sorted(set(found))
        assert sum(np.sum((a <= lengths) & (lengths <= b)) for a, b in found) == len(
            lengths
        )
        cuts = range(1, len(distinct))
        least = min(
            cost(
                [
                    (distinct[a], distinct[b - 1])
                    for a, b in itertools.pairwise([0, *chosen, len(distinct)])
                ],
                lengths,
            )
            for chosen in itertools.chain.from_iterable(
                itertools.combinations(cuts, n) for n in range(min(len(cuts), 4) + 1)
            )
        )
        assert cost(found, lengths) <= least


def test_texts_of_like_length_run_together():
    texts = [b"x" * n for n in (4, 400, 8, 300, 50, 12)] * 8

    async def main():
        batcher, model = Batcher(), Echo(0.01)
        first = asyncio.create_task(batcher.call(model, "echo", {"text": [b"first"]}))
        await asyncio.sleep(0.002)
        await many(batcher, model, [[text] for text in texts])
        await first
        return [sorted({len(text) for text in call}) for call in model.calls[1:]]

    assert run(main()) == [[4, 8, 12, 50], [300, 400]]


@pytest.mark.parametrize(("start", "each"), [(3e-3, 1e-5), (5e-3, 5e-4), (1e-3, 1e-6)])
def test_what_a_run_costs_is_learned(start, each):
    generator, cost = np.random.default_rng(0), RunCost()
    assert cost.tokens_of_a_start == 256
    for tokens in generator.integers(10, 4000, 200).tolist():
        cost.add(tokens, (start + each * tokens) * generator.uniform(0.98, 1.02))
    assert cost.tokens_of_a_start == pytest.approx(start / each, rel=0.5)


def test_runs_that_are_all_alike_teach_nothing():
    cost = RunCost()
    for seconds in (0.01, 0.02) * 20:
        cost.add(100, seconds)
    assert cost.tokens_of_a_start == 256


@pytest.mark.parametrize(
    ("kind", "name"), [("tagger", "tag"), ("pretrained", "fill_mask")]
)
def test_equals_the_direct_call(exported, kind, name):
    """A real model: answers of other lengths in one run, each cut to its own."""
    model = LoadedModel(exported(kind))
    texts = [
        "영화 좋다",
        "",
        "the movie [MASK] 가나 " * 9,
        "[MASK] 영화 [MASK]",
        "가 나 다",
    ]
    batches = [[text] for text in texts] + [texts, texts[::-1] * 20]

    async def main():
        batcher = Batcher(token_budget=128)
        calls = (batcher.call(model, name, {"text": batch}) for batch in batches)
        return await asyncio.gather(*calls)

    for batch, answer in zip(batches, run(main()), strict=True):
        direct = model.call(name, {"text": batch})
        for key, expected in direct.items():
            assert answer[key].shape == expected.shape
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(answer[key], expected, atol=1e-5)
            else:
                assert answer[key].tolist() == expected.tolist()
