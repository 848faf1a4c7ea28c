"""Mixed precision, accumulation, checkpointed activations, compiling, averaging.

Each is mmengine's or torch's own; the layers, heads and classifier must stand it.
"""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, MODELS, init_default_scope
from mmengine.runner import turn_on_activation_checkpointing
from mmpretrain.structures import DataSample
from torch._dynamo.testing import CompileCounterWithBackend
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    apply_activation_checkpointing,
)

from mmdgdm.apis.runner import run_training
from mmdgdm.models.necks import AttentionDropout

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
LAYERS = {
    "ADL": dict(type="mmdgdm.ADL", drop_rate=0.5),
    "DGDM": dict(type="mmdgdm.DGDM", sagd=dict(bg_threshold=1.0, bg_rule="mean")),
    "DropBlock": dict(type="mmdgdm.DropBlock", drop_prob=0.3, block_size=3),
}
NARROW = dict(stem_channels=8, base_channels=8)


@pytest.fixture
def build():
    """Returns a function that builds a small network with layers, in training."""

    def build(*necks, norm="BN", **backbone):
        init_default_scope("mmpretrain")
        torch.manual_seed(0)
        cfg = Config.fromfile(CONFIGS / "_base_/models/resnet18_toy.py").model
        norm_cfg = dict(type="GN", num_groups=4) if norm == "GN" else dict(type=norm)
        cfg.backbone.update(NARROW, norm_cfg=norm_cfg, **backbone)
        cfg.head.update(num_classes=4, in_channels=64)
        cfg.stage_necks = list(necks)
        return MODELS.build(cfg).train()

    return build


def batch(number=4, device="cpu"):
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (number, 3, 64, 64), generator=generator)
    return dict(
        inputs=list(images.to(torch.uint8).to(device)),
        data_samples=[DataSample().set_gt_label(i % 4) for i in range(number)],
    )


def wrap(model, **settings):
    optimizer = dict(type="SGD", lr=0.01, momentum=0.9)
    return build_optim_wrapper(model, dict(optimizer=optimizer, **settings))


PRECISIONS = [
    pytest.param("cpu", dict(type="mmdgdm.BFloat16OptimWrapper"), id="cpu"),
    pytest.param(
        "cuda", dict(type="AmpOptimWrapper"), marks=[pytest.mark.cuda, GPU], id="cuda"
    ),
]


@pytest.mark.parametrize(("device", "wrapper"), PRECISIONS)
def test_mixed_precision_loses_nearly_what_float32_does(build, device, wrapper):
    losses, dtypes = [], set()
    for settings in (dict(), wrapper):
        model = build(dict(LAYERS["DGDM"], after="layer4.1"), norm="GN").to(device)
        # Rounding would decide whether a place is erased.
        model.stage_necks[0].neck.strength = 0.0
        optim_wrapper = wrap(model, **settings)
        hook = model.backbone.layer4.register_forward_hook(
            lambda module, args, out: dtypes.add(out.dtype)
        )
        steps = [model.train_step(batch(), optim_wrapper) for _ in range(4)]
        losses.append([step["loss"].item() for step in steps])
        hook.remove()
    half = torch.float16 if device == "cuda" else torch.bfloat16
    assert dtypes == {torch.float32, half}
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0]
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    # What is left of it in validation: nothing.
    found = model.eval().val_step(batch())
    features = model.extract_feat(model.data_preprocessor(batch())["inputs"])
    assert features[-1].dtype == torch.float32
    assert {sample.cam.dtype for sample in found} == {torch.float32}


@pytest.mark.parametrize("layer", ["ADL", "DGDM"])
def test_accumulated_gradients_are_those_of_the_large_batch(build, layer):
    found = []
    for parts in (1, 2):
        model = build(dict(LAYERS[layer], after="layer4.1"), norm="GN")
        # Nothing is drawn: importance maps are those of each image alone.
        model.stage_necks[0].neck.strength = 0.0
        optim_wrapper = wrap(model, accumulative_counts=parts)
        optim_wrapper.initialize_count_status(model, 0, 3 * parts)
        data = batch(8)
        for _ in range(3):
            for part in range(parts):
                taken = slice(part * 8 // parts, (part + 1) * 8 // parts)
                piece = {name: values[taken] for name, values in data.items()}
                model.train_step(piece, optim_wrapper)
        found.append(model.state_dict())
    start = build(norm="GN").state_dict()
    assert not torch.allclose(found[0]["head.fc.weight"], start["head.fc.weight"])
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=1e-4, atol=1e-6)


def count_calls(model):
    """Count what the layers of a model draw from now on."""
    calls = []
    for module in model.modules():
        if isinstance(module, AttentionDropout):
            module.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def gradients(model):
    torch.manual_seed(5)
    images = model.data_preprocessor(batch(), training=True)
    sum(model(**images, mode="loss").values()).backward()
    return {name: p.grad for name, p in model.named_parameters()}


