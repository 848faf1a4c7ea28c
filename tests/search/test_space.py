"""Reading a space file, and its keys against a config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmdgdm.engine.setup.config_check import load_config
from mmdgdm.errors import ConfigError

pytest.importorskip("optuna", reason="needs the extra `search`")
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mmdgdm.search.check import check_searchable, check_space
from mmdgdm.search.space import decode, list_values, read_space


def write(tmp_path, text):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    return path


def test_every_kind_is_read_in_order(tmp_path):
    text = "b: {uniform: [0, 1]}\na: {log_uniform: [1e-4, 1]}\n"
    text += "c: {int: [2, 4]}\nd: {choice: [plain, 1, true, null, [0, 16]]}\n"
    text += "e: {uniform: [0, 0.3, 0.1]}\nf: {int: [1, 5, 2]}\n"
    choices = ['"plain"', "1", "true", "null", "[0, 16]"]
    space = read_space(write(tmp_path, text))
    assert list(space.items()) == [
        ("b", FloatDistribution(0.0, 1.0)),
        ("a", FloatDistribution(1e-4, 1.0, log=True)),
        ("c", IntDistribution(2, 4)),
        ("d", CategoricalDistribution(choices)),
        ("e", FloatDistribution(0.0, 0.3, step=0.1)),
        ("f", IntDistribution(1, 5, step=2)),
    ]
    values = [decode(space, {"d": choice})["d"] for choice in choices]
    assert [repr(v) for v in values] == ["'plain'", "1", "True", "None", "[0, 16]"]


def test_json_is_read_too(tmp_path):
    path = tmp_path / "space.json"
    path.write_text(json.dumps({"a": {"uniform": [1e-5, 0.5]}}))
    assert read_space(path) == {"a": FloatDistribution(1e-5, 0.5)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: {uniform: [1, 0]}", "`low <= high` must hold"),
        ("a: {log_uniform: [0.1, 1, 0.1]}", "`step` is not supported"),
        ("a: {int: [0, 4, 0]}", "`step > 0` must hold"),
        ("a: {int: [0, 1.5]}", "to be whole numbers [low, high]"),
        ("a: {uniform: [0]}", "to be numbers [low, high]"),
        ("a: {uniform: [0, .inf]}", "finite bounds"),
        ("a: {uniform: [false, true]}", "to be numbers [low, high]"),
        ("a: {log_uniform: [0, 1]}", "`low > 0` must hold"),
        ("a: {choice: []}", "one or more elements"),
        ("a: {choice: [1, 1]}", "got 1 twice"),
        ("a: {choice: [{b: 1}]}", "or a list of these"),
        ("a: {normal: [0, 1]}", "{uniform: [...]}"),
        ("a: {uniform: [0, 1], int: [0, 1]}", "Expected one of"),
    ],
)
def test_a_wrong_range_names_file_and_key(tmp_path, text, sentence):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_space(path)
    assert str(caught.value).startswith(f"Space file {path}, `a`: ")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: {int: [0, 1]}\na: {int: [0, 2]}", "`a` stands twice"),
        ("a: [", "cannot be read"),
        ("[1]", "to map keys of the config"),
        ("", "to map keys of the config"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, sentence):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=str(path)) as caught:
        read_space(path)
    assert sentence in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml cannot be read"):
        read_space(tmp_path / "gone.yaml")


def test_a_grid_of_real_numbers_needs_a_step():
    with pytest.raises(
        ConfigError, match="`a` to be `choice`, `int` or `uniform` with"
    ):
        list_values({"a": FloatDistribution(0.0, 1.0)})
    # 3 * 0.1 is 0.30000000000000004, which lies outside.
    space = {"a": FloatDistribution(0.0, 0.3, step=0.1)}
    assert list_values(space)["a"] == [0.0, 0.1, 0.2, 0.3]


METHODS = ("acol", "adl", "dgdm", "has")
SPACES = Path(__file__).resolve().parents[2] / "configs" / "_search_"
#: Folder of spaces, and what follows the method in the names of their configs.
ENDINGS = {
    "stamps": "efficientnet-lite0_1xb32-4e_stamps.py",
    "cub10": "efficientnet-lite0_1xb32-4e_cub10.py",
    "tiny_imagenet": "resnet18_1xb32-20e_tiny-imagenet.py",
    "tiny_imagenet_pretrained": "efficientnet-lite0_1xb32-2e_tiny-imagenet-128.py",
}
OF_ALL_METHODS = [
    path for folder in ENDINGS for path in sorted((SPACES / folder).iterdir())
]


@pytest.fixture(scope="module")
def load(repo_root):
    return lambda m: load_config(
        repo_root / f"configs/{m}/{m}_resnet18_1xb32-12e_toy.py"
    )


@pytest.mark.parametrize("method", METHODS)
def test_shipped_spaces_fit_their_toy_config(method, load):
    path = SPACES / f"{method}.yaml"
    cfg = load(method)
    check_searchable(cfg)
    check_space(read_space(path), cfg, name=str(path))


def test_every_shipped_space_is_checked():
    found = {path.stem for path in SPACES.glob("*.yaml")}
    assert found == set(METHODS)


@pytest.mark.parametrize(
    "path", OF_ALL_METHODS, ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_shipped_spaces_of_all_methods_fit_their_config(path, repo_root):
    name = f"{path.stem}_{ENDINGS[path.parent.name]}"
    cfg = load_config(repo_root / "configs" / path.stem.split("-")[0] / name)
    check_searchable(cfg)
    space = read_space(path)
    check_space(space, cfg, name=str(path))
    # First, so that all methods draw the same rates, and then the same lengths.
    first, second, *_ = [*space, ""]
    assert first == "optim_wrapper.optimizer.lr"
    if "train_cfg.max_epochs" in space:
        assert second == "train_cfg.max_epochs"
        # Nothing else may say how long the training is.
        assert all("T_max" not in scheduler for scheduler in cfg.param_scheduler)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (
            "modl.head.num_classes",
            "a run reads; did you mean `model`?",
        ),
        ("model.stage_neks.0.cagd.drop_prob", "stage_neks"),
        ("model.stage_necks.1.cagd.drop_prob", "Index 1 exceeds the length of list"),
        (
            "model.stage_necks.0.drop_rate",
            "of `model.stage_necks.0` to be arguments of DGDM, but got `drop_rate`",
        ),
        ("model.stage_necks.0.sagd.block_sise", "argument 'block_sise'"),
        ("optim_wrapper.optimizer.momentun", "did you mean `momentum`?"),
        (
            "model.backbone.strides.1",
            "is one value of the list `model.backbone.strides`",
        ),
        ("train_cfg.max_epoch", "max_epoch"),
        ("model.head", "is a whole section"),
        ("train_pipeline.0.prob", "is not a key that a run reads"),
        ("test_evaluator.threshold", "the search never touches the test set"),
        ("val_dataloader.batch_size", "different validations"),
        ("randomness.seed", "the seed is set by --seed"),
    ],
)
def test_a_key_that_changes_nothing_names_file_and_key(key, sentence, load):
    space = {key: FloatDistribution(0.1, 0.2)}
    with pytest.raises(ConfigError) as caught:
        check_space(space, load("dgdm"), name="my.yaml")
    assert str(caught.value).startswith(f"Space file my.yaml: `{key}` ")
    assert sentence in str(caught.value)


def test_a_key_beside_given_ones_of_the_same_dict_is_known(load):
    cfg = load("dgdm")
    cfg.model.stage_necks[0]["sagd"] = dict(block_size=5)
    for name, known in (("drop_prob", True), ("drop_porb", False)):
        key = f"model.stage_necks.0.sagd.{name}"
        space = {key: FloatDistribution(0.1, 0.2)}
        if known:
            check_space(space, cfg, name="my.yaml")
        else:
            with pytest.raises(ConfigError, match="keyword argument 'drop_porb'"):
                check_space(space, cfg, name="my.yaml")
    assert cfg.model.stage_necks[0].sagd == dict(block_size=5)


def test_a_key_within_another_is_refused(load):
    keys = ("model.head.cam_targets", "model.head.cam_targets.0")
    space = {key: CategoricalDistribution(['"gt"']) for key in keys}
    with pytest.raises(ConfigError, match=r"lies within `model\.head\.cam_targets`"):
        check_space(space, load("cam"), name="my.yaml")


def test_a_config_without_validation_or_log_is_refused(load):
    cfg = load("cam")
    cfg.visualizer.vis_backends = [dict(type="TensorboardVisBackend")]
    with pytest.raises(ConfigError, match="to hold a LocalVisBackend"):
        check_searchable(cfg)
    cfg = load("cam")
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    with pytest.raises(ConfigError, match="to set `val_dataloader` for a search"):
        check_searchable(cfg)
