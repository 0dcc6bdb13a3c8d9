"""A pre-training behind its checks: store, model, training, the result.

OUTPUT.unfinished/  run.json                 arguments, facts of the corpus, versions
                    state-00000500/          the last two states
                    log.csv, tensorboard/    so far
                    model/                   the newest model, as OUTPUT will be
OUTPUT/             config.json, …           the model
                    run.json, report.html, log.csv, training_log.csv, tensorboard/
"""

import dataclasses
import hashlib
import shutil
from pathlib import Path

import keras

from kbert.checkpoints.hubs import hub_name
from kbert.checkpoints.load_and_save import (
    load,
    load_tokenizer,
    load_vocabulary,
    save,
)
from kbert.checkpoints.local_path import local_path, tokenizer_path
from kbert.commands.pretrain_corpus import (
    corpus_facts,
    open_or_build_store,
    tell_corpus,
)
from kbert.commands.pretrain_options import PretrainOptions
from kbert.commands.run_directory import RunDirectory
from kbert.commands.training_options import default_rate
from kbert.config import SIZES, BertConfig
from kbert.disk.provenance import sha256
from kbert.disk.whole_directories import write_directory
from kbert.layers.quantization import is_quantized
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.pretraining.batches import PretrainingBatches
from kbert.reports.pretraining import write_pretraining_report
from kbert.tasks.task import check_segments
from kbert.training.batches import Batches
from kbert.training.distribution import strategy_scope
from kbert.training.held_out import HeldOutBatches
from kbert.training.log import write_csv
from kbert.training.optimizers import OPTIMIZERS
from kbert.training.pretraining import compile_pretrainer, evaluation_rows
from kbert.training.trainer import LoopSettings, Training

_EVALUATION_STEPS = 20
_RATE_OF_BASE = 1e-4  # peak of AdamW at D=768


def run_pretraining(options: PretrainOptions) -> Path:
    """Tokenizes, trains and writes the result; see `kbert.commands.pretrain.pretrain`.

    Args:
        options: checked.
    """
    chosen = options.training
    vocabulary = tokenizer_path(options.corpus.vocabulary)  # of a hub's model, once
    tokenizer = load_tokenizer(vocabulary)
    length = options.rows.sequence_length
    config = dataclasses.replace(
        SIZES[chosen.size](),
        vocabulary_size=len(tokenizer.vocabulary),
        max_sequence_length=length,
    )
    start = None
    if chosen.start_from:
        start = _start(chosen.start_from, vocabulary, tokenizer, length)
        names = config.arguments()
        config = BertConfig(**{name: getattr(start.backbone, name) for name in names})
        check_segments(2, config.num_segments)
    token_store = open_or_build_store(options.corpus.corpus, tokenizer, options.store)
    batches, held_out = (
        PretrainingBatches(
            token_store,
            tokenizer.vocabulary,
            batch_size=chosen.batch_size,
            sequence_length=length,
            seed=chosen.seed,
            held_out=options.corpus.held_out,
            validation=side,
        )
        for side in (False, bool(options.corpus.held_out))
    )
    facts = corpus_facts(token_store, tokenizer, batches, held_out)
    rate = chosen.learning_rate or default_rate(
        chosen.optimizer, _RATE_OF_BASE, config.hidden_dim
    )
    model = _model(options, config, rate, start)
    del start
    print(
        f"{token_store.num_documents:,} documents, {token_store.num_tokens:,} tokens; "
        f"{chosen.steps:,} steps are {chosen.steps / batches.steps_per_epoch:.1f} "
        f"epochs; {model.count_params():,} parameters"
    )
    tell_corpus(facts, tokenizer, options.corpus.corpus)
    data = _facts(options, token_store, tokenizer)
    run = RunDirectory(
        "pretrain", options.groups, ("corpus",), options.arguments(), data
    )
    run.facts["corpus"] = facts
    config_fields = _config_fields(options, config, rate, token_store)
    result = _Result(tokenizer, config_fields, run)
    with run.working() as directory:
        training = Training(
            model,
            _as_batches(batches),
            LoopSettings(
                num_steps=chosen.steps,
                evaluate_every=chosen.evaluation_interval,
                patience=chosen.patience,
                keeps_best=chosen.patience is not None,
            ),
            directory,
            HeldOutBatches(
                model,
                _as_batches(held_out),
                min(_EVALUATION_STEPS, held_out.steps_per_epoch),
            ),
            after_evaluation=result.write_newest,
        ).train()
        return result.write(training)


