"""Vary one thing at a time, and plot what comes of it.

    python experiments/sweep.py dials --jobs 2 --plot docs/pictures/toy_dials.png
    python experiments/sweep.py settings --jobs 2 --plot docs/pictures/toy_settings.png
    python experiments/sweep.py frame --jobs 2 --plot docs/pictures/toy_frame.png
    python experiments/sweep.py loss --jobs 2 --plot docs/pictures/stamps_loss.png

The first three are made on the toy set, the last on stamps. ``dials`` changes what
the toy's images tell of their class, in all splits, and compares CAM, ADL and DGDM
on test at the threshold chosen on val. ``settings`` changes DGDM's own settings and
looks at val alone. ``frame`` changes the backbone, the size of its last map, the
length and the rate of training for CAM and DGDM, and looks at val too. ``loss``
changes the settings of the loss of the background, with DGDM's layer and without, on
val. Everything else is as in the configs.

What came out stands in
``experiments/results/<data>_<sweep>/<key>=<value>/<method>.json``,
or in ``default/`` for the config's own value, and is not run again; remove a file after
a change of a config. Points that were trained with more seeds show their spread.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from methods import ROOT, Records, config_of, run, settings_of
from methods_table import cell
from page import insert_table

from mmdgdm.datasets.functional.toy_scene import ToySpec
from mmdgdm.evaluation.functional.names import AT_VAL, human_name, split_name
from mmdgdm.visualization.colors import method_styles
from mmdgdm.visualization.plots.files import add_legend, new_axes, run_handle

#: Key, value and method of a training.
Point = tuple[str, Any, str]


#: The toy's configs by their backbone.
_BACKBONES = {
    "ResNet-18": "toy",
    "RepVGG": "toy_repvgg",
    "EfficientNet-Lite0": "toy_efficientnet-lite0",
}
#: Side of the images in pixels, by that of the last map where no stage has a stride.
_IMAGE_SIDES = {14: 56, 28: 112}
#: What the classes have by default, where configs do not say it.
CLASS_DEFAULTS: dict[str, Any] = {
    "sagd.bg_threshold": 0.0,
    "sagd.importance": True,
    "sagd.detach": True,
    "cagd.keep_ratio": 0.75,
    "scale": "mean",
    "ramp end": 1.0,
    "bg_threshold": 1.0,
    "bg_rule": "mean",
}


def _dial(name: str, value: Any, method: str) -> dict[str, Any]:
    if value == getattr(ToySpec(), name):
        return {}
    return {
        f"{split}_dataloader.dataset.spec.{name}": value
        for split in ("train", "val", "test")
    }


def _setting(name: str, value: Any, method: str) -> dict[str, Any]:
    if name == "ramp end":
        return {"default_hooks.drop_ramp.end": value}
    if name == "scale":
        parts = ("cagd", "sagd")
        return {f"model.stage_necks.0.{part}.scale": value for part in parts}
    if name == "sagd.bg_threshold":
        rule = {"model.stage_necks.0.sagd.bg_rule": "mean"}
        return {f"model.stage_necks.0.{name}": value, **rule}
    return {f"model.stage_necks.0.{name}": value}


def _frame(name: str, value: Any, method: str) -> dict[str, Any]:
    if name == "epochs":
        return {"train_cfg.max_epochs": value, "param_scheduler.0.T_max": value}
    if name == "learning rate":
        return {"optim_wrapper.optimizer.lr": value}
    if name == "backbone" or value not in _IMAGE_SIDES:
        return {}
    options: dict[str, Any] = {"model.backbone.strides": [1, 1, 1, 1]}
    if method == "dgdm":
        # The share of the map that a block has on the toy's own 16 x 16.
        options["model.stage_necks.0.sagd.block_size"] = round(value / 8)
    for split in ("train", "val", "test"):
        options[f"{split}_dataloader.dataset.image_size"] = _IMAGE_SIDES[value]
    return options


def _loss(name: str, value: Any, method: str) -> dict[str, Any]:
    return {f"model.head.background_loss.{name}": value}


@dataclass(frozen=True)
class Sweep:
    """What is varied, for which methods, and how it is scored.

    Args:
        options: Turns a key, a value and a method into settings of a config.
        values: Values of each key.
        methods: Who is trained.
        split: Where it is scored, ``"val"`` or ``"test"``.
        metric: What is plotted beside ``Top-1 Cls``.
        data: Data set, as ``experiments/methods.py`` names it.
    """

    options: Any
    values: Mapping[str, Sequence[Any]]
    methods: tuple[str, ...]
    split: str
    metric: str
    data: str = "toy"

    def settings(self, point: Point) -> dict[str, Any]:
        """What a point changes in the config that it trains."""
        key, value, _ = point
        is_default = key in CLASS_DEFAULTS and value == CLASS_DEFAULTS[key]
        return {} if is_default else self.options(*point)

    def data_of(self, point: Point) -> str:
        """Name of the configs that a point trains."""
        key, value, _ = point
        return _BACKBONES[value] if key == "backbone" else self.data


SWEEPS = {
    "dials": Sweep(
        _dial,
        {
            "body_cue": (0.25, 0.5, 0.75, 1.0),
            "background_cue": (0.0, 0.3, 0.6),
            "area_range": ((0.1, 0.3), (0.1, 0.6), (0.3, 0.6)),
        },
        ("cam", "adl", "dgdm"),
        "test",
        "wsol/val_threshold/gt_known",
    ),
    "settings": Sweep(
        _setting,
        {
            "after": ("layer1.1", "layer2.1", "layer3.1", "layer4.1"),
            "sagd.drop_prob": (0.0, 0.2, 0.37, 0.6, 0.8),
            "sagd.drop_threshold": (0.5, 0.73, 0.9),
            "sagd.block_size": (1, 2, 4),
            "sagd.bg_threshold": (0.0, 0.5, 1.0),
            "cagd.drop_prob": (0.0, 0.3, 0.56, 0.8),
            "cagd.keep_ratio": (0.25, 0.5, 0.75),
            "ramp end": (0.0, 0.5, 1.0),
            "scale": ("plain", "mean"),
            "sagd.importance": (False, True),
            "sagd.detach": (False, True),
        },
        ("dgdm",),
        "val",
        "wsol/gt_known",
    ),
    "frame": Sweep(
        _frame,
        {
            "backbone": tuple(_BACKBONES),
            "map size": (8, *_IMAGE_SIDES),
            "epochs": (6, 12, 24),
            "learning rate": (0.02, 0.05, 0.12),
        },
        ("cam", "dgdm"),
        "val",
        "wsol/gt_known",
    ),
    "loss": Sweep(
        _loss,
        {
            "loss_weight": (0.0, 0.3, 0.88, 3.0),
            "bg_threshold": (0.5, 0.75, 1.0),
            "bg_rule": ("mean", "otsu"),
        },
        ("dgdm-bgloss", "cam-bgloss"),
        "val",
        "wsol/gt_known",
        "stamps",
    ),
}


def points(sweep: Sweep) -> Iterator[Point]:
    """All trainings of a sweep: key, value and method."""
    for key, values in sweep.values.items():
        for value in values:
            for method in sweep.methods:
                yield key, value, method


def folder_of(root: Path, sweep: Sweep, point: Point) -> Path:
    """Where the results of one point lie; the config's own values share one place."""
    key, value, method = point
    config = config_of(sweep.data_of(point), method)
    own = settings_of(config, {})
    is_own = settings_of(config, sweep.settings(point)) == own
    if is_own and config == config_of(sweep.data, method):
        return root / "default"
    text = "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return root / f"{key.replace(' ', '_')}={text}"


