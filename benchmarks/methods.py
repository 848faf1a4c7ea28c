"""Train methods on one data set, test them alike, and print one table.

For every method and seed: train its config, choose the threshold of the maps on
val, report test at that threshold and at each metric's best one. What is already
there is not run again, so that an interrupted comparison goes on where it was; remove
the folder after a change of the code.

    python benchmarks/methods.py stamps --seeds 0 1 2 --page docs/results.md
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from mmengine.config import Config
from page import insert_table

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = {
    "toy": "{method}_resnet18_1xb32-12e_toy.py",
    "stamps": "{method}_efficientnet-lite0_1xb32-4e_stamps.py",
}
METHODS = (
    *("cam", "has", "cutmix", "acol", "spg", "adl", "dropblock"),
    *("dgdm", "dgdm-cagd", "dgdm-sagd", "dgdm-noimportance"),
)
#: Column of the table: key of the metrics.
COLUMNS = {
    "Top-1 Cls": "Top-1 Cls",
    "GT-known, val's threshold": "GT-known (fixed)",
    "Top-1 Loc, val's threshold": "Top-1 Loc (fixed)",
    "MaxBoxAcc": "MaxBoxAcc",
    "MaxBoxAccV2": "MaxBoxAccV2",
    "best threshold": "MaxBoxAcc threshold",
}


def config_of(data: str, method: str) -> str:
    """Path of a config; variants of a method stand in its folder."""
    folder = method.partition("-")[0]
    return f"configs/{folder}/{CONFIGS[data].format(method=method)}"


def call(*arguments: object) -> None:
    """Run one of the tools; its output goes to ours."""
    command = [sys.executable, *map(str, arguments)]
    print("+", " ".join(command), flush=True)
    subprocess.run(command, cwd=ROOT, check=True)


def run(data: str, method: str, seed: int, out: Path) -> dict[str, float]:
    """Train and test one method with one seed; return its test metrics."""
    config = config_of(data, method)
    work_dir = out / f"{method}_seed{seed}"
    val_json, test_json = work_dir / "val.json", work_dir / "test.json"
    check_settings(config, work_dir)
    if not test_json.is_file():
        call("tools/train.py", config, "--seed", seed, "--work-dir", work_dir)
        checkpoint = (work_dir / "last_checkpoint").read_text().strip()
        test = ("tools/test.py", config, checkpoint, "--work-dir", work_dir / "test")
        call(*test, "--split", "val", "--out", val_json)
        # The checkpoint holds the threshold that its last validation chose.
        call(*test, "--out", test_json)
    return json.loads(test_json.read_text())


def check_settings(config: str, work_dir: Path) -> None:
    """Refuse to mix runs of different configs; note the config of a new run."""
    content = Config.fromfile(ROOT / config).to_dict()
    settings = json.dumps(content, indent=1, sort_keys=True, default=str)
    noted = work_dir / "settings.json"
    if noted.is_file() and noted.read_text() != settings:
        raise SystemExit(
            f"error: {work_dir} holds a run of another {config}: remove it"
        )
    work_dir.mkdir(parents=True, exist_ok=True)
    noted.write_text(settings)


def cell(values: list[float], digits: int) -> str:
    """Format the mean of some seeds and their standard deviation."""
    text = f"{statistics.fmean(values):.{digits}f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.{digits}f}"
    return text


def table(data: str, results: dict[str, list[dict[str, float]]]) -> str:
    """Format all results as a Markdown table."""
    lines = [
        "| method | " + " | ".join(COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for method, runs in results.items():
        config = Path(config_of(data, method)).name
        cells = [
            cell([metrics[key] for metrics in runs], 2 if "threshold" in key else 1)
            for key in COLUMNS.values()
        ]
        lines.append(f"| {method.upper()} (`{config}`) | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parse the arguments, run what is missing, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=sorted(CONFIGS), help="data set")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, help="default: work_dirs/methods_<data>")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    args = parser.parse_args()
    out = (args.out or ROOT / "work_dirs" / f"methods_{args.data}").resolve()
    # Seeds outside: every method has run once before the second seed begins.
    runs = {
        (method, seed): run(args.data, method, seed, out)
        for seed in args.seeds
        for method in args.methods
    }
    results = {m: [runs[m, seed] for seed in args.seeds] for m in args.methods}
    text = table(args.data, results)
    print(text)
    if args.page is not None:
        insert_table(args.page, args.data, text)


if __name__ == "__main__":
    main()
