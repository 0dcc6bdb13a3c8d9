"""Tokens per second of one pre-training step: kbert beside KerasHub and transformers.

    python benchmarks/pretraining_step.py --output pretraining_step.json

A step is all of it: forward, losses, backward, clipping to global norm 1, AdamW. Every
peer lives in its own process and only one of them works at a time. A round times a few
steps of each, in turn, so that whatever else the machine does weighs on all alike; what
is compared are the ratios within a round. `benchmarks/README.md` says what each peer
computes, and how they differ.
"""

import argparse
import importlib.metadata
import json
import math
import multiprocessing
import os
import platform
import statistics
import time

import numpy as np

PACKAGES = ("tensorflow", "keras", "keras-hub", "torch", "transformers", "numpy")


def synthetic_batch(settings, seed=0):
    """Packed inputs like those of pre-training: pairs, a tenth of the rows short.

    Returns: a dict of `token_ids`, `segment_ids`, `padding_mask` int32 (B, L),
        `mask_positions`, `masked_lm` int32 (B, M), `next_sentence` int32 (B,).
    """
    b, length = settings["batch_size"], settings["sequence_length"]
    m, v = settings["masked"], settings["vocabulary_size"]
    rng = np.random.default_rng(seed)
    lengths = np.full(b, length)
    is_short = rng.random(b) < 0.1
    lengths[is_short] = rng.integers(m + 2, length + 1, is_short.sum())
    place = np.arange(length)
    padding_mask = place < lengths[:, None]
    maskable = [rng.permutation(np.arange(1, n - 1))[:m] for n in lengths]
    ids = 5 + (v - 5) * rng.random((b, length)) ** 3  # low ids are frequent
    arrays = {
        "token_ids": np.where(padding_mask, ids, 0),
        "segment_ids": padding_mask & (place >= lengths[:, None] // 2),
        "padding_mask": padding_mask,
        "mask_positions": np.sort(maskable, axis=1),
        "masked_lm": rng.integers(5, v, (b, m)),
        "next_sentence": rng.integers(0, 2, b),
    }
    return {name: array.astype("int32") for name, array in arrays.items()}


class KerasPeer:
    """A compiled Keras model, its data and `fit`."""

    def __init__(self, settings):
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
        tf.config.threading.set_inter_op_parallelism_threads(settings["threads"])
        import keras

        keras.utils.set_random_seed(0)
        self.model, self.data = self.build(settings, synthetic_batch(settings))
        self.dataset = tf.data.Dataset.from_tensors(self.data).cache().repeat()

    def build(self, settings, batch):
        """A compiled model, and (x, y, sample_weight)."""
        raise NotImplementedError

    def train(self, steps):
        """Seconds that `steps` training steps take."""
        start = time.perf_counter()
        self.model.fit(self.dataset, steps_per_epoch=steps, shuffle=False, verbose=0)
        return time.perf_counter() - start

    def loss(self):
        x, y, weight = self.data
        return self.model.evaluate(
            x,
            y,
            sample_weight=weight,
            batch_size=len(x["token_ids"]),
            verbose=0,
            return_dict=True,
        )["loss"]


class Kbert(KerasPeer):
    """`BertPretrainer` as `kbert pretrain` compiles it: MLM + NSP, both accuracies."""

    def build(self, settings, batch):
        from kbert.config import SIZES
        from kbert.models.backbone import BertBackbone
        from kbert.models.pretrainer import BertPretrainer
        from kbert.training.optimizers import adamw
        from kbert.training.pretraining import compile_pretrainer

        config = SIZES[settings["size"]](
            vocabulary_size=settings["vocabulary_size"],
            dropout=settings["dropout"],
            attention_dropout=settings["dropout"],
        )
        model = BertPretrainer(BertBackbone(**config.arguments()))
        compile_pretrainer(model, adamw(settings["learning_rate"]))
        y = {name: batch.pop(name) for name in ("masked_lm", "next_sentence")}
        weight = {name: np.ones(labels.shape, "float32") for name, labels in y.items()}
        return model, (batch, y, weight)


class KerasHub(KerasPeer):
    """`BertMaskedLM` with its own loss and accuracy and Keras' AdamW. It has no NSP."""

    def build(self, settings, batch):
        import keras
        import keras_hub

        sizes = model_sizes(settings)
        backbone = keras_hub.models.BertBackbone(
            vocabulary_size=settings["vocabulary_size"],
            num_layers=sizes.num_layers,
            num_heads=sizes.num_heads,
            hidden_dim=sizes.hidden_dim,
            intermediate_dim=sizes.intermediate_dim,
            dropout=settings["dropout"],
            max_sequence_length=sizes.max_sequence_length,
        )
        model = keras_hub.models.BertMaskedLM(backbone)
        model.compile(
            optimizer=keras.optimizers.AdamW(
                settings["learning_rate"], weight_decay=0.01, global_clipnorm=1.0
            )
        )
        y = batch.pop("masked_lm")
        del batch["next_sentence"]
        return model, (batch, y, np.ones(y.shape, "float32"))


class Transformers:
    """`BertForPreTraining` in PyTorch: logits at all positions, -100 where unmasked."""

    def __init__(self, settings):
        import torch
        import transformers

        torch.set_num_threads(settings["threads"])
        torch.manual_seed(0)
        sizes = model_sizes(settings)
        self.model = transformers.BertForPreTraining(
            transformers.BertConfig(
                vocab_size=settings["vocabulary_size"],
                num_hidden_layers=sizes.num_layers,
                num_attention_heads=sizes.num_heads,
                hidden_size=sizes.hidden_dim,
                intermediate_size=sizes.intermediate_dim,
                hidden_dropout_prob=settings["dropout"],
                attention_probs_dropout_prob=settings["dropout"],
                max_position_embeddings=sizes.max_sequence_length,
            )
        )
        # fused=True is the default of transformers' own Trainer.
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            settings["learning_rate"],
            weight_decay=0.01,
            fused=True,
        )
        self.clip = torch.nn.utils.clip_grad_norm_
        self.no_grad = torch.no_grad
        batch = synthetic_batch(settings)
        self.batch = self.inputs({k: torch.from_numpy(a) for k, a in batch.items()})

    def inputs(self, batch):
        labels = batch["token_ids"].long().fill_(-100)
        labels.scatter_(1, batch["mask_positions"].long(), batch["masked_lm"].long())
        return {
            "input_ids": batch["token_ids"].long(),
            "token_type_ids": batch["segment_ids"].long(),
            "attention_mask": batch["padding_mask"].long(),
            "labels": labels,
            "next_sentence_label": batch["next_sentence"].long(),
        }

    def forward(self):
        return self.model(**self.batch).loss

    def train(self, steps):
        """Seconds that `steps` training steps take."""
        self.model.train()
        start = time.perf_counter()
        for _ in range(steps):
            self.optimizer.zero_grad()
            loss = self.forward()
            loss.backward()
            self.clip(self.model.parameters(), 1.0)
            self.optimizer.step()
            loss.item()
        return time.perf_counter() - start

    def loss(self):
        self.model.eval()
        with self.no_grad():
            return self.forward().item()


