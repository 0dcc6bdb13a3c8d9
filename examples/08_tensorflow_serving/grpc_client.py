"""Asks TensorFlow Serving over gRPC: strings out, a label and its score back.

    pip install 'kbert[grpc]'
    python grpc_client.py "정말 재미있게 봤습니다" --server 127.0.0.1:8500 --model nsmc

Prints one line for each text, as `1 0.980 정말 재미있게 봤습니다`.
"""

import argparse

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

parser = argparse.ArgumentParser()
parser.add_argument("texts", nargs="+")
parser.add_argument("--server", default="127.0.0.1:8500")
parser.add_argument("--model", default="nsmc")
options = parser.parse_args()

request = predict_pb2.PredictRequest()
request.model_spec.name = options.model
request.model_spec.signature_name = "classify"
request.inputs["text"].CopyFrom(tf.make_tensor_proto(options.texts))
with grpc.insecure_channel(options.server) as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    outputs = stub.Predict(request, timeout=10).outputs

labels = [label.decode() for label in tf.make_ndarray(outputs["label"])]
scores = tf.make_ndarray(outputs["score"])
for text, label, score in zip(options.texts, labels, scores, strict=True):
    print(label, f"{score:.3f}", text)
