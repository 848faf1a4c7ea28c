"""Registries of the package: one node per role, children of mmengine's root.

Write ``mmdgdm.`` before a class name in a config, for example
``type='mmdgdm.DGDM'``: mmengine then imports this module and, through
``locations``, the package that holds the class. No ``custom_imports`` is
needed, whatever the default scope.
"""

from mmengine import registry as root
from mmengine.registry import Registry

from mmdgdm.utils.dependencies import check_dependencies

check_dependencies()

#: Backbones, necks, heads and classifiers.
MODELS = Registry(
    "model", parent=root.MODELS, scope="mmdgdm", locations=["mmdgdm.models"]
)
#: Data sets.
DATASETS = Registry(
    "dataset", parent=root.DATASETS, scope="mmdgdm", locations=["mmdgdm.datasets"]
)
#: Steps of data pipelines.
TRANSFORMS = Registry(
    "transform",
    parent=root.TRANSFORMS,
    scope="mmdgdm",
    locations=["mmdgdm.datasets.transforms"],
)
#: Localization and classification metrics.
METRICS = Registry(
    "metric",
    parent=root.METRICS,
    scope="mmdgdm",
    locations=["mmdgdm.evaluation.metrics"],
)
#: Training and testing hooks.
HOOKS = Registry(
    "hook", parent=root.HOOKS, scope="mmdgdm", locations=["mmdgdm.engine.hooks"]
)
#: What makes a step of an optimizer from a loss.
OPTIM_WRAPPERS = Registry(
    "optimizer wrapper",
    parent=root.OPTIM_WRAPPERS,
    scope="mmdgdm",
    locations=["mmdgdm.engine.optim_wrapper"],
)
#: What a line of the log shows.
LOG_PROCESSORS = Registry(
    "log processor",
    parent=root.LOG_PROCESSORS,
    scope="mmdgdm",
    locations=["mmdgdm.engine.log_processor"],
)
#: Visualizers that draw heatmaps and boxes.
VISUALIZERS = Registry(
    "visualizer",
    parent=root.VISUALIZERS,
    scope="mmdgdm",
    locations=["mmdgdm.visualization.wsol_visualizer"],
)