def train(args: argparse.Namespace, sweep: Sweep, point: Point, seed: int) -> None:
    """Train and test one point with one seed, unless that is done."""
    work_dir = folder_of(args.work_dir, sweep, point)
    records = Records(folder_of(args.results, sweep, point))
    place = argparse.Namespace(data=sweep.data_of(point), work_dir=work_dir)
    run(place, point[2], seed, sweep.settings(point), records)


def wanted(args: argparse.Namespace, sweep: Sweep) -> list[tuple[Point, int]]:
    """Points and seeds to train, each training once."""
    found: dict[tuple, tuple[Point, int]] = {}
    for seed in args.seeds:
        for point in points(sweep):
            if not args.keys or point[0] in args.keys:
                place = folder_of(args.results, sweep, point)
                found.setdefault((place, point[2], seed), (point, seed))
    return list(found.values())


def scores_of(
    args: argparse.Namespace, sweep: Sweep, point: Point, metric: str
) -> list[float]:
    """What a point has reached, a score for each seed that it was trained with."""
    folder = folder_of(args.results, sweep, point)
    runs = Records(folder).read(point[2])["runs"]
    done = [str(seed) for seed in args.seeds if str(seed) in runs]
    return [runs[seed][sweep.split][metric] for seed in done]


def heading(metric: str) -> str:
    """What people call a score."""
    at_val = split_name(metric).kind == AT_VAL
    return human_name(metric) + (", val's threshold" if at_val else "")


