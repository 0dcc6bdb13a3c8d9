"""Megabytes of text per second, strings to packed ids: kbert beside its peers.

    python benchmarks/tokenizer_speed.py \
        --korean movie_reviews.txt petitions.txt --korean-vocabulary vocab.txt \
        --english novels.txt --english-vocabulary uncased_vocab.txt \
        --output tokenizer_speed.json

Every contender turns the same lines, in batches of 1024, into ids int32 (1024, 128),
[CLS] … [SEP] and padding, with a mask. Each lives in its own process, bound to as many
cores as `--threads` says, and only one of them works at a time. A round times each of
them once on the whole text, in turn; what is compared are the ratios within a round.
Korean is read as cased, English lower-cased. A second, shorter table leaves the packing
out and has one thread. What each contender does is in its class.
"""

import argparse
import importlib.metadata
import itertools
import json
import math
import multiprocessing
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np

BATCH_SIZE = 1024  # lines
PACKAGES = (
    "tensorflow",
    "tensorflow-text",
    "keras",
    "keras-hub",
    "tokenizers",
    "numpy",
)
# What kbert is meant to reach with packing: at least so many times as fast.
GOALS = {
    "korean": {"tokenizers": 5, "tf_text": 5},
    "english": {"tokenizers": 4},
}
REFERENCE_SHARE = 0.1  # of the text, for the one contender without native code


class TensorFlowContender:
    """A graph from strings to ids, mapped over batches in `tf.data`.

    The text is a constant tensor (batches, 1024) in memory, cut into batches by
    `from_tensor_slices`. `map(num_parallel_calls=threads)`, and no more threads within
    an op; each batch arrives as eager tensors.
    """

    def __init__(self, settings):
        import tensorflow as tf

        threads = settings["threads"]
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        lines = batches_of_lines(settings)
        start = time.perf_counter()
        tensor = tf.constant(lines)
        self.seconds_to_tensor = time.perf_counter() - start
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        self.dataset = (
            tf.data.Dataset.from_tensor_slices(tensor)
            .with_options(options)
            .map(self.build(settings), num_parallel_calls=threads)
        )

    def build(self, settings):
        """A function of strings (B,): a dict with `token_ids`, or ids if not packed."""
        tokenize = self.tokenizer(settings)
        if not settings["packs"]:
            return tokenize
        from kbert.text.packer import MultiSegmentPacker
        from kbert.text.vocabulary import as_vocabulary

        vocabulary = as_vocabulary(settings["vocabulary"])
        packer = MultiSegmentPacker(
            settings["sequence_length"],
            cls_id=vocabulary.cls_id,
            sep_id=vocabulary.sep_id,
            pad_id=vocabulary.pad_id,
        )
        return lambda strings: packer(tokenize(strings))

    def tokenizer(self, settings):
        """A function of strings (B,) that gives ragged ids (B, None)."""
        raise NotImplementedError

    def run(self):
        """Seconds for the whole text."""
        start = time.perf_counter()
        for _ in self.dataset:
            pass
        return time.perf_counter() - start

    def ids(self):
        """Packed ids of the whole text, int32 (N, L)."""
        batches = [batch["token_ids"].numpy() for batch in self.dataset]
        return np.concatenate(batches).astype("int32")

    def preparation(self):
        """Seconds that Python strings took to become a tensor, outside the timing."""
        return self.seconds_to_tensor


class Kbert(TensorFlowContender):
    """`BertPreprocessor`, all defaults."""

    compatibility = "google"

    def build(self, settings):
        from kbert.text.preprocessor import BertPreprocessor
        from kbert.text.tokenizer import BertTokenizer

        tokenizer = BertTokenizer(
            settings["vocabulary"],
            lowercase=settings["lowercase"],
            compatibility=self.compatibility,
        )
        if not settings["packs"]:
            return tokenizer
        return BertPreprocessor(tokenizer, settings["sequence_length"])


