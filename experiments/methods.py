"""Tune and train methods on one data set alike, and print one table.

For every method: search its settings on val (the same number of trials each), train
with the best ones and several seeds, choose the threshold of the maps on val, and
report test at that threshold and at each metric's best one. Variants are not searched:
they take the settings that were found for their origin, wherever their own config says
what the origin's does. The table ends with trivial baselines, such as a box in the
middle (``mmdgdm.apis.score_baselines``). A second table has the differences to one
method, paired by seed, by image and by the size of the object.

    python experiments/methods.py stamps --trials 6 --jobs 2 \
        --page docs/research/methods.md

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
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

import torch
from differences_table import differences, image_hits
from methods_table import COLUMNS, TOP1_COLUMNS, table
from mmengine.config import Config
from page import insert_table

from mmdgdm.apis import score_baselines
from mmdgdm.engine.setup.config_check import RUNNER_KEYS
from mmdgdm.evaluation.functional.calibration import ARGMAX, DEFAULT_RULE
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
        origins: Variants of this data set alone, beside ``ORIGINS``; none for a method
            that is searched here.
        metric: Score on val that decides in a search.
        columns: Heading and metric of each column of the table.
        calibration: The rule by which val chose the threshold of the stored runs.
        sides: Sides of test images to choose from, in pixels; that of training first.
    """

    ending: str
    shorter: tuple[str, ...]
    fixed: tuple[str, ...] = ()
    origins: Mapping[str, Optional[str]] = field(default_factory=dict)
    metric: str = "wsol/gt_known"
    columns: Mapping[str, str] = field(default_factory=lambda: COLUMNS)
    calibration: str = DEFAULT_RULE
    sides: tuple[int, ...] = (224, 320, 384)

    @property
    def prefix(self) -> str:
        """What the names of its metrics begin with."""
        return split_name(self.metric).prefix


#: On photographs DGDM was searched with the loss of the background.
_SEARCHED_WITH_LOSS = {"dgdm": "dgdm-bgloss"}
#: How long to train is searched: localization may fall while classification still
#: gains, so that the score which decides asks for both.
_LENGTH_SEARCHED: dict[str, Any] = {
    "metric": "wsol/top1_loc",
    "origins": {"cam-bgloss": None},
}
DATA = {
    # After half the time the toy's classes are not learned yet. Its learning rate
    # belongs to the toy.
    "toy": Data("resnet18_1xb32-12e_toy.py", (), fixed=("cam",), calibration=ARGMAX),
    "toy_repvgg": Data("repvgg_1xb32-12e_toy.py", (), calibration=ARGMAX),
    "toy_efficientnet-lite0": Data(
        "efficientnet-lite0_1xb32-12e_toy.py", (), calibration=ARGMAX
    ),
    "stamps": Data(
        "efficientnet-lite0_1xb32-4e_stamps.py",
        ("train_cfg.max_epochs=2", "param_scheduler.0.T_max=2"),
        origins=_SEARCHED_WITH_LOSS,
        calibration=ARGMAX,
    ),
    # On 100 images the mean over three IoUs is the finer judge.
    "raccoon": Data(
        "efficientnet-lite0_1xb32-4e_raccoon.py",
        (),
        origins=_SEARCHED_WITH_LOSS,
        metric="wsol_top1/max_box_acc_v2",
        columns=TOP1_COLUMNS,
        calibration=ARGMAX,
    ),
    "cub10": Data("efficientnet-lite0_1xb32-4e_cub10.py", (), **_LENGTH_SEARCHED),
    "tiny_imagenet": Data(
        "resnet18_1xb32-20e_tiny-imagenet.py",
        (),
        sides=(64, 96, 128),
        **_LENGTH_SEARCHED,
    ),
    "tiny_imagenet_pretrained": Data(
        "efficientnet-lite0_1xb32-2e_tiny-imagenet-128.py",
        (),
        sides=(128, 192, 256),
        **_LENGTH_SEARCHED,
    ),
}
#: Whose settings a variant takes.
ORIGINS = {
    "dgdm-cagd": "dgdm",
    "dgdm-sagd": "dgdm",
    "dgdm-nobg": "dgdm",
    "dgdm-noimportance": "dgdm",
    "cam-bgloss": "dgdm-bgloss",
    "adl-bgloss": "adl",
    "dgdm-cagd-bgloss": "dgdm-bgloss",
    "dgdm-sagd-bgloss": "dgdm-bgloss",
}
METHODS = (
    *("cam", "has", "cutmix", "acol", "spg", "adl", "dropblock"),
    *("dgdm", "dgdm-cagd", "dgdm-sagd", "dgdm-nobg", "dgdm-noimportance"),
    *("cam-bgloss", "adl-bgloss", "dgdm-bgloss"),
    *("dgdm-cagd-bgloss", "dgdm-sagd-bgloss"),
)
#: Keys of a config that say how it trains and tests.
_COUNTED = RUNNER_KEYS - {"visualizer", "log_level", "log_processor"}
#: Memory of one step is kept for the next one, where the C library is glibc: on the
#: CPU the same numbers take less time.
_KEPT_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}
_PRINTING = threading.Lock()


