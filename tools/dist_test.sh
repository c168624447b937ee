#!/usr/bin/env bash
# tools/dist_test.sh CONFIG CHECKPOINT DEVICES [arguments of tools/test.py]
# Where there is no GPU, DEVICES is the number of processes (gloo).
# Several machines: NNODES, NODE_RANK, MASTER_ADDR, PORT.
set -euo pipefail
if (($# < 3)); then
    echo "usage: tools/dist_test.sh CONFIG CHECKPOINT DEVICES [arguments of tools/test.py]" >&2
    exit 2
fi
config=$1
checkpoint=$2
devices=$3
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$devices" \
    "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "${@:4}"