def by_mmengine(model):
    turn_on_activation_checkpointing(model, ["backbone.layer3", "backbone.layer4"])


def by_wrappers(model):
    names = ("layer3.1", "layer4.1")
    wrapped = [model.backbone.get_submodule(name) for name in names]
    apply_activation_checkpointing(model, check_fn=lambda module: module in wrapped)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("checkpoint", ["with_cp", by_mmengine, by_wrappers])
def test_checkpointed_activations_draw_the_same_masks_again(build, layer, checkpoint):
    inside = dict(LAYERS[layer], after="layer3.1.conv2")
    necks = [inside, dict(LAYERS[layer], after="layer4.1")]
    plain = build(*necks)
    calls, expected = count_calls(plain), gradients(plain)
    assert len(calls) == 2
    model = build(*necks, with_cp=checkpoint == "with_cp")
    if callable(checkpoint):
        checkpoint(model)
    calls, found = count_calls(model), gradients(model)
    # mmpretrain's blocks recompute what is in them, not the hook that comes after.
    assert len(calls) == (3 if checkpoint == "with_cp" else 4)
    assert found["backbone.conv1.weight"].abs().sum() > 0
    for value, other in zip(expected.values(), found.values()):
        assert torch.equal(value, other)


def compile_and_compare(model, backend):
    """Train compiled and plain as erasing grows; returns the graphs at each step."""
    torch._dynamo.reset()
    twin = copy.deepcopy(model)
    counter = CompileCounterWithBackend(backend)
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    data = model.data_preprocessor(batch(), training=True)
    graphs = []
    for step in range(6):
        for neck in (*model.stage_necks, *twin.stage_necks):
            neck.neck.strength = step / 5
        losses = []
        for network in (compiled, twin):
            torch.manual_seed(step)
            losses.append(network(**data, mode="loss")["loss"])
            losses[-1].backward()
        torch.testing.assert_close(*losses)
        graphs.append(counter.frame_count)
    for one, other in zip(model.parameters(), twin.parameters()):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4)
    return graphs


def test_the_training_forward_compiles_whole_and_not_again_as_the_ramp_rises(build):
    model = build(dict(LAYERS["DGDM"], after="layer4.1"))
    # From the second step on, the number that changes is an input of the graph.
    assert compile_and_compare(model, "eager") == [1, 2, 2, 2, 2, 2]


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.parametrize("layer", ["ADL", "DGDM"])
def test_inductor_trains_as_without_it(build, layer, is_long):
    if not is_long:
        pytest.skip("compiles for minutes: in the long form alone")
    if shutil.which("c++") is None:
        pytest.skip("needs a C++ compiler")
    from torch._inductor import config

    necks = [dict(LAYERS[layer], after=f"layer{i}.1") for i in (3, 4)]
    with config.patch(fallback_random=True):  # draw the same numbers
        assert compile_and_compare(build(*necks), "inductor")[1:] == [2] * 5


@HOOKS.register_module()
class WatchWeights(Hook):
    """Keeps a weight after each step, and those that validations are made with."""

    priority = "VERY_LOW"
    steps: list
    validated: list

    def _take(self, runner):
        return runner.model.head.fc.weight.detach().clone()

    def before_train(self, runner):
        WatchWeights.steps, WatchWeights.validated = [], []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.steps.append(self._take(runner))

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.validated.append((len(self.steps), self._take(runner)))


def small_run(tmp_path):
    """The config of a training of a few steps on drawn images."""
    cfg = Config.fromfile(CONFIGS / "dgdm/dgdm_resnet18_1xb32-12e_toy.py")
    cfg.work_dir = str(tmp_path)
    cfg.model.backbone.update(NARROW)
    cfg.model.head.update(num_classes=4, in_channels=64)
    for mode, number in (("train", 16), ("val", 4), ("test", 4)):
        loader = cfg[f"{mode}_dataloader"]
        loader.update(batch_size=4, num_workers=0)
        loader.pop("persistent_workers", None)
        loader.dataset.update(num_images=number, image_size=32, num_classes=4)
    cfg.train_cfg.update(max_epochs=2, val_interval=1)
    cfg.log_level = "ERROR"
    return cfg


def test_validation_uses_the_averaged_weights(tmp_path):
    cfg = small_run(tmp_path)
    average = dict(type="EMAHook", momentum=0.25)
    cfg.custom_hooks = [average, dict(type="mmengine.WatchWeights")]
    run_training(cfg)
    steps, validated = WatchWeights.steps, WatchWeights.validated
    assert len(steps) == 8
    assert [number for number, _ in validated] == [4, 8]
    expected = steps[0]
    averages = [expected]
    for weight in steps[1:]:
        expected = 0.75 * expected + 0.25 * weight
        averages.append(expected)
    for number, weight in validated:
        torch.testing.assert_close(weight, averages[number - 1])
        assert not torch.allclose(weight, steps[number - 1])
