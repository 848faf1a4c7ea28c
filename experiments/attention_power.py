"""How methods do when their maps are weighted by the spatial attention in testing.

For each checkpoint that ``experiments/methods.py`` left: the power of the attention
(``WSOLHead(attention_power=...)``, 0 for plain CAMs) and the threshold of the maps are
chosen on val, then test is scored with both.

    python experiments/attention_power.py stamps --page docs/research/methods.md

What came out stands in ``experiments/results/<data>_attention/<method>.json``.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from methods import DATA, METHODS, ROOT, Records, trivial_scores
from methods_table import table
from page import insert_table
from retest import retest

#: What there is to choose from.
POWERS = (0.0, 0.5, 1.0, 2.0)


def test(args: argparse.Namespace, method: str, seed: int) -> dict[str, Any]:
    """Choose the power on val and score test with it."""
    metric, prefix = DATA[args.data].metric, DATA[args.data].prefix
    folder = args.work_dir / f"{method}_seed{seed}"

    def scores(power: float, split: str, *options: str) -> dict[str, float]:
        chosen = [f"model.head.attention_power={power}", *options]
        return retest(args.data, method, folder, f"power_{split}", chosen, split)

    val = {power: scores(power, "val") for power in POWERS}
    # Of equals the smaller power: max keeps the first one.
    best = max(POWERS, key=lambda power: val[power][metric])
    threshold = val[best][f"{prefix}threshold/max_box_acc"]
    found = scores(best, "test", f"test_evaluator.threshold={threshold}")
    return {
        "power": best,
        "val": {str(power): val[power][metric] for power in POWERS},
        "test": found,
        "torch": torch.__version__,
    }


def main() -> None:
    """Test what is missing, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=sorted(DATA), help="data set")
    parser.add_argument(
        "--methods", nargs="+", default=["cam", "dgdm"], choices=METHODS
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--work-dir", type=Path, help="work_dirs/methods_<data>")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    args = parser.parse_args()
    default = ROOT / "work_dirs" / f"methods_{args.data}"
    args.work_dir = (args.work_dir or default).resolve()
    records = Records(ROOT / "experiments" / "results" / f"{args.data}_attention")
    for method in args.methods:
        for seed in args.seeds:
            if str(seed) not in records.read(method)["runs"]:
                records.add_run(method, seed, test(args, method, seed))
    every = {method: records.read(method)["runs"] for method in args.methods}
    others = ("cam", records.read("cam")["runs"])
    trivial = trivial_scores(args.data, args.methods[0])
    columns = DATA[args.data].columns
    text = table(every, others, args.seeds, columns, trivial=trivial)
    print(text)
    for method, runs in every.items():
        counts = sorted(Counter(run["power"] for run in runs.values()).items())
        shown = ", ".join(f"{power} ({count} runs)" for power, count in counts)
        print(f"{method}: power {shown}")
    if args.page is not None:
        insert_table(args.page, f"{args.data}_attention", text)


if __name__ == "__main__":
    main()