def table(args: argparse.Namespace, sweep: Sweep) -> str:
    """Format all scores as a Markdown table, a line for each value of each key."""
    metrics = (sweep.metric, "wsol/max_box_acc_v2", "wsol/top1_cls")
    columns = [(method, metric) for method in sweep.methods for metric in metrics]
    names = [f"{method.upper()}, {heading(metric)}" for method, metric in columns]
    lines = ["| setting | seeds | " + " | ".join(names) + " |"]
    lines.append("|---" * (len(names) + 2) + "|")
    for key, values in sweep.values.items():
        for value in values:
            cells = []
            for method, metric in columns:
                scores = scores_of(args, sweep, (key, value, method), metric)
                cells.append(cell(scores, 1) if scores else "-")
            text = f"| {key} = {value} | {len(scores)} | " + " | ".join(cells) + " |"
            lines.append(text)
    return "\n".join(lines) + "\n"


def plot(args: argparse.Namespace, sweep: Sweep) -> Figure:
    """Draw a row for each value of each key; the config's own values are bold."""
    rows = [(key, value) for key, values in sweep.values.items() for value in values]
    styles = method_styles(sweep.methods)
    height = 0.9 + 0.25 * len(rows) + 0.1 * len(sweep.values)
    figure, panels = new_axes(1, 2, size=(9.0, height), sharey=True)
    places = _places(sweep)
    for axes, metric in zip(panels, (sweep.metric, "wsol/top1_cls")):
        for i, method in enumerate(sweep.methods):
            lift = 0.24 * (i - (len(sweep.methods) - 1) / 2)
            found = {
                row: scores_of(args, sweep, (*row, method), metric) for row in rows
            }
            # What is not trained yet is left out.
            shown = {row: one for row, one in found.items() if one}
            axes.errorbar(
                [statistics.fmean(one) for one in shown.values()],
                [places[row] + lift for row in shown],
                xerr=[
                    statistics.stdev(one) if len(one) > 1 else 0.0
                    for one in shown.values()
                ],
                color=styles[method].color,
                marker=styles[method].marker,
                linestyle="none",
                markersize=5.5,
            )
        axes.set_xlabel(f"{heading(metric)}, %")
        for key in list(sweep.values)[1:]:
            axes.axhline(places[key, sweep.values[key][0]] - 0.7, color="0.6", lw=0.7)
    texts = [f"{key} = {_text(value)}" for key, value in rows]
    panels[0].set_yticks([places[row] for row in rows], texts, fontsize=9)
    for label, (key, value) in zip(panels[0].get_yticklabels(), rows):
        point = (key, value, sweep.methods[0])
        if folder_of(args.results, sweep, point).name == "default":
            label.set_fontweight("bold")
    panels[0].set_ylim(max(places.values()) + 0.7, -0.7)
    handles = [run_handle(name.upper(), style) for name, style in styles.items()]
    for handle in handles:
        handle.set_linestyle("none")
    add_legend(figure, handles)
    return figure


def _places(sweep: Sweep) -> dict[tuple[str, Any], float]:
    """Where each value stands, from the top, with a gap between keys."""
    found, place = {}, 0.0
    for key, values in sweep.values.items():
        for value in values:
            found[key, value] = place
            place += 1.0
        place += 0.4
    return found


def _text(value: Any) -> str:
    return " to ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", choices=sorted(SWEEPS), help="what is varied")
    parser.add_argument("--keys", nargs="+", help="only these; default: all")
    parser.add_argument("--methods", nargs="+", help="only these; default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--work-dir", type=Path, help="work_dirs/<data>_<sweep>")
    parser.add_argument("--results", type=Path, help="its like in experiments/results")
    parser.add_argument("--plot", type=Path, help="file of the plot")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    args = parser.parse_args()
    args.name = f"{SWEEPS[args.sweep].data}_{args.sweep}"
    args.work_dir = (args.work_dir or ROOT / "work_dirs" / args.name).resolve()
    args.results = args.results or ROOT / "experiments" / "results" / args.name
    return args


def main() -> None:
    """Run what is missing, then plot."""
    args = parse_args()
    sweep = SWEEPS[args.sweep]
    unknown = sorted(set(args.keys or ()) - set(sweep.values))
    unknown += sorted(set(args.methods or ()) - set(sweep.methods))
    if unknown:
        raise SystemExit(f"error: {args.sweep} has no {', '.join(unknown)}")
    if args.methods:
        sweep = replace(sweep, methods=tuple(args.methods))
    with ThreadPoolExecutor(args.jobs) as pool:
        tasks = [
            pool.submit(train, args, sweep, point, seed)
            for point, seed in wanted(args, sweep)
        ]
        for task in tasks:
            task.result()
    text = table(args, sweep)
    print(text)
    if args.plot is not None:
        plot(args, sweep).savefig(args.plot, dpi=110)
    if args.page is not None:
        insert_table(args.page, args.name, text)


if __name__ == "__main__":
    main()