class KbertFromPython(Kbert):
    """`BertPreprocessor` as a `tf.function`, called with lists of Python strings.

    For the comparison with the Rust library, which starts from them too: they become
    tensors within the timing. `threads` Python threads hand batches over; no `tf.data`.
    """

    def __init__(self, settings):
        super().__init__(settings)
        from concurrent.futures import ThreadPoolExecutor

        import tensorflow as tf

        self.batches = batches_of_lines(settings)
        self.pool = ThreadPoolExecutor(settings["threads"])
        signature = [tf.TensorSpec((None,), tf.string)]
        self.function = tf.function(self.build(settings), input_signature=signature)

    def encode(self, lines):
        return self.function(np.array(lines, object))

    def run(self):
        start = time.perf_counter()
        for _ in self.pool.map(self.encode, self.batches):
            pass
        return time.perf_counter() - start


class KbertLikeHuggingFace(Kbert):
    """The same with `compatibility="huggingface"`: the ids of the Rust library."""

    compatibility = "huggingface"


class TfText(TensorFlowContender):
    """tensorflow-text's `BertTokenizer`, packed with kbert's `MultiSegmentPacker`."""

    def tokenizer(self, settings):
        import tensorflow as tf
        import tensorflow_text as tf_text

        tokenizer = tf_text.BertTokenizer(
            settings["vocabulary"],
            lower_case=settings["lowercase"],
            token_out_type=tf.int32,
        )
        return lambda strings: tokenizer.tokenize(strings).merge_dims(1, 2)


class TfTextFast(TensorFlowContender):
    """tensorflow-text's `FastBertTokenizer`, packed with kbert's packer."""

    def tokenizer(self, settings):
        import tensorflow as tf
        import tensorflow_text as tf_text

        tokenizer = tf_text.FastBertTokenizer(
            vocab=tokens_of(settings),
            token_out_type=tf.int32,
            lower_case_nfd_strip_accents=settings["lowercase"],
        )
        return tokenizer.tokenize


class KerasHub(TensorFlowContender):
    """`BertTextClassifierPreprocessor` with its own tokenizer and packer."""

    def build(self, settings):
        import keras_hub

        tokenizer = keras_hub.models.BertTokenizer(
            tokens_of(settings),
            lowercase=settings["lowercase"],
            strip_accents=settings["lowercase"],
        )
        return keras_hub.models.BertTextClassifierPreprocessor(
            tokenizer, sequence_length=settings["sequence_length"]
        )


class Tokenizers:
    """The Rust library at its fastest: `encode_batch_fast`, padded in NumPy.

    Its own padding fills seven lists per text and takes it longer. Normaliser,
    pre-tokenizer, model and post-processor are those of its `BertWordPieceTokenizer`;
    its threads are `RAYON_NUM_THREADS`. Gives int32 arrays of ids and of the mask.
    """

    def __init__(self, settings):
        import tokenizers
        from tokenizers import models, normalizers, pre_tokenizers, processors

        ids = {token: id for id, token in enumerate(tokens_of(settings))}
        self.length = settings["sequence_length"]
        self.pad_id = ids["[PAD]"]
        self.packs = settings["packs"]
        tokenizer = tokenizers.Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(
            lowercase=settings["lowercase"]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        if self.packs:
            tokenizer.post_processor = processors.BertProcessing(
                ("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"])
            )
            tokenizer.enable_truncation(self.length)
        self.tokenizer = tokenizer
        self.batches = batches_of_lines(settings)

    def run(self):
        """Seconds for the whole text."""
        start = time.perf_counter()
        for lines in self.batches:
            self.encode(lines)
        return time.perf_counter() - start

    def ids(self):
        """Packed ids of the whole text, int32 (N, L)."""
        return np.concatenate([self.encode(lines)[0] for lines in self.batches])

    def encode(self, lines):
        """Ids and mask int32 (B, L); not packed: all ids in a row, and their counts."""
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch_fast(lines)]
        lengths = np.fromiter(map(len, ids), "int32", len(ids))
        flat = np.fromiter(itertools.chain.from_iterable(ids), "int32", lengths.sum())
        if not self.packs:
            return flat, lengths
        is_token = np.arange(self.length) < lengths[:, None]
        packed = np.full(is_token.shape, self.pad_id, "int32")
        packed[is_token] = flat
        return packed, is_token.astype("int32")