class TransformersGathered(Transformers):
    """The same modules, called by hand so that only masked rows are projected."""

    def inputs(self, batch):
        return super().inputs(batch) | {
            "rows": batch["mask_positions"].long(),
            "masked_lm": batch["masked_lm"].long(),
        }

    def forward(self):
        import torch.nn.functional as F

        names = ("input_ids", "token_type_ids", "attention_mask")
        y = self.model.bert(**{name: self.batch[name] for name in names})
        index = self.batch["rows"].unsqueeze(-1)
        index = index.expand(-1, -1, y.last_hidden_state.shape[-1])  # (B, M, D)
        rows = y.last_hidden_state.gather(1, index)
        logits, pair_logits = self.model.cls(rows, y.pooler_output)
        return F.cross_entropy(
            logits.flatten(0, 1), self.batch["masked_lm"].flatten()
        ) + F.cross_entropy(pair_logits, self.batch["next_sentence_label"])


PEERS = {
    "kbert": Kbert,
    "keras_hub": KerasHub,
    "transformers": Transformers,
    "transformers_gathered": TransformersGathered,
}


def model_sizes(settings):
    from kbert.config import SIZES

    return SIZES[settings["size"]]()


def serve(peer, settings, connection):
    """A worker's life: build the peer, then answer (method, arguments) until None."""
    try:
        subject = PEERS[peer](settings)
        connection.send(None)
        while (request := connection.recv()) is not None:
            method, *arguments = request
            connection.send(getattr(subject, method)(*arguments))
    except Exception as error:
        connection.send(error)
        raise


