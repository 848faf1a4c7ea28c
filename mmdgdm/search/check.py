"""Whether a config can be searched, and whether a run would use each key."""

from __future__ import annotations

from textwrap import shorten
from typing import Any

import mmpretrain.registry  # noqa: F401  its classes are then known by name
from mmengine.config import Config
from mmengine.registry import MODELS

import mmdgdm.registry  # noqa: F401  and so are ours
from mmdgdm.engine.setup import config_check
from mmdgdm.engine.setup.parts import check_parts, explain_build_errors
from mmdgdm.errors import ConfigError
from mmdgdm.search.space import Space, decode
from mmdgdm.search.trial import NO_TEST

#: What mmengine logs to where a config does not say it.
_LOG = {"type": "LocalVisBackend"}
_VALIDATION = ("val_dataloader", "val_cfg", "val_evaluator")
#: Why a key may not vary, by its first part.
_FORBIDDEN = {
    **dict.fromkeys(NO_TEST, "the search never touches the test set"),
    **dict.fromkeys(_VALIDATION, "scores of different validations cannot be compared"),
    "randomness": "the seed is set by --seed",
    **dict.fromkeys(
        ("work_dir", "launcher", "resume", "experiment_name", "visualizer"),
        "the search sets it for each trial",
    ),
}


def check_searchable(cfg: Config) -> None:
    """Check that a run of a config validates and leaves its scores in a file.

    Args:
        cfg: The config.

    Raises:
        ConfigError: If it cannot be trained, has an unknown part, no validation set,
            or no ``LocalVisBackend``, which writes the scores.
    """
    reduced = cfg.copy()
    reduced.merge_from_dict(NO_TEST)
    config_check.check_config(reduced, "train")
    check_parts(reduced)
    config_check.check_keys(cfg, _VALIDATION, use=" for a search")
    visualizer = cfg.get("visualizer") or {"vis_backends": [_LOG]}
    kinds = [*map(config_check.type_name, visualizer.get("vis_backends") or [])]
    if _LOG["type"] not in kinds:
        raise ConfigError(
            "Expected `visualizer.vis_backends` to hold a LocalVisBackend, from whose "
            f"file a search reads the scores, but got {kinds}."
        )


def check_space(space: Space, cfg: Config, *, name: str) -> None:
    """Check that each key of a space changes what a run of a config does.

    A key stands in the config, or is an argument of the class whose dict it
    enters (``model.stage_necks.0.drop_rate`` of a layer that is at its defaults).

    Args:
        space: From :func:`mmdgdm.search.space.read_space`.
        cfg: The config.
        name: The space file, for the messages.

    Raises:
        ConfigError: If a key is unknown, is a mere variable of the config file,
            names a whole section, lies within another key, or belongs to what a
            search does not change: the test and validation sets, the seed.
    """
    known = dict(config_check.find_paths(cfg))
    for key, distribution in space.items():
        first, parent = key.split(".")[0], key.rpartition(".")[0]
        outer = [other for other in space if key.startswith(f"{other}.")]
        if outer:
            problem = f"lies within `{outer[0]}`, which varies too."
        elif first in _FORBIDDEN:
            problem = f"may not vary: {_FORBIDDEN[first]}."
        elif first not in config_check.RUNNER_KEYS:
            hint = config_check.did_you_mean(first, sorted(config_check.RUNNER_KEYS))
            problem = f"is not a key that a run reads{hint}"
        elif isinstance(known.get(key), dict):
            problem = "is a whole section of the config: name a key in it."
        elif key in known and isinstance(known.get(parent), (list, tuple)):
            problem = f"is one value of the list `{parent}`: vary the whole list."
        else:
            problem = _misfit(key, distribution, cfg)
        if problem:
            raise ConfigError(f"Space file {name}: `{key}` {problem}")


def _misfit(key: str, distribution: Any, cfg: Config) -> str:
    """Why nothing takes a key; whether values fit together, each trial will tell."""
    drawn = getattr(distribution, "choices", [getattr(distribution, "low", None)])[0]
    varied = cfg.copy()
    try:
        varied.merge_from_dict({**NO_TEST, **decode({key: distribution}, {key: drawn})})
        check_parts(varied)
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        return f"does not fit the config: {shorten(str(error.args[0]), 300)}"
    try:
        with explain_build_errors(varied):
            MODELS.build(varied.model)
    except ConfigError as error:
        if "unexpected keyword" in str(error.__cause__):
            return f"does not fit the config: {shorten(str(error), 300)}"
    return ""
