"""Requests that TensorFlow Serving answers for itself when it loads a model.

TensorFlow plans a graph when it is first called, which takes a second or two. With
`assets.extra/tf_serving_warmup_requests` in a SavedModel no client waits for that.
"""

from pathlib import Path

import tensorflow as tf

from kbert.signatures import Signature, example_inputs

FILE = "assets.extra/tf_serving_warmup_requests"


def write_warm_up(directory: Path, name: str, signatures: dict[str, Signature]) -> None:
    """Writes a request for each signature into a SavedModel.

    Args:
        directory: of the version.
        name: of the model.
        signatures: by name.

    Raises:
        ModuleNotFoundError: kbert[grpc] is not installed.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError as error:
        raise ModuleNotFoundError(
            f"Expected the packages of kbert[grpc] for warm-up requests; {error.name} "
            "is missing. Install them: pip install 'kbert[grpc]'."
        ) from None
    file = directory / FILE
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for key, signature in signatures.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = key
            for input_name, value in example_inputs(signature).items():
                request.inputs[input_name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())
