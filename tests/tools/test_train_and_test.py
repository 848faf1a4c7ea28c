"""tools/train.py and tools/test.py in this process, on a tiny experiment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmdgdm.utils.checkpoint import load_checkpoint_file


@pytest.fixture(autouse=True)
def plain_errors(monkeypatch):
    """No tracebacks, no rank."""
    for name in ("MMDGDM_TRACEBACK", "RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)


def _one_error(capsys) -> str:
    """The last line on stderr, which must be the only error and no traceback."""
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    lines = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def test_training_writes_checkpoints_and_its_config(trained):
    names = {path.name for path in trained.work_dir.iterdir()}
    assert {"epoch_1.pth", "epoch_2.pth", "last_checkpoint", "tiny.py"} <= names


def test_own_checkpoint_holds_the_whole_state(trained):
    checkpoint = load_checkpoint_file(trained.checkpoint)
    assert checkpoint["meta"]["epoch"] == 2
    assert checkpoint["meta"]["iter"] == 6
    assert checkpoint["meta"]["seed"] == 0
    losses, _ = checkpoint["message_hub"]["log_scalars"]["train/loss"].data
    assert len(losses) == 6


def test_test_prints_a_table_and_writes_json(trained, run_test, tmp_path, capsys):
    out = tmp_path / "new" / "metrics.json"
    argv = [trained.config, trained.checkpoint, "--work-dir", str(tmp_path)]
    assert run_test([*argv, "--out", str(out)]) == 0
    metrics = json.loads(out.read_text())
    assert set(metrics) == {"accuracy/top1", "accuracy/top2"}
    top1 = f"{metrics['accuracy/top1']:.2f}"
    assert f"| accuracy/top1 | {top1:>6} |" in capsys.readouterr().out


def test_val_split_gives_what_training_saw(trained, run_test, tmp_path):
    out = tmp_path / "metrics.json"
    argv = [trained.config, trained.checkpoint, "--work-dir", str(tmp_path)]
    assert run_test([*argv, "--split", "val", "--out", str(out)]) == 0
    [scalars] = trained.work_dir.glob("*/vis_data/scalars.json")
    last = json.loads(scalars.read_text().splitlines()[-1])
    for key, value in json.loads(out.read_text()).items():
        assert value == pytest.approx(last[key])


def test_pictures_are_left_to_the_hook(trained, run_test, tmp_path, monkeypatch):
    made = []

    class Recorder(Hook):
        def __init__(self, **settings):
            made.append(settings)

    real = HOOKS.get
    monkeypatch.setattr(
        HOOKS,
        "get",
        lambda name: Recorder if name == "mmdgdm.WSOLVisualizationHook" else real(name),
    )
    argv = [trained.config, trained.checkpoint, "--work-dir", str(tmp_path)]
    assert run_test([*argv, "--show-dir", "pictures", "--show-num", "3"]) == 0
    assert made == [dict(out_dir="pictures", num_images=3)]


def test_scores_are_kept_if_drawing_fails(
    trained, run_test, tmp_path, monkeypatch, capsys
):
    class Failing(Hook):
        priority = "LOW"

        def __init__(self, **settings):
            """Take any settings."""

        def after_test_epoch(self, runner, metrics=None):
            raise OSError("No space left on device")

    real = HOOKS.get
    monkeypatch.setattr(
        HOOKS,
        "get",
        lambda name: Failing if name == "mmdgdm.WSOLVisualizationHook" else real(name),
    )
    out = tmp_path / "metrics.json"
    argv = [trained.config, trained.checkpoint, "--work-dir", str(tmp_path)]
    with pytest.raises(OSError, match="No space left"):
        run_test([*argv, "--show-dir", "pictures", "--out", str(out)])
    assert set(json.loads(out.read_text())) == {"accuracy/top1", "accuracy/top2"}
    assert "| accuracy/top1 |" in capsys.readouterr().out


def test_number_of_pictures_needs_a_folder(trained, run_test, capsys):
    with pytest.raises(SystemExit) as stop:
        run_test([trained.config, trained.checkpoint, "--show-num", "3"])
    assert stop.value.code == 2
    assert "--show-num: needs --show-dir" in capsys.readouterr().err


def _train(tiny_folder: Path, run_train, name: str, *argv: str) -> dict:
    """Train for one epoch more or less; the last checkpoint of the run."""
    work_dir = tiny_folder / name
    config = next(iter(argv), "")
    config = argv[0] if config.endswith(".py") else str(tiny_folder / "tiny.py")
    options = [item for item in argv if item != config]
    assert run_train([config, "--work-dir", str(work_dir), *options]) == 0
    return load_checkpoint_file((work_dir / "last_checkpoint").read_text())


def test_training_is_continued_where_it_ended(trained, tiny_folder, run_train):
    first = str(trained.work_dir / "epoch_1.pth")
    resumed = _train(tiny_folder, run_train, "resumed", "--resume", first)
    whole = load_checkpoint_file(trained.checkpoint)
    assert resumed["meta"]["epoch"] == 2
    assert resumed["meta"]["iter"] == 6
    history = resumed["message_hub"]["log_scalars"]["train/loss"]
    expected = whole["message_hub"]["log_scalars"]["train/loss"]
    assert len(history.data[0]) == 6
    assert list(history.data[0][:3]) == list(expected.data[0][:3])
    rates = [group["lr"] for group in resumed["optimizer"]["param_groups"]]
    assert rates == [group["lr"] for group in whole["optimizer"]["param_groups"]]


SCHEDULE = "param_scheduler.1.milestones=[5]"


@pytest.mark.parametrize(
    ("option", "kept"),
    [
        ("optim_wrapper.optimizer.lr=0.5", "lr of the optimizer 0.05 (config: 0.5)"),
        (SCHEDULE, "milestones of MultiStepLR Counter({1: 1}) (config: Counter({5"),
    ],
)
def test_log_says_what_a_resumed_run_keeps(
    trained, tiny_folder, run_train, tmp_path, option, kept
):
    argv = ["--resume", str(trained.work_dir / "epoch_1.pth"), "--cfg-options", option]
    assert run_train([trained.config, "--work-dir", str(tmp_path), *argv]) == 0
    (log,) = (path.read_text() for path in tmp_path.glob("*/*.log"))
    assert "epoch_1.pth is resumed after epoch 1, iteration 3. The checkpoint" in log
    assert f"Kept from the checkpoint although the config differs: {kept}" in log
    whole = load_checkpoint_file(trained.checkpoint)["optimizer"]["param_groups"][0]
    state = load_checkpoint_file(tmp_path / "epoch_2.pth")
    assert state["optimizer"]["param_groups"][0]["lr"] == whole["lr"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "type='SGD', lr=0.05, momentum=0.9",
            "type='Adam', lr=0.05",
            "its optimizer is SGD, that of the config Adam",
        ),
        (
            "optim_wrapper = dict(",
            "optim_wrapper = dict(paramwise_cfg=dict(bias_lr_mult=2.0), ",
            "has 1 groups of 62 parameters, that of the config 62 of 62",
        ),
        ("param_scheduler = ", "param_scheduler = None; _ = ", "the config are none"),
        ("'MultiStepLR', milestones=[1]", "'ExponentialLR', gamma=0.5", "Exponential"),
    ],
)
def test_what_cannot_be_resumed_is_one_sentence(
    trained, run_train, tmp_path, old, new, reason, capsys
):
    text = Path(trained.config).read_text()
    assert old in text
    (tmp_path / "other.py").write_text(text.replace(old, new))
    argv = [str(tmp_path / "other.py"), "--resume", trained.checkpoint]
    assert run_train([*argv, "--work-dir", str(tmp_path)]) == 2
    error = _one_error(capsys)
    assert f"{trained.checkpoint} cannot be resumed: its " in error
    assert reason in error


def test_config_in_a_checkpoint_is_not_executed(trained, run_train, tmp_path):
    state = load_checkpoint_file(trained.work_dir / "epoch_1.pth")
    state["meta"]["config"] = f"open({str(tmp_path / 'ran')!r}, 'w')"
    torch.save(state, tmp_path / "bad.pth")
    argv = [trained.config, "--work-dir", str(tmp_path / "run")]
    assert run_train([*argv, "--resume", str(tmp_path / "bad.pth")]) == 0
    assert not (tmp_path / "ran").exists()


def test_shipped_loaders_run_without_workers(trained, run_train, tmp_path):
    options = ["train_dataloader.persistent_workers=True", "train_cfg.max_epochs=1"]
    argv = [trained.config, "--work-dir", str(tmp_path), "--no-validate"]
    assert run_train([*argv, "--cfg-options", *options]) == 0


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("work_dir={folder}/file/run", "work_dir` to be a folder that can be written"),
        ("visualizer.vis_backends.0.type=TensorboardVisBackend", "tensorboard"),
        ("loader.num_workers=2", "sets a variable of the config file"),
    ],
)
def test_what_this_machine_cannot_do_is_one_sentence(
    trained, run_train, tmp_path, option, sentence, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    config = tmp_path / "other.py"
    visualizer = "dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])"
    config.write_text(f"_base_ = {trained.config!r}\nvisualizer = {visualizer}\n")
    argv = [str(config), "--cfg-options", option.format(folder=tmp_path)]
    assert run_train(argv) == 2
    assert sentence in _one_error(capsys)


def test_adamw_with_moving_average_is_saved_loaded_and_continued(
    tiny_folder, run_train, run_test
):
    config = str(tiny_folder / "tiny_ema.py")
    one_epoch = ["--cfg-options", "train_cfg.max_epochs=1"]
    first = _train(tiny_folder, run_train, "ema", config, "--no-validate", *one_epoch)
    assert first["meta"]["epoch"] == 1
    # Without a value --resume takes the newest checkpoint of the work dir.
    second = _train(tiny_folder, run_train, "ema", config, "--resume")
    assert second["meta"]["epoch"] == 2
    assert second["ema_state_dict"]["steps"] == 6
    steps = {int(state["step"]) for state in second["optimizer"]["state"].values()}
    assert steps == {6}
    work_dir = tiny_folder / "ema"
    argv = [config, str(work_dir / "epoch_2.pth"), "--work-dir", str(work_dir)]
    assert run_test(argv) == 0


def test_options_of_training_reach_the_run(tiny_folder, run_train):
    argv = ["--no-validate", "--auto-scale-lr", "--seed", "7"]
    options = ["--cfg-options", "train_cfg.max_epochs=1", "param_scheduler=None"]
    options.append("randomness.diff_rank_seed=True")
    run = _train(tiny_folder, run_train, "options", *argv, *options)
    assert run["meta"]["seed"] == 7
    assert "diff_rank_seed=True, seed=7" in run["meta"]["cfg"]
    # Batches of 4 for a rate that was made for batches of 8.
    assert run["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.025)
    assert not any("accuracy" in key for key in run["message_hub"]["log_scalars"])


def test_default_work_dir_is_named_after_the_config(
    trained, run_test, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run_test([trained.config, trained.checkpoint]) == 0
    assert (tmp_path / "work_dirs" / "tiny").is_dir()


def test_fine_tuning_may_change_the_head(trained, tiny_folder, run_train, tmp_path):
    # The checked number of classes is that of the data, so the check is left out.
    options = [
        "model.head.num_classes=5",
        f"load_from={trained.checkpoint}",
        "custom_hooks=[]",
        "train_cfg.max_epochs=1",
    ]
    run = _train(tiny_folder, run_train, "tuned", "--cfg-options", *options)
    assert run["state_dict"]["head.fc.weight"].shape == (5, 32)
    logs = "".join(p.read_text() for p in (tiny_folder / "tuned").glob("*/*.log"))
    assert "these start as the config initializes them: head.fc.weight" in logs


@pytest.mark.parametrize(
    ("tool", "argv", "sentence"),
    [
        ("train", ["missing.py"], "Config missing.py does not exist."),
        ("test", ["{config}", "no.pth"], "Checkpoint no.pth does not exist."),
        ("train", ["{config}", "--resume", "no.pth"], "no.pth does not exist."),
        ("train", ["{config}", "--cfg-options", "modl.x=1"], "did you mean `model`?"),
        ("test", ["{config}", "{checkpoint}", "--out", "a.pkl"], "a .json file"),
        ("train", ["{config}", "--launcher", "pytorch"], "tools/dist_train.sh"),
    ],
)
def test_error_of_the_user_is_one_sentence(
    request, trained, tool, argv, sentence, capsys
):
    argv = [word.format(**vars(trained)) for word in argv]
    capsys.readouterr()
    assert request.getfixturevalue(f"run_{tool}")(argv) == 2
    assert sentence in _one_error(capsys)


@pytest.mark.skipif(torch.cuda.is_available(), reason="only without a GPU")
def test_mixed_precision_without_a_gpu_is_one_sentence(trained, run_train, capsys):
    wrapper = "optim_wrapper.type=AmpOptimWrapper"
    assert run_train([trained.config, "--cfg-options", wrapper]) == 2
    assert "Expected a GPU for `optim_wrapper.type=" in _one_error(capsys)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("model.backbone.type=ResNeet", "`model.backbone.type` to be a registered"),
        ("model.backbone.depht=18", "got `depht`; did you mean `depth`?"),
        ("train_dataloader.dataset.data_prefix=gone", "`train_dataloader.dataset`"),
        ("train_dataloader.batch_sise=2", "got `batch_sise`"),
        ("model.head.num_classes=5", "got 5 for the head and 3 for CustomDataset"),
    ],
)
def test_wrong_setting_is_one_sentence(
    trained, run_train, tmp_path, option, sentence, capsys
):
    argv = [trained.config, "--work-dir", str(tmp_path), "--cfg-options", option]
    assert run_train(argv) == 2
    assert sentence in _one_error(capsys)


@pytest.mark.parametrize("tool", ["train", "test"])
def test_checkpoint_of_other_classes_is_one_sentence(
    request, trained, tool, tmp_path, capsys
):
    if tool == "test":
        argv = [trained.config, trained.checkpoint]
    else:
        argv = [trained.config, "--resume", trained.checkpoint]
    argv += ["--work-dir", str(tmp_path), "--cfg-options", "model.head.num_classes=5"]
    assert request.getfixturevalue(f"run_{tool}")(argv) == 2
    error = _one_error(capsys)
    assert "`head.fc.weight` has shape (3, 32) in the checkpoint but (5, 32)" in error


def test_refused_checkpoint_is_one_sentence(trained, run_test, tmp_path, capsys):
    class Call:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    torch.save({"state_dict": Call()}, tmp_path / "bad.pth")
    argv = [trained.config, str(tmp_path / "bad.pth"), "--work-dir", str(tmp_path)]
    assert run_test(argv) == 2
    assert "bad.pth is refused: it asks for pathlib" in _one_error(capsys)
    assert not (tmp_path / "ran").exists()


def test_written_config_can_be_used_again(trained):
    assert Config.fromfile(trained.work_dir / "tiny.py").train_cfg.max_epochs == 2
