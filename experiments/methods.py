"""Tune and train methods on one data set alike, and print one table.

For every method: search its settings on val (the same number of trials each), train
with the best ones and several seeds, choose the threshold of the maps on val, and
report test at that threshold and at each metric's best one. Variants take the settings
of the method that they are named after: without one of its parts, or with one more.

    python experiments/methods.py stamps --trials 6 --jobs 2 --page docs/results.md

What came out stands in ``experiments/results/<data>/<method>.json``, one small file a
method. What is there is not run again, so that an interrupted comparison goes on where
it was; remove a file after a change of the code. ``--trials 0`` takes the configs as
they are.
"""

from __future__ import annotations

import argparse
import copy
import csv
import hashlib
import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from methods_table import COLUMNS, TOP1_COLUMNS, table
from mmengine.config import Config
from page import insert_table

from mmdgdm.engine.setup.config_check import RUNNER_KEYS
from mmdgdm.evaluation.functional.names import split_name
from mmdgdm.search.report import format_options
from mmdgdm.search.trial import read_validations

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Data:
    """How a data set is used.

    Args:
        ending: What follows the method in the names of its configs.
        shorter: Settings by which trials train for half the time, if they do.
        fixed: Methods without a setting to search.
        metric: Score on val that decides in a search.
        columns: Heading and metric of each column of the table.
    """

    ending: str
    shorter: tuple[str, ...]
    fixed: tuple[str, ...] = ()
    metric: str = "wsol/gt_known"
    columns: Mapping[str, str] = field(default_factory=lambda: COLUMNS)

    @property
    def prefix(self) -> str:
        """What the names of its metrics begin with."""
        return split_name(self.metric).prefix


DATA = {
    # After half the time the toy's classes are not learned yet. Its learning rate
    # belongs to the toy.
    "toy": Data("resnet18_1xb32-12e_toy.py", (), fixed=("cam",)),
    "toy_repvgg": Data("repvgg_1xb32-12e_toy.py", ()),
    "toy_efficientnet-lite0": Data("efficientnet-lite0_1xb32-12e_toy.py", ()),
    "stamps": Data(
        "efficientnet-lite0_1xb32-4e_stamps.py",
        ("train_cfg.max_epochs=2", "param_scheduler.0.T_max=2"),
    ),
    # On 100 images the mean over three IoUs is the finer judge.
    "raccoon": Data(
        "efficientnet-lite0_1xb32-4e_raccoon.py",
        (),
        metric="wsol_top1/max_box_acc_v2",
        columns=TOP1_COLUMNS,
    ),
}
#: What a variant changes in the method that its name begins with.
VARIANTS: dict[str, dict[str, Any]] = {
    "dgdm-cagd": {"model.stage_necks.0.sagd": None},
    "dgdm-sagd": {"model.stage_necks.0.cagd": None},
    "dgdm-nobackground": {"model.stage_necks.0.sagd.bg_threshold": 0.0},
    "dgdm-noimportance": {"model.stage_necks.0.sagd.importance": False},
    "dgdm-nobackgroundloss": {"model.head.background_loss": None},
    "dgdm-backgroundloss": {"model.stage_necks": []},
    # With the weight that a search for DGDM chose on stamps.
    "adl-withbackgroundloss": {
        "model.head.background_loss.type": "mmdgdm.BackgroundLoss",
        "model.head.background_loss.loss_weight": 0.88,
    },
}
METHODS = (
    *("cam", "has", "cutmix", "acol", "spg", "adl", "dropblock", "dgdm"),
    *VARIANTS,
)
_PRINTING = threading.Lock()


def config_of(data: str, method: str) -> str:
    """Path of the config that a method or the origin of a variant trains."""
    origin = method.partition("-")[0]
    return f"configs/{origin}/{origin}_{DATA[data].ending}"


