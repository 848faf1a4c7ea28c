#!/usr/bin/env bash
# Test with several processes on one machine, or on several that each run this.
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT, PYTHON.
set -euo pipefail

if [[ $# -lt 3 ]]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [arguments of test.py]" >&2
    exit 2
fi
CONFIG=$1
CHECKPOINT=$2
GPUS=$3
shift 3

TOOLS="$(cd -- "$(dirname -- "$0")" > /dev/null && pwd)"
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
# One thread per process, as torchrun would choose with a warning.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"

if [[ "${NNODES:-1}" == 1 && -z "${PORT:-}" ]]; then
    # A free port is chosen, so that two jobs on one machine do not clash.
    RENDEZVOUS=(--standalone --local-addr=127.0.0.1)
else
    RENDEZVOUS=(
        --nnodes="${NNODES:-1}" --node-rank="${NODE_RANK:-0}"
        --master-addr="${MASTER_ADDR:-127.0.0.1}" --master-port="${PORT:-29500}"
    )
fi

exec "${PYTHON:-python}" -m mmdgdm.cli.launch \
    "${RENDEZVOUS[@]}" --nproc-per-node="$GPUS" \
    "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "$@"
