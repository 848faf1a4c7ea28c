"""Registries of the package: one node per role, children of mmengine's root.

Write ``mmdgdm.`` before a class name in a config, for example
``type='mmdgdm.DGDM'``: mmengine then imports this module and, through
``locations``, the package that holds the class. No ``custom_imports`` is
needed, whatever the default scope.
"""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOG_PROCESSORS as MMENGINE_LOG_PROCESSORS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry

from mmdgdm.utils.dependencies import check_dependencies

check_dependencies()

#: Backbones, necks, heads and classifiers.
MODELS = Registry(
    "model", parent=MMENGINE_MODELS, scope="mmdgdm", locations=["mmdgdm.models"]
)
#: Data sets.
DATASETS = Registry(
    "dataset", parent=MMENGINE_DATASETS, scope="mmdgdm", locations=["mmdgdm.datasets"]
)
#: Steps of data pipelines.
TRANSFORMS = Registry(
    "transform",
    parent=MMENGINE_TRANSFORMS,
    scope="mmdgdm",
    locations=["mmdgdm.datasets.transforms"],
)
#: Localization and classification metrics.
METRICS = Registry(
    "metric",
    parent=MMENGINE_METRICS,
    scope="mmdgdm",
    locations=["mmdgdm.evaluation.metrics"],
)
#: Training and testing hooks.
HOOKS = Registry(
    "hook", parent=MMENGINE_HOOKS, scope="mmdgdm", locations=["mmdgdm.engine.hooks"]
)
#: What a line of the log shows.
LOG_PROCESSORS = Registry(
    "log processor",
    parent=MMENGINE_LOG_PROCESSORS,
    scope="mmdgdm",
    locations=["mmdgdm.engine.log_processor"],
)
#: Visualizers that draw heatmaps and boxes.
VISUALIZERS = Registry(
    "visualizer",
    parent=MMENGINE_VISUALIZERS,
    scope="mmdgdm",
    locations=["mmdgdm.visualization.wsol_visualizer"],
)
