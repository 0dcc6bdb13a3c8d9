"""Rows of many requests, run together: dynamic batches by token budget."""

import asyncio
import collections
import concurrent.futures
import time
import weakref
from collections.abc import Callable

import numpy as np

from kbert.server.loaded_model import LoadedModel
from kbert.server.row_batches import (
    RunCost,
    WaitingRows,
    batch_inputs_of,
    joined,
    row_tokens,
    rows_of,
    runs_of,
    stacked,
)


class Overloaded(RuntimeError):
    """More rows wait than there is room for."""


class _Request:
    """What one caller waits for."""

    def __init__(self, inputs, tokens, future):
        self.inputs = inputs
        self.tokens = tokens
        self.results = [None] * len(tokens)
        self.missing = len(tokens)
        self.future = future


class Batcher:
    """Runs models for many callers at once, in one asyncio loop.

    The unit is the row, a text: rows of like length of all that wait for the same
    function of the same model are run together, the requests in turn, while rows x
    longest stays within the budget of tokens. So a thousand texts are many runs, memory
    is bounded, and a small request beside them has its turn. A run starts as soon as a
    thread is free: alone, one does not wait for company; under load, others gather
    meanwhile.

    Args:
        token_budget: of one run, padding counted; a longer row runs alone.
        max_waiting_rows: beyond which callers are turned away.
        threads: runs at a time. TensorFlow itself uses all cores for each.
        on_batch: told of each run: rows, tokens, padding (tokens), seconds.
    """

    def __init__(
        self,
        token_budget: int = 4096,
        max_waiting_rows: int = 8192,
        threads: int = 1,
        on_batch: Callable[[int, int, int, float], None] | None = None,
    ):
        self.token_budget = token_budget
        self.max_waiting_rows = max_waiting_rows
        self.waiting_rows = 0
        self.on_batch = on_batch or (lambda *facts: None)
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, "kbert-model")
        self._free = threads
        # (model, function, scalar inputs) -> rows to start
        self._groups: dict[tuple, WaitingRows] = {}
        self._planned = collections.deque()  # (key, rows) of runs to start next
        # model -> function -> what its runs cost; forgotten with the model
        self._costs: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
        self._runs: set[asyncio.Task] = set()

    async def call(
        self, model: LoadedModel, name: str, inputs: dict
    ) -> dict[str, np.ndarray]:
        """What `model.call` gives for these inputs alone, to the last bits of a float.

        Raises:
            ValueError: inputs that do not fit, or that the graph refuses.
            Overloaded: too much waits already.
        """
        inputs = model.checked(name, inputs)
        signature = model.signatures[name]
        texts, scalars = batch_inputs_of(inputs)
        tokens = row_tokens(texts, model.card, name)
        if not model.is_splittable:  # as one row: nobody knows how to take it apart
            texts, tokens = {n: x[None] for n, x in inputs.items()}, tokens.sum()[None]
            scalars = {}
        if self.waiting_rows + len(tokens) > self.max_waiting_rows:
            raise Overloaded(
                f"Expected at most {self.max_waiting_rows:,} texts to wait; there are "
                f"{self.waiting_rows:,}, and {len(tokens):,} more came. Try again soon."
            )
        request = _Request(texts, tokens, asyncio.get_running_loop().create_future())
        key = (model, name, tuple((n, x.tobytes()) for n, x in sorted(scalars.items())))
        self._groups.setdefault(key, WaitingRows()).add(request)
        self.waiting_rows += len(tokens)
        self._start_runs()
        try:
            results = await request.future
        finally:
            if request.missing and key in self._groups:  # a caller gave up
                self.waiting_rows -= self._groups[key].drop(request)
        return joined(results, signature) if model.is_splittable else results[0]

    async def close(self) -> None:
        """Waits for all that was asked for, then lets the threads go."""
        while self._runs:
            await asyncio.wait(self._runs)
        self._pool.shutdown()

    def _start_runs(self):
        while self._free and (run := self._next_run()):
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._run(*run))
            self._runs.add(task)
            task.add_done_callback(self._runs.discard)

    def _next_run(self):
        """What is to be run next: a key and rows, (request, row) of each; or None.

        The group that waits longest has its turn: rows within the budget, in one run or
        in several of like length, one after the other. Then it goes behind the others.
        """
        while self._groups and not self._planned:
            key, waiting = next(iter(self._groups.items()))
            rows = waiting.take(self.token_budget, not key[0].is_splittable)
            del self._groups[key]
            if waiting:
                self._groups[key] = waiting
            if rows:
                self.waiting_rows -= len(rows)
                tokens = np.array([request.tokens[row] for request, row in rows])
                start = self._cost(key).tokens_of_a_start
                runs = runs_of(tokens, self.token_budget, start)
                self._planned += [(key, [rows[i] for i in run]) for run in runs]
        return self._planned.popleft() if self._planned else None

    def _cost(self, key) -> RunCost:
        model, name, _ = key
        return self._costs.setdefault(model, {}).setdefault(name, RunCost())

    async def _run(self, key, batch):
        try:
            await self._answer(key, batch)
        finally:
            self._free += 1
            self._start_runs()

    async def _answer(self, key, batch):
        try:
            results = await self._call_model(key, batch)
        except Exception as error:
            await self._answer_apart(key, batch, error)
            return
        for (request, row), result in zip(batch, results, strict=True):
            request.results[row] = result
            request.missing -= 1
            if not request.missing and not request.future.done():
                request.future.set_result(request.results)

    async def _answer_apart(self, key, batch, error):
        """After a failure each request runs alone: one does not take others with it."""
        requests = list(dict.fromkeys(request for request, _ in batch))
        if len(requests) == 1:
            if not requests[0].future.done():
                requests[0].future.set_exception(error)
            return
        for own in requests:
            await self._answer(key, [(r, row) for r, row in batch if r is own])

    async def _call_model(self, key, batch):
        inputs = {
            n: stacked([request.inputs[n][row] for request, row in batch], x.dtype)
            for n, x in batch[0][0].inputs.items()
        }
        tokens = [request.tokens[row] for request, row in batch]
        start = time.perf_counter()
        call = self._call_rows if key[0].is_splittable else self._call_whole
        loop = asyncio.get_running_loop()
        results = await loop.run_in_executor(self._pool, call, key, inputs)
        used, padded = sum(tokens), max(tokens) * len(tokens)
        seconds = time.perf_counter() - start
        self._cost(key).add(int(padded), seconds)
        self.on_batch(len(batch), int(used), int(padded - used), seconds)
        return results

    @staticmethod
    def _call_rows(key, inputs):
        model, name, scalars = key
        signature = model.signatures[name]
        given = {
            tensor.name: np.frombuffer(dict(scalars)[tensor.name], tensor.dtype)[0]
            for tensor in signature.inputs
            if tensor.name in dict(scalars)
        }
        return rows_of(model.call(name, inputs | given), signature)

    @staticmethod
    def _call_whole(key, inputs):
        model, name, _ = key
        return [model.call(name, {n: x[0] for n, x in inputs.items()})]
