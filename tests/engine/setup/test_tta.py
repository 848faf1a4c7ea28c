"""What ``--tta`` changes in a config."""

from __future__ import annotations

import pytest
from mmengine.config import Config
from mmengine.registry import TRANSFORMS, init_default_scope

from mmdgdm.engine.setup.tta import enable_tta
from mmdgdm.errors import ConfigError

PACK = dict(type="mmdgdm.PackWSOLInputs")
RESIZE = dict(type="Resize", scale=(8, 8))


def make_config(**changes) -> Config:
    loader = dict(
        batch_size=2, dataset=dict(type="mmdgdm.Toy", pipeline=[RESIZE, PACK])
    )
    collate = dict(collate_fn=dict(type="default_collate"))
    config = dict(model=dict(type="ImageClassifier"), test_dataloader=loader | collate)
    return Config(config | changes)


def test_the_default_is_the_mirror_image():
    cfg = make_config()
    enable_tta(cfg)
    assert cfg.model.to_dict() == dict(
        type="mmdgdm.WSOLTTAModel", module=dict(type="ImageClassifier")
    )
    flip = dict(type="RandomFlip", direction="horizontal")
    views = [[dict(flip, prob=0.0), dict(flip, prob=1.0)], [dict(PACK, as_view=True)]]
    pipeline = cfg.test_dataloader.dataset.pipeline
    assert pipeline == [RESIZE, dict(type="TestTimeAug", transforms=views)]
    assert cfg.test_dataloader.collate_fn.type == "pseudo_collate"
    assert cfg.test_dataloader.batch_size == 2


def test_the_config_chooses_views_and_model():
    cfg = make_config(tta_model=dict(type="Other", x=1), tta_pipeline=[PACK])
    enable_tta(cfg)
    assert cfg.model.to_dict() == dict(
        type="Other", x=1, module=dict(type="ImageClassifier")
    )
    assert cfg.test_dataloader.dataset.pipeline == [PACK]


def test_a_loader_shared_with_val_is_left_alone():
    cfg = make_config()
    cfg.val_dataloader = cfg.test_dataloader
    enable_tta(cfg)
    assert cfg.val_dataloader.dataset.pipeline == [RESIZE, PACK]
    assert cfg.val_dataloader.collate_fn.type == "default_collate"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(model=None), "`model`"),
        (dict(test_dataloader=None), "`test_dataloader`"),
        (dict(test_dataloader=dict(dataset=dict(type="A"))), "`pipeline`"),
        (dict(test_dataloader=dict(dataset=dict(pipeline=[RESIZE]))), "got 'Resize'"),
        (dict(test_dataloader=dict(dataset=dict(pipeline=[]))), "got None"),
    ],
)
def test_what_cannot_be_wrapped_is_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        enable_tta(make_config(**changes))


def test_the_shipped_ten_views_cover_the_image(repo_root):
    cfg = Config.fromfile(repo_root / "configs/_base_/tta/flip_five_crop_224.py")
    init_default_scope("mmpretrain")
    views = TRANSFORMS.build(cfg.tta_pipeline[-1]).subroutines
    assert len(views) == 10
    windows = [view.transforms[0].window for view in views]
    assert {(x1 - x0, y1 - y0) for x0, y0, x1, y1 in windows} == {(0.875, 0.875)}
    assert {window[:2] for window in windows} == {
        (0, 0),
        (0.125, 0),
        (0, 0.125),
        (0.125, 0.125),
        (0.0625, 0.0625),
    }
    assert [view.transforms[1].prob for view in views] == [0.0, 1.0] * 5
