#!/usr/bin/env bash
# Train on a Slurm cluster.
# Environment: GPUS, GPUS_PER_NODE, CPUS_PER_TASK, SRUN_ARGS, PORT, PYTHON.
# Two minutes before the time limit the training saves and leaves with exit code 75; a
# batch job is then queued again, and goes on where it was.
set -euo pipefail

if [[ $# -lt 3 ]]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [arguments of train.py]" >&2
    exit 2
fi
PARTITION=$1
JOB_NAME=$2
CONFIG=$3
shift 3

GPUS=${GPUS:-8}
# A job smaller than a node asks for no more than it uses.
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
read -r -a EXTRA <<< "${SRUN_ARGS:-}"

TOOLS="$(cd -- "$(dirname -- "$0")" > /dev/null && pwd)"
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"
# Two jobs that share a machine need two ports.
export MASTER_PORT="${PORT:-${MASTER_PORT:-$((20000 + RANDOM % 20000))}}"

RESUME=()
if [[ "${SLURM_RESTART_COUNT:-0}" != 0 ]]; then
    RESUME=(--resume)
fi

CODE=0
srun -p "$PARTITION" \
    --job-name="$JOB_NAME" \
    --gres="gpu:$GPUS_PER_NODE" \
    --ntasks="$GPUS" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    --signal=USR1@120 \
    ${EXTRA[@]+"${EXTRA[@]}"} \
    "${PYTHON:-python}" -u "$TOOLS/train.py" "$CONFIG" --launcher slurm "$@" \
    ${RESUME[@]+"${RESUME[@]}"} || CODE=$?
if [[ $CODE == 75 && -n "${SLURM_JOB_ID:-}" ]]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$CODE"
