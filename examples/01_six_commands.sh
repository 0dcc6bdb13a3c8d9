#!/usr/bin/env bash
# Raw text to a SavedModel in six commands. Takes a folder of *.txt and a labelled TSV:
#   examples/01_six_commands.sh TEXT_DIR TRAIN.tsv TEST.tsv WORK_DIR [STEPS]
# Last line:
#   … WORK_DIR/saved_models/classifier/1
set -euo pipefail
text="$1" train="$2" test="$3" work="$4" steps="${5:-10000}"

kbert vocab "$text" --output "$work/vocabulary" --vocabulary-size "${VOCABULARY_SIZE:-16000}"
kbert pretrain "$text" --vocabulary "$work/vocabulary" --output "$work/bert" --steps "$steps"
kbert fill-mask "$work/bert" "이 영화 정말 [MASK]"
kbert finetune classification --model "$work/bert" --train "$train" --text-column document --output "$work/classifier"
kbert evaluate "$work/classifier" "$test"
kbert export "$work/classifier" --output "$work/saved_models"