class TokenizersOwnPadding(Tokenizers):
    """The Rust library as its guide has it: `encode_batch`, padding and all by it."""

    def __init__(self, settings):
        super().__init__(settings)
        self.tokenizer.enable_padding(length=self.length, pad_id=self.pad_id)

    def encode(self, lines):
        encodings = self.tokenizer.encode_batch(lines)
        ids = np.array([encoding.ids for encoding in encodings], "int32")
        mask = np.array([encoding.attention_mask for encoding in encodings], "int32")
        return ids, mask


class TokenizersUnread(Tokenizers):
    """The Rust library's `Encoding`s alone, not padded, their ids never read."""

    def encode(self, lines):
        return self.tokenizer.encode_batch_fast(lines)

    def ids(self):
        return None


class Reference:
    """`kbert.ReferenceTokenizer`, plain Python on one thread, on a tenth of the text.

    A new one each time: it remembers words. Packed in Python and NumPy.
    """

    def __init__(self, settings):
        from kbert.text.reference_tokenizer import ReferenceTokenizer
        from kbert.text.vocabulary import as_vocabulary

        self.vocabulary = as_vocabulary(settings["vocabulary"])
        self.new = lambda: ReferenceTokenizer(
            self.vocabulary, lowercase=settings["lowercase"]
        )
        self.length = settings["sequence_length"]
        self.batches = batches_of_lines(settings)
        self.share = max(round(REFERENCE_SHARE * len(self.batches)), 1)

    def run(self):
        """Seconds for the whole text, at the speed of a tenth of it."""
        start = time.perf_counter()
        tokenizer = self.new()
        for lines in self.batches[: self.share]:
            self.encode(tokenizer, lines)
        seconds = time.perf_counter() - start
        return seconds * megabytes(self.batches) / megabytes(self.batches[: self.share])

    def ids(self):
        """Packed ids of the whole text, int32 (N, L)."""
        tokenizer = self.new()
        return np.concatenate([self.encode(tokenizer, b)[0] for b in self.batches])

    def encode(self, tokenizer, lines):
        """Ids and mask int32 (B, L)."""
        vocabulary = self.vocabulary
        packed = np.full((len(lines), self.length), vocabulary.pad_id, "int32")
        mask = np.zeros((len(lines), self.length), "int32")
        for i, ids in enumerate(tokenizer(lines)):
            ids = [vocabulary.cls_id, *ids[: self.length - 2], vocabulary.sep_id]
            packed[i, : len(ids)] = ids
            mask[i, : len(ids)] = 1
        return packed, mask


CONTENDERS = {
    "kbert": Kbert,
    "kbert_huggingface": KbertLikeHuggingFace,
    "kbert_from_python": KbertFromPython,
    "tokenizers": Tokenizers,
    "tokenizers_own_padding": TokenizersOwnPadding,
    "tokenizers_unread": TokenizersUnread,
    "tf_text": TfText,
    "tf_text_fast": TfTextFast,
    "keras_hub": KerasHub,
    "reference": Reference,
}


def batches_of_lines(settings):
    """The text: lists of 1024 lines, as many as fit in `megabytes` of UTF-8.

    Each file gives an equal share of them, from its beginning; empty lines and the
    last batch, if it is not full, are left out.
    """
    share = settings["megabytes"] * 1e6 / len(settings["texts"])
    lines = []
    for path in settings["texts"]:
        taken = 0
        with open(path, encoding="utf-8") as stream:
            for line in stream:
                line = line.rstrip("\n")
                taken += len(line.encode())
                if taken > share:
                    break
                if line.strip():
                    lines.append(line)
    count = len(lines) // BATCH_SIZE
    if not count:
        raise ValueError(
            f"Expected at least {BATCH_SIZE} lines of text; got {len(lines)}. Give "
            "more text, or more --megabytes."
        )
    return [lines[i * BATCH_SIZE : (i + 1) * BATCH_SIZE] for i in range(count)]