def call(arguments: Iterable[object], log: Path) -> None:
    """Run one of the tools; its output goes to a file."""
    command = [sys.executable, *map(str, arguments)]
    with _PRINTING:
        print("+", *command[1:4], f"... > {log}", flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        done = subprocess.run(command, cwd=ROOT, stdout=stream, stderr=stream)
    if done.returncode != 0:
        raise SystemExit(f"error: {' '.join(command)} failed; see {log}")


class Records:
    """The results of one data set, a file a method."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def read(self, method: str) -> dict[str, Any]:
        """What is known of a method."""
        path = self.folder / f"{method}.json"
        if not path.is_file():
            return {"search": None, "values": {}, "runs": {}}
        return json.loads(path.read_text(encoding="utf-8"))

    def write(self, method: str, record: dict[str, Any]) -> None:
        """Note what is known of a method."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        (self.folder / f"{method}.json").write_text(text, encoding="utf-8")

    def add_run(self, method: str, seed: int, run: dict[str, Any]) -> None:
        """Note a run; several threads may do so."""
        with self._lock:
            record = self.read(method)
            record["runs"][str(seed)] = run
            self.write(method, record)


def search(args: argparse.Namespace, method: str, records: Records) -> dict[str, Any]:
    """The settings of a method: of its variant's origin, searched, or none."""
    record, data = records.read(method), DATA[args.data]
    known = len((record["search"] or {}).get("trials", ()))
    if method in VARIANTS:
        origin = records.read(method.partition("-")[0])["values"]
        changes = VARIANTS[method]
        kept = {
            key: value
            for key, value in origin.items()
            if not any(key.startswith(f"{removed}.") for removed in changes)
        }
        record["values"] = {**kept, **changes}
    elif known < args.trials and method not in data.fixed:
        folder = args.work_dir / f"search_{method}"
        space = ROOT / "configs" / "_search_" / args.data / f"{method}.yaml"
        options = ["default_hooks.checkpoint.max_keep_ckpts=1", *data.shorter]
        command = ["tools/search.py", config_of(args.data, method), "--space", space]
        command += ["--trials", args.trials, "--seed", 0]
        command += ["--metric", data.metric]
        command += ["--work-dir", folder, "--cfg-options", *options]
        call(command, folder / "search.log")
        record["search"] = {"space": space.read_text(encoding="utf-8").splitlines()}
        record["search"]["trials"] = read_trials(folder / "trials.csv")
        record["values"] = json.loads((folder / "best.json").read_text())["values"]
    records.write(method, record)
    return record["values"]


def read_trials(path: Path) -> list[dict[str, str]]:
    """The trials of a search: their settings and the score on val that decides."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    left_out = ("val/", "work_dir", "seconds")
    return [
        {k: v for k, v in row.items() if not k.startswith(left_out)} for row in rows
    ]


@lru_cache
def _load(config: str) -> Config:
    return Config.fromfile(ROOT / config)


def settings_of(config: str, values: dict[str, Any]) -> str:
    """A digest that differs between different trainings."""
    cfg = copy.deepcopy(_load(config))
    cfg.merge_from_dict(values)
    # Variables of the config files that no run reads do not count.
    read = {key: value for key, value in cfg.to_dict().items() if key in RUNNER_KEYS}
    text = json.dumps(read, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run(
    args: argparse.Namespace, method: str, seed: int, values: dict, records: Records
) -> None:
    """Train and test one method with one seed, unless that is done."""
    config = config_of(args.data, method)
    settings = settings_of(config, values)
    known = records.read(method)["runs"].get(str(seed))
    if known is not None:
        if known["settings"] != settings:
            raise SystemExit(
                f"error: {records.folder / method}.json holds a run of {config} "
                "with other settings: remove it"
            )
        return
    folder = args.work_dir / f"{method}_seed{seed}"
    options = ["--cfg-options", *shlex.split(format_options(values))] if values else []
    log = folder / "log.txt"
    train = ["tools/train.py", config, "--seed", seed, "--work-dir", folder]
    call([*train, *options], log)
    checkpoint = (folder / "last_checkpoint").read_text().strip()
    # The checkpoint holds the threshold that its last validation chose.
    test = ["tools/test.py", config, checkpoint, "--work-dir", folder / "test"]
    call([*test, "--out", folder / "test.json", *options], log)
    found = {
        "settings": settings,
        "torch": torch.__version__,
        "val": _numbers(read_validations(folder)[-1]),
        "test": _numbers(json.loads((folder / "test.json").read_text())),
    }
    records.add_run(method, seed, found)


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in metrics.items() if isinstance(value, float)}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=sorted(DATA), help="data set")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--trials", type=int, default=0, help="per method; default: 0")
    parser.add_argument("--against", default="cam", choices=METHODS, help="for gains")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--work-dir", type=Path, help="work_dirs/methods_<data>")
    parser.add_argument("--results", type=Path, help="experiments/results/<data>")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    args = parser.parse_args()
    default = ROOT / "work_dirs" / f"methods_{args.data}"
    args.work_dir = (args.work_dir or default).resolve()
    args.results = args.results or ROOT / "experiments" / "results" / args.data
    # Variants last: they need the settings of their origin.
    args.methods = sorted(args.methods, key=lambda method: METHODS.index(method))
    return args


def main() -> None:
    """Run what is missing, print and write the table."""
    args = parse_args()
    records = Records(args.results)
    values: dict[str, dict[str, Any]] = {}
    with ThreadPoolExecutor(args.jobs) as pool:
        for group in (set(METHODS) - set(VARIANTS), set(VARIANTS)):
            methods = [method for method in args.methods if method in group]
            found = pool.map(lambda method: search(args, method, records), methods)
            values.update(zip(methods, found))
        # Seeds outside: every method has run once before the second seed begins.
        tasks = [
            pool.submit(run, args, method, seed, values[method], records)
            for seed in args.seeds
            for method in args.methods
        ]
        for task in tasks:
            task.result()
    every = {method: records.read(method)["runs"] for method in args.methods}
    others = (args.against, records.read(args.against)["runs"])
    text = table(every, others, args.seeds, DATA[args.data].columns)
    print(text)
    if args.page is not None:
        insert_table(args.page, args.data, text)


if __name__ == "__main__":
    main()