class Worker:
    """A peer in a process of its own, asleep unless it is asked something."""

    def __init__(self, peer, settings):
        context = multiprocessing.get_context("spawn")
        self.peer = peer
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(peer, settings, theirs), daemon=True
        )
        self.process.start()
        theirs.close()
        self._receive()

    def ask(self, method, *arguments):
        self.connection.send((method, *arguments))
        return self._receive()

    def _receive(self):
        try:
            answer = self.connection.recv()
        except EOFError:
            raise RuntimeError(f"The process of {self.peer} died.") from None
        if isinstance(answer, Exception):
            raise RuntimeError(f"{self.peer} failed; see above.") from answer
        return answer

    def close(self):
        self.connection.send(None)
        self.process.join()


def compare(peers, settings, rounds, steps):
    """Times every peer in every round.

    Returns: a dict by peer: `seconds` per round, `loss_before` and `loss_after` of the
        batch trained on, without dropout.
    """
    workers = [Worker(peer, settings) for peer in peers]
    results = {worker.peer: {"seconds": []} for worker in workers}
    for worker in workers:
        results[worker.peer]["loss_before"] = worker.ask("loss")
        worker.ask("train", max(steps, 3))  # traces, warms up
    for number in range(rounds):
        start = number % len(workers)
        for worker in workers[start:] + workers[:start]:  # nobody is always first
            results[worker.peer]["seconds"].append(worker.ask("train", steps))
    for worker in workers:
        result = results[worker.peer]
        result["loss_after"] = worker.ask("loss")
        worker.close()
        if not result["loss_after"] < result["loss_before"]:  # NaN fails as well
            raise RuntimeError(
                f"Expected the loss of {worker.peer} to fall; it went from "
                f"{result['loss_before']} to {result['loss_after']}."
            )
    return results


def summarize(results, tokens):
    """Adds tokens per second and the ratios kbert / peer, paired by round."""
    for result in results.values():
        result["tokens_per_second"] = tokens / statistics.median(result["seconds"])
    for peer, result in results.items():
        if "kbert" in results and peer != "kbert":
            pairs = zip(result["seconds"], results["kbert"]["seconds"], strict=True)
            ratios = sorted(theirs / ours for theirs, ours in pairs)
            result["kbert_ratio"] = {
                "median": statistics.median(ratios),
                "quartiles": np.quantile(ratios, [0.25, 0.75]).tolist(),
                "range": [ratios[0], ratios[-1]],
            }
    return results


def print_table(size, results):
    print(
        f"\n{size:22} {'tokens/s':>10} {'kbert is x faster':>18} "
        f"{'quartiles':>13} {'range':>13} {'loss':>16}"
    )
    for peer, result in results.items():
        ratio = result.get("kbert_ratio")
        columns = ["", "", ""]
        if ratio:
            pairs = [ratio["quartiles"], ratio["range"]]
            spread = [f"{low:.2f} .. {high:.2f}" for low, high in pairs]
            columns = [f"{ratio['median']:.2f}", *spread]
        losses = f"{result['loss_before']:.2f} -> {result['loss_after']:.2f}"
        print(
            f"{peer:22} {result['tokens_per_second']:10,.0f} {columns[0]:>18} "
            f"{columns[1]:>13} {columns[2]:>13} {losses:>16}",
            flush=True,
        )


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
        "TF_ENABLE_ONEDNN_OPTS": os.environ["TF_ENABLE_ONEDNN_OPTS"],
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def parsed_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=["tiny", "mini"])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=[*PEERS][:3])
    parser.add_argument("--batch-size", type=int, default=32, help="rows (B)")
    parser.add_argument("--sequence-length", type=int, default=128, help="tokens (L)")
    parser.add_argument("--masked", type=int, default=20, help="per row (M)")
    parser.add_argument("--vocabulary-size", type=int, default=30522)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="per peer and round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", help="a JSON file for settings and all timings")
    return parser.parse_args()


def main():
    arguments = parsed_arguments()
    # Before any worker imports its framework, and the same for all of them.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    about = environment(arguments.threads)
    print(json.dumps(about, indent=1))
    names = ("batch_size", "sequence_length", "masked", "vocabulary_size", "threads")
    settings = {name: getattr(arguments, name) for name in (*names, "dropout")}
    tokens = arguments.steps * arguments.batch_size * arguments.sequence_length
    report = {"environment": about, "arguments": vars(arguments), "results": {}}
    for size in arguments.sizes:
        hidden_dim = model_sizes({"size": size}).hidden_dim
        of_size = {"size": size, "learning_rate": 1e-4 * 768 / hidden_dim}
        results = compare(
            arguments.peers, settings | of_size, arguments.rounds, arguments.steps
        )
        report["results"][size] = summarize(results, tokens)
        print_table(size, results)
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8") as stream:
            json.dump(report, stream, indent=1)


if __name__ == "__main__":
    main()
