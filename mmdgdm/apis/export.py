"""Export a model that localizes: ONNX, or a program of torch.export.

The exported graph takes images ``(N, 3, H, W)``, float32, resized and normalised, and
gives ``scores`` (N, C), before the softmax, and ``maps`` (N, C, h, w), not normalised,
of all classes. What a program needs beside it stands in the file as one JSON text,
:class:`mmdgdm.utils.model_facts.ModelFacts`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

import torch
from mmcv.cnn.bricks.conv2d_adaptive_padding import Conv2dAdaptivePadding
from torch import Tensor, nn

from mmdgdm.apis.inference.models import LoadedModel, ModuleSettings, load_model
from mmdgdm.engine.setup.config_check import type_name
from mmdgdm.errors import ConfigError
from mmdgdm.utils.argument_checks import check_output_file
from mmdgdm.utils.model_facts import FACTS_FILE, FACTS_KEY, INPUT, OUTPUTS, ModelFacts

#: Endings of the files that can be written.
ENDINGS = ("onnx", "pt2")
_OPSET = 18
#: What torch's exporter to ONNX is made of, beside torch.
_ONNX_PARTS = ("onnx", "onnxscript")
#: Images of the example that is traced: of one, its number would be fixed.
_BATCH = 2


class Exported(NamedTuple):
    """What was exported.

    Attributes:
        facts: What stands in the file beside the graph.
        program: The program of torch.export.
    """

    facts: ModelFacts
    program: Any


class ScoresAndMaps(nn.Module):
    """What is exported of a :class:`~mmdgdm.models.WSOLClassifier`.

    Args:
        model: The classifier, in evaluation mode.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model: Any = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (N, C), before the softmax, and maps (N, C, h, w) of all classes."""
        embedded = self.model.head.embed(self.model.extract_feat(images))
        scores = self.model.head.scores(embedded)
        return scores.float(), self.model.head.maps(embedded, None)


def export_model(
    model: Any,
    path: Union[str, Path],
    *,
    weights: Optional[str] = None,
    threshold: Optional[float] = None,
) -> Exported:
    """Export a model with its weights to a file.

    The number of images may be any; their size too where the network allows it, which
    ``Exported.facts`` says.

    Args:
        model: A config, its path or name, ``"efficientnet-lite0"``, or the name of a
            model of mmpretrain, as for :class:`mmdgdm.apis.WSOLInferencer`.
        path: The file, ``.onnx`` (needs the extra ``export``) or ``.pt2``.
        weights: Path or address of a checkpoint; ``None`` as for the inferencer.
        threshold: Share of a map's range above which its boxes lie; ``None`` takes what
            the checkpoint's validation chose.

    Returns:
        What was exported.

    Raises:
        ConfigError: If an argument does not fit, the test pipeline does more than
            resize, or a package is missing.
        CheckpointError: If the weights are missing or another model's.
    """
    check_output_file("path", path, endings=ENDINGS)
    path = Path(path)
    is_onnx = path.suffix == ".onnx"
    if is_onnx:
        _check_onnx_parts()
    if isinstance(model, nn.Module):
        raise ConfigError(
            "Expected `model` to be a config or a name, but got a torch module."
        )
    loaded = load_model(model, weights, settings=ModuleSettings())
    if loaded.model.cam_method != "cam":
        raise ConfigError(
            "Expected a model whose maps are made with cam_method='cam', but got "
            f"{loaded.model.cam_method!r}, whose gradients no graph holds."
        )
    width, height = _input_size(loaded)
    program = trace_model(loaded.model, height=height, width=width)
    facts = ModelFacts(
        classes=_classes(loaded),
        input_size=(width, height),
        is_size_free=_is_size_free(program),
        threshold=loaded.threshold if threshold is None else threshold,
        **_preprocessing(loaded),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_onnx:
        _save_onnx(program, facts, path=path)
    else:
        torch.export.save(program, path, extra_files={FACTS_FILE: facts.to_json()})
    return Exported(facts, program)


def trace_model(model: nn.Module, *, height: int, width: int) -> Any:
    """Make a program of a classifier's scores and maps.

    Args:
        model: A :class:`~mmdgdm.models.WSOLClassifier`.
        height: Pixels of the images that are passed through it.
        width: Likewise.

    Returns:
        The ``ExportedProgram``; its number of images is free, and so is their size
        unless the network fixes it, as EfficientNet's padding does.
    """
    images = torch.zeros(_BATCH, 3, height, width)
    free, side = torch.export.Dim.DYNAMIC, torch.export.Dim.AUTO
    if any(isinstance(module, Conv2dAdaptivePadding) for module in model.modules()):
        # Its padding is a formula of the size, which the tracer takes minutes to solve.
        side = torch.export.Dim.STATIC
    with torch.no_grad():
        return torch.export.export(
            ScoresAndMaps(model).eval(),
            (images,),
            dynamic_shapes={"images": {0: free, 2: side, 3: side}},
        )


def _is_size_free(program: Any) -> bool:
    """Whether height and width of the images are symbols and no numbers."""
    (name,) = program.graph_signature.user_inputs
    (node,) = (node for node in program.graph.nodes if node.name == name)
    return not any(isinstance(side, int) for side in node.meta["val"].shape[2:])


def _check_onnx_parts() -> None:
    missing = [name for name in _ONNX_PARTS if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"Export to ONNX needs {' and '.join(missing)}: install the extra with "
            '`pip install "mmdgdm[export]"`, or export to a .pt2 file.'
        )


def _save_onnx(program: Any, facts: ModelFacts, *, path: Path) -> None:
    onnx_program: Any = torch.onnx.export(
        program,
        dynamo=True,
        opset_version=_OPSET,
        input_names=[INPUT],
        output_names=list(OUTPUTS),
        verbose=False,
    )
    onnx_program.model.metadata_props[FACTS_KEY] = facts.to_json()
    onnx_program.save(path)


def _resize_step(loaded: LoadedModel) -> Mapping[str, Any]:
    """The one step that the images of a model need."""
    steps = [s for s in loaded.pipeline if not type_name(s).startswith("Pack")]
    names = ", ".join(map(type_name, steps)) or "none"
    if len(steps) != 1 or type_name(steps[0]) != "Resize":
        raise ConfigError(
            "Expected a test pipeline that resizes images and does nothing else, but "
            f"its steps are {names}."
        )
    if "scale" not in steps[0] or steps[0].get("keep_ratio"):
        raise ConfigError(
            "Expected the Resize of the test pipeline to give each image one `scale` "
            f"without `keep_ratio`, but got {dict(steps[0])}."
        )
    return steps[0]


def _input_size(loaded: LoadedModel) -> tuple[int, int]:
    scale: Union[int, Sequence[int]] = _resize_step(loaded)["scale"]
    width, height = (scale, scale) if isinstance(scale, int) else scale
    return int(width), int(height)


def _preprocessing(loaded: LoadedModel) -> dict[str, Any]:
    """How images are resized and normalised."""
    step, given = _resize_step(loaded), loaded.model.data_preprocessor
    is_normalised = getattr(given, "_enable_normalize", True)
    return dict(
        mean=tuple(given.mean.flatten().tolist()) if is_normalised else (0.0,) * 3,
        std=tuple(given.std.flatten().tolist()) if is_normalised else (1.0,) * 3,
        to_rgb=bool(given.to_rgb),
        interpolation=step.get("interpolation", "bilinear"),
        backend=step.get("backend", "cv2"),
    )


def _classes(loaded: LoadedModel) -> tuple[str, ...]:
    """The names of all classes; where none are known, their indices."""
    head: Any = loaded.model.head
    return tuple(map(str, loaded.classes or range(head.num_classes)))
