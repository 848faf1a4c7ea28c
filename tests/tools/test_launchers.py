"""The shell scripts that start several processes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from mmdgdm.utils.checkpoint import load_checkpoint_file

# Prints its arguments and the port, one per line.
FAKE_SRUN = '#!/usr/bin/env bash\nprintf "%s\\n" "$@" "port=$MASTER_PORT"\n'
# Starts what follows the options on two machines, a process each, which are this one.
RUNNING_SRUN = """#!/usr/bin/env bash
while [[ "$1" == -* ]]; do [[ "$1" == -p ]] && shift; shift; done
export SLURM_NTASKS=2 SLURM_NNODES=2 SLURM_LOCALID=0 SLURM_NODELIST=here,there
SLURM_PROCID=1 "$@" &
SLURM_PROCID=0 "$@" && wait $!
"""
FAKE_SCONTROL = '#!/usr/bin/env bash\necho 127.0.0.1 "$@"\n'


@pytest.fixture
def run_script(repo_root, script_environment):
    """Run a script of tools/; gives the finished process."""

    def run(name, *arguments, cwd=None, **environment):
        return subprocess.run(
            [str(repo_root / "tools" / name), *map(str, arguments)],
            env={**script_environment, **environment},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def _with_srun(folder: Path, text: str) -> dict[str, str]:
    """An environment in which ``srun`` is a script of the test."""
    (folder / "srun").write_text(text)
    (folder / "srun").chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("name", "arguments", "usage"),
    [
        ("dist_train.sh", ["config.py"], "CONFIG GPUS [arguments"),
        ("dist_test.sh", ["config.py", "a.pth"], "CONFIG CHECKPOINT GPUS [arguments"),
        ("slurm_train.sh", ["part", "job"], "PARTITION JOB_NAME CONFIG [arguments"),
        (
            "slurm_test.sh",
            ["part", "job", "config.py"],
            "PARTITION JOB_NAME CONFIG CHECKPOINT [arguments",
        ),
    ],
)
@pytest.mark.parametrize("number", [0, None])
def test_missing_arguments_print_the_usage(run_script, name, arguments, usage, number):
    done = run_script(name, *arguments[:number])
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
    assert f"{name} {usage}" in done.stderr


def test_slurm_training_is_submitted(run_script, repo_root, tmp_path):
    environment = _with_srun(tmp_path, FAKE_SRUN)
    environment.update(GPUS="16", CPUS_PER_TASK="3", SRUN_ARGS="--quiet --time=5")
    environment.update(PYTHON="python", PORT="1234")
    arguments = ["part", "a job", "my config.py", "--seed", "0"]
    done = run_script("slurm_train.sh", *arguments, **environment)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "-p",
        "part",
        "--job-name=a job",
        "--gres=gpu:8",
        "--ntasks=16",
        "--ntasks-per-node=8",
        "--cpus-per-task=3",
        "--kill-on-bad-exit=1",
        "--signal=USR1@120",
        "--quiet",
        "--time=5",
        "python",
        "-u",
        str(repo_root / "tools" / "train.py"),
        "my config.py",
        "--launcher",
        "slurm",
        "--seed",
        "0",
        "port=1234",
    ]


@pytest.mark.faults
@pytest.mark.parametrize(
    ("code", "job", "requeued"), [(75, "7", True), (75, "", False), (2, "7", False)]
)
def test_slurm_training_that_stopped_is_queued_again(
    run_script, tmp_path, code, job, requeued
):
    environment = _with_srun(tmp_path, f"{FAKE_SRUN}exit {code}\n")
    (tmp_path / "scontrol").write_text('#!/usr/bin/env bash\necho "scontrol $@"\n')
    (tmp_path / "scontrol").chmod(0o755)
    environment.update(SLURM_JOB_ID=job, SLURM_RESTART_COUNT="1")
    done = run_script("slurm_train.sh", "part", "job", "config.py", **environment)
    assert done.returncode == code
    lines = done.stdout.splitlines()
    assert ("scontrol requeue 7" in lines) is requeued
    # A job that was started again goes on.
    assert "--resume" in lines


def test_small_slurm_test_asks_for_no_more_than_it_uses(run_script, tmp_path):
    environment = {**_with_srun(tmp_path, FAKE_SRUN), "GPUS": "2"}
    done = run_script("slurm_test.sh", "p", "j", "c.py", "a b.pth", **environment)
    lines = done.stdout.splitlines()
    assert {"--gres=gpu:2", "--ntasks=2", "--ntasks-per-node=2"} <= set(lines)
    assert lines[-5:-1] == ["c.py", "a b.pth", "--launcher", "slurm"]
    assert 20000 <= int(lines[-1].removeprefix("port=")) < 40000


@pytest.mark.slow
def test_slurm_tests_on_two_machines_without_a_gpu(
    run_script, run_test, trained, tmp_path
):
    common = [trained.config, trained.checkpoint, "--work-dir", str(tmp_path), "--out"]
    assert run_test([*common, str(tmp_path / "one.json")]) == 0
    environment = {**_with_srun(tmp_path, RUNNING_SRUN), "CUDA_VISIBLE_DEVICES": ""}
    (tmp_path / "scontrol").write_text(FAKE_SCONTROL)
    (tmp_path / "scontrol").chmod(0o755)
    arguments = ["part", "job", *common, str(tmp_path / "two.json")]
    done = run_script("slurm_test.sh", *arguments, cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    one, two = (
        json.loads((tmp_path / f"{n}.json").read_text()) for n in ("one", "two")
    )
    assert set(one) == {"accuracy/top1", "accuracy/top2"}
    assert two == one


@pytest.mark.slow
def test_two_processes_train(run_script, tiny_folder, tmp_path):
    work_dir = tmp_path / "two processes"
    done = run_script(
        "dist_train.sh",
        tiny_folder / "tiny.py",
        2,
        "--work-dir",
        work_dir,
        "--cfg-options",
        "train_cfg.max_epochs=1",
        "train_dataloader.batch_size=3",
        cwd=tmp_path,
        CUDA_VISIBLE_DEVICES="",
    )
    assert done.returncode == 0, done.stderr
    checkpoint = load_checkpoint_file(work_dir / "epoch_1.pth")
    # 12 images, 2 processes, 3 images each: two iterations.
    assert checkpoint["meta"]["iter"] == 2
    assert not any(key.startswith("module.") for key in checkpoint["state_dict"])
    assert "Warning" not in done.stderr


@pytest.mark.slow
def test_two_processes_count_every_image_once(
    run_script, run_test, trained, tmp_path, capfd
):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    common = [trained.config, trained.checkpoint]
    work_dir = ["--work-dir", str(tmp_path)]
    assert run_test([*common, *work_dir, "--out", str(one)]) == 0
    done = run_script(
        "dist_test.sh",
        *common,
        2,
        *work_dir,
        "--out",
        two,
        cwd=tmp_path,
        CUDA_VISIBLE_DEVICES="",
    )
    assert done.returncode == 0, done.stderr
    # 13 images do not divide among two processes; the padding must not count.
    assert json.loads(two.read_text()) == json.loads(one.read_text())
    assert done.stdout.count("| accuracy/top1 |") == 1
