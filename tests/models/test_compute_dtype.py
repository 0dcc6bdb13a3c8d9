"""mixed_float16 trains with a scaled loss, whichever way the dtype was given."""

import warnings

import keras
import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.multiple_choice import BertMultipleChoice
from kbert.models.pretrainer import BertPretrainer
from kbert.models.question_answerer import BertQuestionAnswerer
from kbert.models.text_classifier import BertTextClassifier
from kbert.models.token_classifier import BertTokenClassifier
from kbert.training.optimizers import adamw

HALF = "mixed_float16"
HEADS = {
    "backbone": lambda backbone: backbone,
    "pretrainer": BertPretrainer,
    "text": lambda backbone: BertTextClassifier(backbone, 2),
    "tokens": lambda backbone: BertTokenClassifier(backbone, 2),
    "questions": BertQuestionAnswerer,
    "choices": BertMultipleChoice,
}


def backbone(dtype=None, **sizes):
    return BertBackbone(9, 1, 1, 8, 8, max_sequence_length=4, dtype=dtype, **sizes)


@pytest.fixture
def global_half():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(HALF)
    yield
    keras.config.set_dtype_policy(before)


def scales(model):
    model.compile(adamw(1e-3), loss="mse")
    return isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.parametrize("head", HEADS)
def test_the_dtype_of_the_backbone_scales_the_loss(head):
    assert scales(HEADS[head](backbone(HALF)))
    assert not scales(HEADS[head](backbone("mixed_bfloat16")))
    assert not scales(HEADS[head](backbone("float32")))


def test_the_models_own_dtype_rules_over_the_global_one(global_half):
    assert scales(BertTextClassifier(backbone(), 2))
    assert not scales(BertTextClassifier(backbone("float32"), 2))
    assert BertTextClassifier(backbone("float32"), 2).dtype_policy.name == "float32"


@pytest.mark.parametrize(
    ("default", "layers", "expected"),
    [
        (HALF, {}, True),
        ("float32", {".*encoder_block_0.*": HALF}, True),
        ("float32", {"classifier": HALF}, True),
        ("float32", {"classifier": "mixed_bfloat16"}, False),
        (HALF, {".*": "float32"}, False),
    ],
)
def test_a_map_of_policies_scales_where_a_layer_is_in_float16(
    default, layers, expected
):
    policies = {name: keras.DTypePolicy(policy) for name, policy in layers.items()}
    policy = keras.dtype_policies.DTypePolicyMap(default, policies)
    assert scales(BertTextClassifier(backbone(policy), 2)) == expected


def test_lora_and_a_copy_by_config_scale_it_too():
    model = BertTextClassifier(backbone(HALF), 2)
    model.backbone.enable_lora(2)
    assert scales(model)
    assert scales(BertTextClassifier.from_config(model.get_config()))


def test_as_in_kerashub():
    keras_hub = pytest.importorskip("keras_hub")
    theirs = keras_hub.models.BertTextClassifier(
        keras_hub.models.BertBackbone(9, 1, 1, 8, 8, dtype=HALF), num_classes=2
    )
    ours = BertTextClassifier(backbone(HALF), 2)
    assert scales(theirs) and scales(ours)
    assert theirs.dtype_policy.name == ours.dtype_policy.name == HALF


def rows(count=8):
    ids = np.random.default_rng(0).integers(1, 9, (count, 4)).astype("int32")
    return {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": np.ones_like(ids),
    }


def test_fewer_gradients_are_zero_where_the_loss_is_scaled():
    tf = pytest.importorskip("tensorflow")
    if keras.config.backend() != "tensorflow":
        pytest.skip("gradients are taken by TensorFlow's tape")
    keras.utils.set_random_seed(0)
    sizes = {"hidden_dim": 64, "intermediate_dim": 128, "num_layers": 2, "num_heads": 2}
    small = {"vocabulary_size": 9, "max_sequence_length": 4} | sizes
    model = BertTextClassifier(BertBackbone(**small, dtype=HALF), 2)
    model.compile(adamw(1e-3))
    model.optimizer.build(model.trainable_variables)
    labels = np.zeros(8, "int32")
    shares = []
    for scale in (1.0, model.optimizer.scale_loss(1.0)):
        with tf.GradientTape() as tape:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(rows()))
            scaled = tf.reduce_mean(loss) * scale
        watched = [v.value for v in model.trainable_variables if "kernel" in v.path]
        found = np.concatenate([np.ravel(g) for g in tape.gradient(scaled, watched)])
        assert np.isfinite(found).all()
        shares.append(np.mean(found == 0))
    assert shares[0] > 0.01 and shares[1] < shares[0] / 10


def own_head(policy):
    body = backbone(policy)
    head = keras.layers.Dense(2, dtype="float32")
    return keras.Model(body.input, head(body.output["pooled_output"]))


def test_somebodys_own_head_is_told_that_nothing_scales_its_loss():
    model = own_head(HALF)
    model.compile(adamw(1e-3), loss="mse", run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    with pytest.warns(UserWarning, match=r"LossScaleOptimizer\(optimizer\)"):
        if keras.config.backend() == "tensorflow":
            model.train_on_batch(rows(), np.zeros((8, 2)))
        else:  # op by op, each of which JAX compiles
            model.optimizer.scale_loss(1.0)
    for model, optimizer in (
        (own_head(HALF), keras.optimizers.LossScaleOptimizer(adamw(1e-3))),
        (own_head("float32"), adamw(1e-3)),
    ):
        optimizer.build(model.trainable_variables)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            optimizer.scale_loss(1.0)


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="takes long, and is Keras' own there"
)
def test_the_scale_and_the_state_are_kept_by_a_keras_file(tmp_path):
    model = BertTextClassifier(backbone(HALF, dropout=0.0, attention_dropout=0.0), 2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(adamw(1e-3, use_ema=True), loss=loss)
    for _ in range(3):
        model.train_on_batch(rows(), np.zeros(8, "int32"))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) > 0
    for each in (model, loaded):
        each.train_on_batch(rows(), np.zeros(8, "int32"))
    for ours, theirs in zip(
        model.optimizer.variables, loaded.optimizer.variables, strict=True
    ):
        assert np.array_equal(
            keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(theirs)
        )
