#!/usr/bin/env bash
# One request of each form to a classifier. TensorFlow Serving or `kbert serve`:
#   bash requests.sh [http://127.0.0.1:8501] [nsmc]
set -euo pipefail
server=${1:-http://127.0.0.1:8501}
model=$server/v1/models/${2:-nsmc}

ask() {
  curl --silent --show-error --fail-with-body "$@"
  echo
}

ask "$model"
ask "$model/metadata"
# Rows: an object for each text.
ask "$model:predict" -d '{"instances": [{"text": "정말 재미있게 봤습니다"}, {"text": "시간이 아깝다"}]}'
# Columns: a list for each input.
ask "$model:predict" -d '{"inputs": {"text": ["정말 재미있게 봤습니다", "시간이 아깝다"]}}'
# Another of the model's functions.
ask "$model:predict" -d '{"signature_name": "tokenize", "inputs": {"text": ["나는 학교에 갔다!"]}}'