def tokens_of(settings):
    return Path(settings["vocabulary"]).read_text("utf-8").rstrip("\n").split("\n")


def megabytes(batches):
    return sum(len(line.encode()) for lines in batches for line in lines) / 1e6


def serve(name, settings, connection):
    """A worker's life: build the contender, then answer method names until None."""
    try:
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))[: settings["threads"]]
            os.sched_setaffinity(0, cores)
        os.environ["RAYON_NUM_THREADS"] = str(settings["threads"])
        contender = CONTENDERS[name](settings)
        connection.send(None)
        while (method := connection.recv()) is not None:
            connection.send(getattr(contender, method)())
    except Exception as error:
        connection.send(error)
        raise


class Worker:
    """A contender in a process of its own, asleep unless it is asked something."""

    def __init__(self, name, settings):
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(name, settings, theirs), daemon=True
        )
        self.process.start()
        theirs.close()
        self._receive()

    def ask(self, method):
        self.connection.send(method)
        return self._receive()

    def _receive(self):
        try:
            answer = self.connection.recv()
        except EOFError:
            raise RuntimeError(f"The process of {self.name} died.") from None
        if isinstance(answer, Exception):
            raise RuntimeError(f"{self.name} failed; see above.") from answer
        return answer

    def close(self):
        self.connection.send(None)
        self.process.join()


def compare(names, settings, rounds):
    """Times every contender in every round.

    Returns: a dict by contender: `seconds` per round and, if it packs,
        `lines_with_other_ids` than kbert's, in google and in huggingface mode.
    """
    workers = [Worker(name, settings) for name in names]
    results = {worker.name: {"seconds": []} for worker in workers}
    for worker in workers:
        worker.ask("run")  # warms up
        if worker.name == "kbert":
            results["kbert"]["seconds_to_tensor"] = worker.ask("preparation")
    for number in range(rounds):
        start = number % len(workers)
        for worker in workers[start:] + workers[:start]:  # nobody is always first
            results[worker.name]["seconds"].append(worker.ask("run"))
    if settings["packs"]:
        count_other_ids(workers, results)
    for worker in workers:
        worker.close()
    return results


def count_other_ids(workers, results):
    """Adds how many lines have other ids than kbert gives them."""
    asked = {worker.name: worker for worker in workers}
    ours = {
        name: asked[name].ask("ids")
        for name in ("kbert", "kbert_huggingface")
        if name in asked
    }
    for worker in workers:
        theirs = ours[worker.name] if worker.name in ours else worker.ask("ids")
        results[worker.name]["lines_with_other_ids"] = {
            name: int((theirs != ids).any(axis=1).sum())
            for name, ids in ours.items()
            if theirs is not None
        }


def summarize(results, size, goals):
    """Adds megabytes per second, the ratios kbert / peer paired by round, and goals.

    Args:
        results: as `compare` gives them.
        size: megabytes of text.
        goals: contender -> the ratio to reach.
    """
    for name, result in results.items():
        seconds = result["seconds"]
        result["megabytes_per_second"] = size / statistics.median(seconds)
        if "kbert" not in results or name == "kbert":
            continue
        pairs = zip(seconds, results["kbert"]["seconds"], strict=True)
        ratios = sorted(theirs / ours for theirs, ours in pairs)
        result["kbert_ratio"] = {
            "median": statistics.median(ratios),
            "quartiles": np.quantile(ratios, [0.25, 0.75]).tolist(),
            "range": [ratios[0], ratios[-1]],
        }
        if name in goals:
            met = result["kbert_ratio"]["median"] >= goals[name]
            result["goal"] = {"ratio": goals[name], "met": bool(met)}
    return results


