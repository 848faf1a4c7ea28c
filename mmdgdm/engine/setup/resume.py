"""What a resumed run takes from its checkpoint, and what from the config."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from mmengine.runner import Runner

from mmdgdm.errors import CheckpointError

#: What a schedule counts while it runs; the rest of its state are its settings.
_COUNTERS = frozenset(
    [
        *("_global_step", "last_step", "_last_value", "base_values", "verbose"),
        *("best", "num_bad_epochs", "cooldown_counter"),
    ]
)


def check_resume(runner: Runner, checkpoint: Mapping[str, Any], *, source: str) -> str:
    """Compare the training state of a checkpoint with the optimizer and schedules.

    mmengine puts the saved state over the built one whatever the config says.

    Args:
        runner: The Runner, its optimizer and schedules built.
        checkpoint: What the file holds.
        source: The name of the checkpoint, for the message.

    Returns:
        What differs and is kept from the checkpoint, or an empty string.

    Raises:
        CheckpointError: If the checkpoint holds weights alone, another optimizer,
            other groups of parameters, other schedules, or a state of another form.
    """
    meta = checkpoint.get("meta")
    has_place = isinstance(meta, Mapping) and {"epoch", "iter"} <= meta.keys()
    if not has_place or not {"message_hub", "optimizer"} <= checkpoint.keys():
        raise CheckpointError(
            f"Expected checkpoint {source} to hold the state of a training run, but it "
            "holds weights alone: start a new run from it with "
            "`--cfg-options load_from=...`."
        )
    try:
        return "; ".join(_compare(runner, checkpoint, source))
    except CheckpointError:
        raise
    except (LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"Expected checkpoint {source} to hold the state of a training run as "
            f"mmengine writes it, but got: {error!r}."
        ) from error


def _compare(
    runner: Runner, checkpoint: Mapping[str, Any], source: str
) -> Iterator[str]:
    """What differs, of the optimizer and of the schedules."""
    place = [checkpoint["meta"][name] for name in ("epoch", "iter")]
    if any(type(number) is not int or number < 0 for number in place):
        raise TypeError(f"epoch and iteration {place}")
    saved_types = _optimizer_types(str(checkpoint["meta"].get("cfg", "")))
    types = _optimizer_types(runner.cfg.pretty_text)
    if saved_types and saved_types != types:
        _refuse(source, f"optimizer is {', '.join(saved_types)}", ", ".join(types))
    yield from _compare_groups(checkpoint["optimizer"], runner.optim_wrapper, source)
    yield from _compare_schedules(checkpoint, runner.param_schedulers, source)


def _refuse(source: str, saved: str, built: str) -> NoReturn:
    raise CheckpointError(
        f"Checkpoint {source} cannot be resumed: its {saved}, that of the config "
        f"{built}; set the config back, or start a new run from the weights with "
        "`--cfg-options load_from=...` and without `--resume`."
    )


def _optimizer_types(text: str) -> list[str]:
    """The optimizers that the text of a config names; the text is not executed."""
    try:
        lines = ast.parse(text).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return []  # no Python, or nested beyond what its parser takes
    calls = [
        node.value
        for line in lines
        if isinstance(line, ast.Assign)
        and getattr(line.targets[0], "id", "") == "optim_wrapper"
        for node in ast.walk(line)
        if isinstance(node, ast.keyword) and node.arg == "optimizer"
    ]
    return [
        str(getattr(item.value, "value", "")).split(".")[-1]
        for call in calls
        for item in getattr(call, "keywords", ())
        if item.arg == "type"
    ]


def _compare_groups(saved: Any, wrapper: Any, source: str) -> list[str]:
    """Settings of the optimizers that differ; one wrapper may hold several."""
    built = wrapper.state_dict()
    if "param_groups" in built:
        saved, built = {"": saved}, {"": built}
    if saved.keys() != built.keys():
        _refuse(source, f"optimizers are {[*saved]}", f"are {[*built]}")
    found: dict[str, list[str]] = {}
    for name, state in built.items():
        old, new = saved[name]["param_groups"], state["param_groups"]
        sizes = [[len(group["params"]) for group in groups] for groups in (old, new)]
        if sizes[0] != sizes[1]:
            _refuse(
                source,
                f"optimizer has {len(old)} groups of {sum(sizes[0])} parameters",
                f"{len(new)} of {sum(sizes[1])} (`optim_wrapper.paramwise_cfg`, or "
                "frozen layers)",
            )
        for a, b in zip(old, new):
            if a.keys() - b.keys() and b.keys() - a.keys():
                unknown = ", ".join(sorted(a.keys() - b.keys()))
                _refuse(source, f"optimizer has the settings {unknown}", "has not")
            for key in sorted(a.keys() & b.keys() - {"params"}):
                # Schedules move a value and keep what it started from.
                if f"initial_{key}" not in b and str(a[key]) != str(b[key]):
                    change = f"{a[key]} (config: {b[key]})"
                    found.setdefault(key.replace("initial_", ""), []).append(change)
    return [
        f"{key} of the optimizer {changes[0]}"
        + (f" and {len(changes) - 1} more" if len(changes) > 1 else "")
        for key, changes in found.items()
    ]


def _compare_schedules(
    checkpoint: Mapping[str, Any], schedulers: Any, source: str
) -> list[str]:
    """Settings of the schedules that differ."""
    saved, built = checkpoint.get("param_schedulers") or [], schedulers or []
    if isinstance(saved, dict) and isinstance(built, dict):
        saved, built = ([x for v in d.values() for x in v] for d in (saved, built))
    kinds = ", ".join(type(scheduler).__name__ for scheduler in built) or "none"
    states = [
        {k: v for k, v in state.items() if k not in _COUNTERS}
        for items in (saved, [scheduler.state_dict() for scheduler in built])
        for state in items
    ]
    old, new = states[: len(saved)], states[len(saved) :]
    if [state.keys() for state in old] != [state.keys() for state in new]:
        common = {"param_name", "begin", "end", "by_epoch"}
        settings = [f"({', '.join(sorted(state.keys() - common))})" for state in old]
        _refuse(
            source,
            f"schedules have the settings {', '.join(settings) or 'of none'}",
            f"are {kinds}",
        )
    return [
        f"{key} of {type(scheduler).__name__} {a[key]} (config: {b[key]})"
        for scheduler, a, b in zip(built, old, new)
        for key in a
        if str(a[key]) != str(b[key])
    ]
