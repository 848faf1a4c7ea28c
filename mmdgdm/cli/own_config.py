"""The config of a training on a folder that ``prepare_data.py`` made."""

from __future__ import annotations

from pathlib import Path

from mmdgdm.datasets.prepare.splits import SPLITS, read_prepared
from mmdgdm.evaluation.stored.metadata import CLASSES
from mmdgdm.utils.faults import PathLike

#: What a config of a method adds to that of CAM: its bases and its lines.
METHODS: dict[str, tuple[str, ...]] = {
    "cam": (),
    "adl": ("adl",),
    "dgdm": ("dgdm",),
    "cam-bgloss": ("bgloss",),
    "adl-bgloss": ("adl", "bgloss"),
    "dgdm-bgloss": ("dgdm", "bgloss"),
}
_NECKS = {
    "adl": "_base_.adl.efficientnet_lite",
    "dgdm": 'dict(stage_necks=[dict(_base_.dgdm.photos, after="layers.6")])',
}
_BASES = (
    "models/efficientnet_{arch}.py",
    "datasets/own.py",
    "schedules/finetune.py",
    "default_runtime.py",
)


def format_config(
    prepared: PathLike, *, arch: str, method: str, epochs: int, pictures: PathLike
) -> str:
    """The text of a config for a prepared folder.

    Args:
        prepared: The folder.
        arch: ``'lite0'``, ``'lite1'`` or ``'lite2'``.
        method: One of :data:`METHODS`.
        epochs: Length of the training.
        pictures: Folder for drawings of val, made after every validation.

    Returns:
        A config in Python.

    Raises:
        DataError: If the folder was not prepared.
    """
    facts = read_prepared(prepared)
    folder = Path(prepared).resolve().as_posix()
    bases = [base.format(arch=arch) for base in _BASES]
    bases += [f"methods/{part}.py" for part in METHODS[method]]
    lines = [f"# {len(facts['classes'])} classes of images, prepared by mmdgdm."]
    lines += ["_base_ = ["]
    lines += [f'    "mmdgdm::_base_/{base}",' for base in bases]
    lines += ["]", "", f"images = {facts['images']!r}"]
    lines += [f"class_file = {f'{folder}/{CLASSES}'!r}", ""]
    lines += _format_model(method, len(facts["classes"]))
    for split in SPLITS:
        lines += [f"{split}_dataloader = dict(", "    dataset=dict("]
        lines += ["        data_root=images,", "        class_file=class_file,"]
        lines += [f"        ann_file={f'{folder}/{split}'!r},"]
        if split != "train" and not facts["boxes"]:
            lines += ["        with_boxes=False,"]
        lines += ["    )", ")"]
    if not facts["boxes"]:
        lines += ["# Without boxes only the classes can be scored."]
        lines += ['val_evaluator = dict(_delete_=True, type="Accuracy", topk=(1,))']
        lines += ["test_evaluator = val_evaluator"]
    lines += [f"train_cfg = dict(max_epochs={epochs})"]
    lines += _format_hooks(method, facts["boxes"], Path(pictures).as_posix())
    return "\n".join(lines) + "\n"


def _format_model(method: str, num_classes: int) -> list[str]:
    """The lines of the model."""
    lines = [f"model = dict(head=dict(num_classes={num_classes}))"]
    for part in METHODS[method]:
        if part in _NECKS:
            lines += [f"model.update({_NECKS[part]})"]
        else:
            lines += ['model["head"].update(_base_.bgloss.photos["head"])']
    return lines


def _format_hooks(method: str, boxes: bool, pictures: str) -> list[str]:
    """The lines of the hooks."""
    lines = ["default_hooks = dict("]
    if "dgdm" in METHODS[method]:
        lines += ["    **_base_.drop_ramp,"]
    if boxes:  # without them no threshold is known to draw boxes at
        lines += ["    pictures=dict("]
        lines += ['        type="mmdgdm.WSOLVisualizationHook",']
        lines += [f"        out_dir={pictures!r},", "        on_val=True,", "    ),"]
    return [*lines, ")"] if len(lines) > 1 else []