def config_of(data: str, method: str) -> str:
    """Path of the config that a method trains."""
    return f"configs/{method.partition('-')[0]}/{method}_{DATA[data].ending}"


def origin_of(data: str, method: str) -> Optional[str]:
    """The method whose settings a variant takes, or none."""
    return {**ORIGINS, **DATA[data].origins}.get(method)


def in_order(data: str, methods: Iterable[str]) -> list[list[str]]:
    """Groups of methods: those that are searched, their variants, and theirs."""

    def depth(method: str) -> int:
        origin = origin_of(data, method)
        return 0 if origin is None else 1 + depth(origin)

    groups: dict[int, list[str]] = {}
    for method in methods:
        groups.setdefault(depth(method), []).append(method)
    return [groups[level] for level in sorted(groups)]


def call(arguments: Iterable[object], log: Path) -> None:
    """Run one of the tools; its output goes to a file."""
    command = [sys.executable, *map(str, arguments)]
    with _PRINTING:
        print("+", *command[1:4], f"... > {log}", flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**_KEPT_MEMORY, **os.environ},
            stdout=stream,
            stderr=stream,
        )
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
    origin = origin_of(args.data, method)
    if origin is not None:
        configs = [_load(config_of(args.data, name)) for name in (method, origin)]
        record["values"] = {
            key: value
            for key, value in records.read(origin)["values"].items()
            if _at(configs[0], key) == _at(configs[1], key)
        }
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


def _at(config: Config, key: str) -> Any:
    """What a config holds at a key such as ``model.stage_necks.0.after``."""
    found: Any = config
    for part in key.split("."):
        if isinstance(found, Sequence):
            found = dict(enumerate(found)).get(int(part))
        else:
            found = (found or {}).get(part)
    return found


def settings_of(config: str, values: dict[str, Any]) -> str:
    """A digest that differs between different trainings."""
    cfg = copy.deepcopy(_load(config))
    cfg.merge_from_dict(values)
    # What no run reads, and what only prints and stores, does not count.
    read = {key: value for key, value in cfg.to_dict().items() if key in _COUNTED}
    for name in ("logger", "checkpoint"):
        read["default_hooks"].pop(name)
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
    # What an interrupted run left would be taken for this one's.
    shutil.rmtree(folder, ignore_errors=True)
    log = folder / "log.txt"
    train = ["tools/train.py", config, "--seed", seed, "--work-dir", folder]
    start = time.perf_counter()
    call([*train, *options], log)
    seconds = time.perf_counter() - start
    validations = [_numbers(scores) for scores in read_validations(folder)]
    checkpoint = (folder / "last_checkpoint").read_text().strip()
    # The checkpoint holds the threshold that its last validation chose.
    test = ["tools/test.py", config, checkpoint, "--work-dir", folder / "test"]
    call([*test, "--out", folder / "test.json", *options], log)
    found = {
        "settings": settings,
        "torch": torch.__version__,
        # Wall-clock time of the training, with its validations.
        "seconds": round(seconds, 1),
        "val": validations[-1],
        # All validations in their order, one every `train_cfg.val_interval` epochs.
        "validations": validations,
        "test": _numbers(json.loads((folder / "test.json").read_text())),
        "hits": image_hits(folder / "test.json", DATA[args.data].prefix),
    }
    records.add_run(method, seed, found)


def trivial_scores(
    data: str, method: str, indices: Optional[Sequence[int]] = None
) -> dict[str, dict[str, float]]:
    """What the trivial baselines reach on a data set, or on some images of its test."""
    config = _load(config_of(data, method))
    return score_baselines(
        config,
        indices=indices,
        prefix=DATA[data].prefix,
        calibration=DATA[data].calibration,
    )


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
    args.methods = sorted(args.methods, key=lambda method: METHODS.index(method))
    return args


def main() -> None:
    """Run what is missing, print and write the table."""
    args = parse_args()
    records = Records(args.results)
    values: dict[str, dict[str, Any]] = {}
    with ThreadPoolExecutor(args.jobs) as pool:
        for methods in in_order(args.data, args.methods):
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
    trivial = trivial_scores(args.data, args.methods[0])
    columns = DATA[args.data].columns
    text = table(every, others, args.seeds, columns, trivial=trivial)
    print(text)
    if args.page is not None:
        insert_table(args.page, args.data, text)
    # Older runs did not keep what each image adds.
    runs = [run for runs in every.values() for run in runs.values()]
    if len(every) > 1 and all("hits" in run for run in runs):
        text = differences(every, others, args.seeds)
        print(text)
        if args.page is not None:
            insert_table(args.page, f"{args.data}-differences", text)


if __name__ == "__main__":
    main()
