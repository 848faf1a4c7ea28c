"""How methods do with a choice that is made at test time, by val.

For each checkpoint that ``experiments/methods.py`` left: the value of an option and the
threshold of the maps are chosen on val, then test is scored with both. Options:

- ``attention``: the power of the attention that weighs maps
  (``WSOLHead(attention_power=...)``), 0 for plain CAMs,
- ``size``: the side of the image that the network is given, in pixels. Boxes are scored
  at the benchmark's 224 x 224 whatever it is.

    python experiments/at_test_time.py attention stamps --page docs/research/methods.md

What came out stands in ``experiments/results/<data>_<option>/<method>.json``.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple

import torch
from differences_table import differences, image_hits
from methods import DATA, METHODS, ROOT, Data, Records, trivial_scores
from methods_table import table
from page import insert_table
from retest import retest


class Option(NamedTuple):
    """A choice at test time.

    Attributes:
        word: What the values are.
        values: What there is to choose from for a data set; of equals the first is
            taken.
        settings: Pairs for ``--cfg-options``, of a value and a split.
    """

    word: str
    values: Callable[[Data], Sequence[float]]
    settings: Callable[[Any, str], list[str]]


OPTIONS = {
    "attention": Option(
        "power",
        lambda data: (0.0, 0.5, 1.0, 2.0),
        lambda power, split: [f"model.head.attention_power={power}"],
    ),
    "size": Option(
        "side",
        lambda data: data.sides,
        lambda side, split: [
            f"{split}_dataloader.dataset.pipeline.1.scale=({side},{side})"
        ],
    ),
}


def test(args: argparse.Namespace, method: str, seed: int) -> dict[str, Any]:
    """Choose a value on val and score test with it."""
    metric, prefix = args.metric, DATA[args.data].prefix
    folder = args.work_dir / f"{method}_seed{seed}"
    option = OPTIONS[args.option]

    def scores(value: float, split: str, *settings: str) -> dict[str, float]:
        chosen = [*option.settings(value, split), *settings]
        return retest(
            args.data, method, folder, f"{args.option}_{split}", chosen, split
        )

    values = option.values(DATA[args.data])
    val = {value: scores(value, "val") for value in values}
    # Of equals the first value: max keeps it.
    best = max(values, key=lambda value: val[value][metric])
    threshold = val[best][f"{prefix}threshold/max_box_acc"]
    found = scores(best, "test", f"test_evaluator.threshold={threshold}")
    return {
        option.word: best,
        "val": {str(value): val[value][metric] for value in values},
        "test": found,
        "hits": image_hits(folder / f"{args.option}_test.json", prefix),
        "torch": torch.__version__,
    }


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("option", choices=sorted(OPTIONS), help="what is chosen")
    parser.add_argument("data", choices=sorted(DATA), help="data set")
    parser.add_argument(
        "--methods", nargs="+", default=["cam", "dgdm"], choices=METHODS
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--work-dir", type=Path, help="work_dirs/methods_<data>")
    parser.add_argument(
        "--metric", help="score on val that decides; default: as in trials"
    )
    parser.add_argument("--page", type=Path, help="put the tables into this page")
    args = parser.parse_args()
    default = ROOT / "work_dirs" / f"methods_{args.data}"
    args.work_dir = (args.work_dir or default).resolve()
    args.metric = args.metric or DATA[args.data].metric
    return args


def main() -> None:
    """Test what is missing, print and write the tables."""
    args = parse_args()
    name = f"{args.data}_{args.option}"
    records = Records(ROOT / "experiments" / "results" / name)
    for method in args.methods:
        for seed in args.seeds:
            if str(seed) not in records.read(method)["runs"]:
                records.add_run(method, seed, test(args, method, seed))
    every = {method: records.read(method)["runs"] for method in args.methods}
    others = ("cam", records.read("cam")["runs"])
    trivial = trivial_scores(args.data, args.methods[0])
    columns = DATA[args.data].columns
    texts = {name: table(every, others, args.seeds, columns, trivial=trivial)}
    # Older runs did not keep what each image adds.
    if all("hits" in run for runs in every.values() for run in runs.values()):
        texts[f"{name}-differences"] = differences(every, others, args.seeds)
    for text in texts.values():
        print(text)
    for method, runs in every.items():
        word = OPTIONS[args.option].word
        counts = sorted(Counter(run[word] for run in runs.values()).items())
        shown = ", ".join(f"{value} ({count} runs)" for value, count in counts)
        print(f"{method}: {word} {shown}")
    if args.page is not None:
        for place, text in texts.items():
            insert_table(args.page, place, text)


if __name__ == "__main__":
    main()