def print_table(title, results):
    print(
        f"\n{title}\n{'':24} {'MB/s':>7} {'kbert is x faster':>18} {'quartiles':>15} "
        f"{'range':>15} {'other ids':>10} {'than hf mode':>13}  goal"
    )
    for name, result in results.items():
        ratio, goal = result.get("kbert_ratio"), result.get("goal")
        columns = ["", "", ""]
        if ratio:
            pairs = [ratio["quartiles"], ratio["range"]]
            spread = [f"{low:.2f} .. {high:.2f}" for low, high in pairs]
            columns = [f"{ratio['median']:.2f}", *spread]
        other = result.get("lines_with_other_ids", {})
        counts = [f"{other[n]:,}" if n in other else "" for n in list(CONTENDERS)[:2]]
        met = f"{goal['ratio']}: {'met' if goal['met'] else 'not met'}" if goal else ""
        print(
            f"{name:24} {result['megabytes_per_second']:7.2f} {columns[0]:>18} "
            f"{columns[1]:>15} {columns[2]:>15} {counts[0]:>10} {counts[1]:>13}  {met}",
            flush=True,
        )
    if "kbert" in results:
        to_tensor = results["kbert"]["seconds_to_tensor"]
        whole = statistics.median(results["kbert"]["seconds"])
        print(
            f"Python strings became a tensor in {to_tensor:.3f} s, before the timing "
            f"of all TensorFlow rows but kbert_from_python; kbert took {whole:.3f} s."
        )


def measure(language, arguments, settings):
    """Both tables of one language: packed on all threads, and not packed on one."""
    batches = batches_of_lines(settings)
    size = megabytes(batches)
    about = {
        "texts": [Path(path).name for path in settings["texts"]],
        "vocabulary": Path(settings["vocabulary"]).name,
        "lowercase": settings["lowercase"],
        "lines": len(batches) * BATCH_SIZE,
        "megabytes": size,
        "bytes_per_line": 1e6 * size / (len(batches) * BATCH_SIZE),
    }
    print(json.dumps({language: about}, ensure_ascii=False, indent=1))
    packed = compare(arguments.contenders, settings, arguments.rounds)
    summarize(packed, size, GOALS[language])
    print_table(f"{language}, {settings['threads']} threads, packed", packed)
    one_thread = settings | {"threads": 1, "packs": False}
    names = [name for name in ("kbert", "tokenizers") if name in arguments.contenders]
    alone = summarize(compare(names, one_thread, arguments.rounds), size, {})
    print_table(f"{language}, 1 thread, tokens only", alone)
    return {"text": about, "packed": packed, "one_thread_tokens_only": alone}


def environment(threads):
    """What the figures were taken on."""
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            lines = [line for line in stream if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": threads,
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan,
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def parsed_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for language, case in (("korean", "cased"), ("english", "lower-cased")):
        parser.add_argument(f"--{language}", nargs="+", help=f"text files, {case}")
        parser.add_argument(f"--{language}-vocabulary", help="a vocab.txt")
    parser.add_argument(
        "--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS
    )
    parser.add_argument("--megabytes", type=float, default=10, help="of each language")
    parser.add_argument("--sequence-length", type=int, default=128, help="tokens (L)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", help="a JSON file for settings and all timings")
    arguments = parser.parse_args()
    for language in GOALS:
        texts = getattr(arguments, language)
        if bool(texts) != bool(getattr(arguments, f"{language}_vocabulary")):
            parser.error(f"--{language} and --{language}-vocabulary go together.")
    if not (arguments.korean or arguments.english):
        parser.error("Give --korean, --english, or both.")
    return arguments


def main():
    arguments = parsed_arguments()
    # Before any worker imports its library, and the same for all of them.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    about = environment(arguments.threads)
    print(json.dumps(about, indent=1))
    names = ("megabytes", "sequence_length", "rounds")
    report = {
        "environment": about,
        "arguments": {name: getattr(arguments, name) for name in names},
        "results": {},
    }
    for language in GOALS:
        if getattr(arguments, language):
            settings = {
                "texts": getattr(arguments, language),
                "vocabulary": getattr(arguments, f"{language}_vocabulary"),
                "lowercase": language == "english",
                "megabytes": arguments.megabytes,
                "sequence_length": arguments.sequence_length,
                "threads": arguments.threads,
                "packs": True,
            }
            report["results"][language] = measure(language, arguments, settings)
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8") as stream:
            json.dump(report, stream, indent=1)


if __name__ == "__main__":
    main()
