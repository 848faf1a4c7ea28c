"""Launchers and several processes without a GPU."""

from __future__ import annotations

from datetime import timedelta

import pytest
import torch.distributed as dist
from mmengine.config import Config

from mmdgdm.engine.setup import processes as distributed
from mmdgdm.engine.setup.processes import (
    end_processes,
    prepare_cpu_processes,
    rank_from_environment,
    set_launcher,
)
from mmdgdm.errors import ConfigError

_NAMES = [name for names in distributed._VARIABLES.values() for name in names]
_NAMES += ["MASTER_ADDR", "MASTER_PORT", "SLURM_NNODES", "SLURM_NODELIST"]


@pytest.fixture(autouse=True)
def no_job(monkeypatch):
    """An environment without a launcher, put back afterwards."""
    for name in _NAMES:
        # Set first, so that also what the code sets itself is put back.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    yield
    end_processes()


@pytest.fixture
def started(monkeypatch):
    """Backends of process groups that would have been started."""
    backends = []
    monkeypatch.setattr(dist, "init_process_group", backends.append)
    monkeypatch.setattr(distributed, "get_device", lambda: "cpu")
    return backends


def _set(monkeypatch, **values):
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", ["RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"])
def test_rank_is_what_the_launcher_says(monkeypatch, name):
    _set(monkeypatch, **{name: "3"})
    assert rank_from_environment() == 3


def test_rank_without_a_launcher_is_zero():
    assert rank_from_environment() == 0


def test_launcher_none_needs_nothing():
    cfg = Config(dict(launcher="pytorch"))
    set_launcher(cfg, "none")
    assert cfg.launcher == "none"


def test_local_rank_may_come_as_an_argument(monkeypatch):
    _set(monkeypatch, RANK="1", WORLD_SIZE="2")
    set_launcher(Config(dict()), "pytorch", local_rank=1)
    assert distributed.os.environ["LOCAL_RANK"] == "1"


@pytest.mark.parametrize(
    ("launcher", "name"),
    [("pytorch", "RANK"), ("slurm", "SLURM_NTASKS"), ("mpi", "OMPI_COMM_WORLD_SIZE")],
)
def test_launcher_that_did_not_start_the_process_is_an_error(launcher, name):
    with pytest.raises(ConfigError, match=rf"`--launcher {launcher}`.*{name}.*dist_"):
        set_launcher(Config(dict()), launcher)


def test_single_process_needs_no_group(started):
    cfg = Config(dict(launcher="none"))
    prepare_cpu_processes(cfg)
    assert started == []
    assert "model_wrapper_cfg" not in cfg


def test_machines_with_a_gpu_are_left_to_mmengine(started, monkeypatch):
    monkeypatch.setattr(distributed, "get_device", lambda: "cuda")
    cfg = Config(dict(launcher="pytorch"))
    prepare_cpu_processes(cfg)
    assert started == []
    assert "model_wrapper_cfg" not in cfg


def test_gloo_and_a_wrapper_without_devices_are_chosen(started, monkeypatch):
    _set(monkeypatch, RANK="0", WORLD_SIZE="1", LOCAL_RANK="0")
    cfg = Config(dict(launcher="pytorch", find_unused_parameters=True))
    prepare_cpu_processes(cfg)
    assert started == ["gloo"]
    assert cfg.model_wrapper_cfg == dict(
        type="MMDistributedDataParallel", device_ids=None, find_unused_parameters=True
    )


@pytest.mark.parametrize(
    ("wrapper", "added"),
    [
        (dict(detect_anomalous_params=True), dict(device_ids=None)),
        (dict(type="MMSeparateDistributedDataParallel"), dict(device_ids=None)),
        (dict(type="MyWrapper", a=1), dict()),
    ],
)
def test_wrapper_of_the_config_is_kept(started, monkeypatch, wrapper, added):
    _set(monkeypatch, RANK="0", WORLD_SIZE="1", LOCAL_RANK="0")
    cfg = Config(dict(launcher="pytorch", model_wrapper_cfg=wrapper))
    prepare_cpu_processes(cfg)
    expected = {"type": "MMDistributedDataParallel", **added, **wrapper}
    assert cfg.model_wrapper_cfg == expected


@pytest.mark.parametrize("launcher", ["slurm", "mpi"])
def test_ranks_of_other_launchers_are_handed_to_torch(started, monkeypatch, launcher):
    rank, size, local = distributed._VARIABLES[launcher]
    _set(monkeypatch, **{rank: "5", size: "8", local: "1"})
    prepare_cpu_processes(Config(dict(launcher=launcher)))
    environment = distributed.os.environ
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR")
    assert [environment[name] for name in names] == ["5", "8", "1", "127.0.0.1"]
    assert started == ["gloo"]


SLURM = dict(
    SLURM_PROCID="5",
    SLURM_NTASKS="8",
    SLURM_LOCALID="1",
    SLURM_NNODES="2",
    SLURM_NODELIST="node[3-4]",
)


def test_slurm_tells_the_first_of_several_machines(started, monkeypatch, tmp_path):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(
        '#!/bin/sh\n[ "$*" = "show hostnames node[3-4]" ] && echo node3'
    )
    scontrol.chmod(0o755)
    _set(monkeypatch, **SLURM, PATH=str(tmp_path))
    prepare_cpu_processes(Config(dict(launcher="slurm")))
    assert distributed.os.environ["MASTER_ADDR"] == "node3"
    assert started == ["gloo"]


def test_slurm_job_on_several_machines_needs_an_address(started, monkeypatch, tmp_path):
    _set(monkeypatch, **SLURM, PATH=str(tmp_path))
    with pytest.raises(ConfigError, match=r"MASTER_ADDR.*scontrol show hostnames node"):
        prepare_cpu_processes(Config(dict(launcher="slurm")))


def test_how_long_processes_wait_is_set_by_the_config(monkeypatch):
    limits = []
    monkeypatch.setattr(dist, "init_process_group", lambda *_, **k: limits.append(k))
    monkeypatch.setattr(distributed, "get_device", lambda: "cpu")
    _set(monkeypatch, RANK="0", WORLD_SIZE="1", LOCAL_RANK="0")
    env_cfg = dict(dist_cfg=dict(backend="nccl", timeout=90))
    prepare_cpu_processes(Config(dict(launcher="pytorch", env_cfg=env_cfg)))
    assert limits == [dict(timeout=timedelta(seconds=90))]


@pytest.mark.parametrize("limit", [0, -1, "90", True])
def test_a_time_limit_is_a_number_above_zero(started, monkeypatch, limit):
    _set(monkeypatch, RANK="0", WORLD_SIZE="1", LOCAL_RANK="0")
    env_cfg = dict(dist_cfg=dict(timeout=limit))
    with pytest.raises(ConfigError, match=r"`env_cfg\.dist_cfg\.timeout` to be a num"):
        prepare_cpu_processes(Config(dict(launcher="pytorch", env_cfg=env_cfg)))


def test_running_group_is_used_and_left(tmp_path):
    store = f"file://{tmp_path / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    prepare_cpu_processes(Config(dict(launcher="pytorch")))
    assert dist.is_initialized()
    end_processes()
    assert not dist.is_initialized()
    end_processes()