@dataclasses.dataclass(frozen=True)
class _Result:
    """What a pre-training leaves: after each evaluation, and at the end."""

    tokenizer: object
    config_fields: dict
    run: RunDirectory

    def write_newest(self, training: Training) -> None:
        """OUTPUT.unfinished/model, whole, with its log; of the last step, OUTPUT is."""
        if training.step == training.settings.num_steps:
            return
        with write_directory(self.run.path / "model", overwrite=True) as aside:
            self._fill(aside, training)

    def write(self, training: Training) -> Path:
        """OUTPUT, in place of OUTPUT.unfinished."""
        facts = {"best": training.best} if training.settings.keeps_best else {}
        rows = evaluation_rows(training.history)
        facts["last_evaluation"] = rows[-1]
        with self.run.finished(facts) as aside:
            self._fill(aside, training)
            shutil.copytree(training.directory / "tensorboard", aside / "tensorboard")
        output = Path(self.run.output.output)
        print(f"Report: {output / 'report.html'}")
        return output

    def _fill(self, directory, training):
        save(
            training.model,
            directory,
            self.tokenizer,
            self.config_fields,
            overwrite=True,
        )
        write_csv(directory / "log.csv", training.history)
        rows = evaluation_rows(training.history)
        write_csv(directory / "training_log.csv", rows)
        write_pretraining_report(
            directory / "report.html", training.history, self.run.facts
        )


def _start(directory, vocabulary, tokenizer, sequence_length):
    """The model to go on from, if it fits vocabulary and sequence length."""
    path = local_path(directory)
    model = load(path)
    if not isinstance(model, BertPretrainer):
        raise ValueError(
            f"Expected a pre-trained model with both heads in {directory}; it holds a "
            f"{type(model).__name__}."
        )
    if is_quantized(model) or is_quantized(model.backbone):
        raise ValueError(
            f"Expected weights that can be trained in {directory}; they are quantized. "
            "kbert.save writes them as floating-point numbers: take that directory."
        )
    if path != vocabulary and load_vocabulary(path) != tokenizer.vocabulary:
        raise ValueError(
            f"Expected the vocabulary that {directory} was pre-trained with; the one "
            f"given is another. Pass --vocabulary {directory}."
        )
    longest = model.backbone.max_sequence_length
    if sequence_length > longest:
        raise ValueError(
            f"sequence_length must be at most {longest}, the positions of {directory}; "
            f"got {sequence_length}."
        )
    return model


def _model(options, config, rate, start):
    """The model, compiled, with the weights of `start` where there is one."""
    chosen = options.training
    changes = {
        "dropout": chosen.dropout,
        "attention_dropout": chosen.dropout,
        "dtype": chosen.dtype,
    }
    keras.utils.set_random_seed(chosen.seed)
    with strategy_scope(chosen.strategy):
        model = BertPretrainer(BertBackbone(**config.arguments() | changes))
        if start:
            for variable, value in zip(
                model.trainable_weights, start.trainable_weights
            ):
                variable.assign(value)
        make = OPTIMIZERS[chosen.optimizer]
        compile_pretrainer(model, make(rate, chosen.steps, chosen.warmup_share))
        model.optimizer.build(model.trainable_variables)
    return model


def _as_batches(batches):
    return Batches(batches.batch, batches.steps_per_epoch, has_one_length=True)


def _facts(options, token_store, tokenizer):
    """What the batches depend on: they are a function of the store."""
    corpus = options.corpus.corpus
    arrays = ("tokens", "sentence_starts", "document_starts")
    tokens = "\n".join(tokenizer.vocabulary.tokens)
    return {
        "source": corpus[0] if len(corpus) == 1 else f"{len(corpus)} paths",
        "files": token_store.about["files"],
        "num_documents": token_store.num_documents,
        "num_tokens": token_store.num_tokens,
        "store_sha256": {
            name: sha256(token_store.directory / f"{name}.npy") for name in arrays
        },
        "vocabulary_sha256": hashlib.sha256(tokens.encode()).hexdigest(),
    }


def _config_fields(options, config, rate, token_store):
    """Fields of config.json beside the sizes: dropouts, and how it was trained."""
    chosen = options.training
    start = chosen.start_from
    about = {
        "corpus": token_store.about["files"],
        "num_tokens": token_store.num_tokens,
        "start_from": start and (hub_name(start) or Path(start).name),
        "steps": chosen.steps,
        "batch_size": chosen.batch_size,
        "sequence_length": options.rows.sequence_length,
        "learning_rate": rate,
        "optimizer": chosen.optimizer,
        "dropout": chosen.dropout,
        "seed": chosen.seed,
    }
    return {
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.attention_dropout,
        "kbert": {"pretraining": about},
    }
