#!/usr/bin/env bash
# tools/dist_train.sh CONFIG DEVICES [arguments of tools/train.py]
# Where there is no GPU, DEVICES is the number of processes (gloo).
# Several machines: NNODES, NODE_RANK, MASTER_ADDR, PORT.
set -euo pipefail
if (($# < 2)); then
    echo "usage: tools/dist_train.sh CONFIG DEVICES [arguments of tools/train.py]" >&2
    exit 2
fi
config=$1
devices=$2
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$devices" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
