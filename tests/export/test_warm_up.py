"""Warm-up requests: what TensorFlow Serving reads, and each one answers."""

import sys

import pytest
import small_models
import tensorflow as tf

from kbert.commands.export import export_saved_model


@pytest.mark.parametrize("kind", ["pair_classifier", "question_answerer"])
def test_every_request_is_answered(kind, tmp_path):
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    directory = small_models.KINDS[kind](tmp_path / kind)
    version = export_saved_model(str(directory), str(tmp_path / "out"), warm_up=True)
    file = version / "assets.extra" / "tf_serving_warmup_requests"
    loaded = tf.saved_model.load(str(version))
    names = []
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        request = logs.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == kind
        names.append(request.model_spec.signature_name)
        inputs = {
            key: tf.constant(tf.make_ndarray(value))
            for key, value in request.inputs.items()
        }
        assert loaded.signatures[names[-1]](**inputs)
    assert sorted([*names, "serving_default"]) == sorted(loaded.signatures)


def test_none_unless_asked_for(exported):
    assert not (exported("classifier") / "assets.extra").exists()


def test_without_the_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    directory = small_models.encoder(tmp_path / "encoder")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kbert\[grpc\]'"):
        export_saved_model(str(directory), str(tmp_path / "out"), warm_up=True)
    assert not any((tmp_path / "out" / "encoder").iterdir())
