"""What a user imports: inference, training, testing, evaluation of stored maps.

The names load on first use: the evaluation of stored maps needs no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

from mmdgdm.comparison.results import compare_results
from mmdgdm.evaluation.stored.evaluate import evaluate_scoremaps

_MODULES = {
    "OnnxLocalizer": "mmdgdm.apis.inference.onnx_localizer",
    "WSOLInferencer": "mmdgdm.apis.inference.inferencer",
    "build_runner": "mmdgdm.apis.runner",
    "draw_result": "mmdgdm.apis.inference.drawing",
    "export_model": "mmdgdm.apis.export",
    "localize_files": "mmdgdm.apis.inference.files",
    "localize_video": "mmdgdm.apis.inference.videos",
    "run_test": "mmdgdm.apis.runner",
    "run_training": "mmdgdm.apis.runner",
    "score_baselines": "mmdgdm.apis.baselines",
}
__all__ = [
    "OnnxLocalizer",
    "WSOLInferencer",
    "build_runner",
    "compare_results",
    "draw_result",
    "evaluate_scoremaps",
    "export_model",
    "localize_files",
    "localize_video",
    "run_test",
    "run_training",
    "score_baselines",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
