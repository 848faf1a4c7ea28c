"""Several processes on machines without a GPU.

mmengine 0.10 selects a CUDA device before it starts its process group, also
where there is none. A group that already exists is used as it is, so on such a
machine it is started here, with gloo.
"""

from __future__ import annotations

import gc
import os
import subprocess
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from mmengine.config import Config
from mmengine.device import get_device

from mmdgdm.errors import ConfigError

#: Where each launcher says rank, number of processes and rank on the machine.
_VARIABLES = {
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    "mpi": (
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
    ),
}


def rank_from_environment() -> int:
    """The rank that a launcher gave to this process; 0 without a launcher."""
    for rank, *_ in _VARIABLES.values():
        if os.environ.get(rank, "").isdigit():
            return int(os.environ[rank])
    return 0


def set_launcher(cfg: Config, launcher: str, *, local_rank: int = 0) -> None:
    """Write the launcher into the config and check that it did start this process.

    Args:
        cfg: The config to change.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        local_rank: Rank on this machine, where a launcher passes it as an
            argument and not in the environment.

    Raises:
        ConfigError: If the environment variables of the launcher are missing.
    """
    cfg.launcher = launcher
    if launcher == "none":
        return
    if launcher == "pytorch":
        os.environ.setdefault("LOCAL_RANK", str(local_rank))
    missing = [name for name in _VARIABLES[launcher] if name not in os.environ]
    if missing:
        raise ConfigError(
            f"Expected `--launcher {launcher}` to come with {', '.join(missing)} in "
            "the environment, but the process was started without a launcher: use "
            "tools/dist_train.sh, tools/slurm_train.sh or their test forms."
        )


def prepare_cpu_processes(cfg: Config) -> None:
    """Start the process group and choose the model wrapper, if there is no GPU.

    Nothing is done without a launcher or on a machine with an accelerator. How long
    processes wait for each other is ``env_cfg.dist_cfg.timeout``, in seconds; torch's
    own limit is 30 minutes.

    Args:
        cfg: The config to change: the wrapper must not name a device.

    Raises:
        ConfigError: If the address of the first process is unknown, or the limit is no
            number above 0.
    """
    if cfg.get("launcher", "none") == "none" or get_device() != "cpu":
        return
    wrapper = cfg.get("model_wrapper_cfg")
    if wrapper is None:
        unused = cfg.get("find_unused_parameters", False)
        wrapper = {"find_unused_parameters": unused}
    kind = wrapper.get("type", "MMDistributedDataParallel")
    if "DistributedDataParallel" in str(kind):
        wrapper = {"device_ids": None, **wrapper}
    cfg.model_wrapper_cfg = {**wrapper, "type": kind}
    if dist.is_initialized():
        return
    # What torch reads (RANK, ...), from what the launcher set.
    for name, source in zip(_VARIABLES["pytorch"], _VARIABLES[cfg.launcher]):
        os.environ[name] = os.environ[source]
    os.environ.setdefault("MASTER_PORT", "29500")
    if "MASTER_ADDR" not in os.environ:
        os.environ["MASTER_ADDR"] = _first_machine()
    dist.init_process_group("gloo", **_time_limit(cfg))


def _first_machine() -> str:
    """Ask Slurm for the first machine of a job of several, as mmengine does."""
    if os.environ.get("SLURM_NNODES", "1") == "1":
        return "127.0.0.1"
    command = ["scontrol", "show", "hostnames", os.environ.get("SLURM_NODELIST", "")]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        return told.stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        raise ConfigError(
            "Expected MASTER_ADDR to name the first machine of the job, but it is "
            f"not set in the environment, and `{' '.join(command)}` does not tell it."
        ) from error


def _time_limit(cfg: Config) -> dict[str, Any]:
    """How long processes wait for each other, as an argument for torch."""
    limit = ((cfg.get("env_cfg") or {}).get("dist_cfg") or {}).get("timeout")
    if limit is None:
        return {}
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or limit <= 0:
        raise ConfigError(
            "Expected `env_cfg.dist_cfg.timeout` to be a number of seconds above 0, "
            f"but got {limit!r}."
        )
    return {"timeout": timedelta(seconds=limit)}


def end_processes() -> None:
    """Leave the process group, if one is running, all processes together."""
    if dist.is_available() and dist.is_initialized():
        # A wrapped model holds threads of the group, and hooks hold the model in
        # circles: left to the end of the process, they can abort it.
        gc.collect()
        # gloo aborts a process whose partners leave while it still talks to them.
        dist.barrier()
        dist.destroy_process_group()
