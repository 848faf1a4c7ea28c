"""Search settings of a config that score best on its validation set.

Example:
    python tools/search.py configs/adl/adl_resnet18_1xb32-12e_toy.py \
        --space configs/_search_/adl.yaml --trials 30
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from mmdgdm.cli.command_line import CfgOptionsAction, run_command
from mmdgdm.engine.setup.config_check import load_config
from mmdgdm.engine.setup.overrides import merge_cfg_options
from mmdgdm.search.check import check_searchable, check_space
from mmdgdm.search.space import read_space
from mmdgdm.search.trial import TrainingTrials

try:
    from mmdgdm.search.plot import plot_search
    from mmdgdm.search.report import (
        format_options,
        save_best,
        save_config,
        save_trials,
    )
    from mmdgdm.search.study import Search, SearchSettings, TrialRecord
except ImportError as error:
    sys.exit(f"error: {error}")

TRAIN = Path(__file__).resolve().with_name("train.py")


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Search settings of a config that score best on its validation "
        "set. The test set is never touched. Started again with the same arguments, "
        "a search goes on."
    )
    add = parser.add_argument
    add("config", help="path of the config")
    add("--space", required=True, help="file of keys and ranges, in YAML or JSON")
    add("--trials", type=int, default=30, help="trials in all; default: 30")
    add(
        "--sampler",
        choices=["random", "grid"],
        default="random",
        help="default: random",
    )
    add(
        "--metric",
        default="wsol/gt_known",
        help="val score that decides; default: %(default)s",
    )
    add(
        "--direction",
        choices=["maximize", "minimize"],
        default="maximize",
        help="default: maximize",
    )
    add(
        "--at",
        choices=["last", "best"],
        default="last",
        help="validation of a run that counts; default: last",
    )
    add("--work-dir", help="default: ./work_dirs/search_<name of the config>")
    add("--seed", type=int, default=0, help="of draws and of training; default: 0")
    add("--jobs", type=int, default=1, help="trials at a time; default: 1")
    add("--timeout-per-trial", type=float, metavar="SECONDS", help="default: none")
    add(
        "--cfg-options",
        nargs="+",
        action=CfgOptionsAction,
        metavar="KEY=VALUE",
        help="override settings of the config in all trials",
    )
    args = parser.parse_args(argv)
    if args.timeout_per_trial is not None and args.timeout_per_trial <= 0:
        parser.error("argument --timeout-per-trial: expected seconds above 0")
    return args


def search(args: argparse.Namespace) -> Search:
    """Search as the command line says."""
    cfg = load_config(args.config)
    args.cfg_options = merge_cfg_options(cfg, args.cfg_options)
    check_searchable(cfg)
    space = read_space(args.space)
    check_space(space, cfg, args.space)
    settings = SearchSettings(
        space, args.metric, args.direction, args.sampler, args.at, args.seed
    )
    work_dir = Path(
        args.work_dir or Path("work_dirs", f"search_{Path(args.config).stem}")
    )
    found = Search(cfg, settings, work_dir)
    trainer = TrainingTrials(cfg, TRAIN, args.seed, args.timeout_per_trial)

    def report(record: TrialRecord) -> None:
        save_trials(found.records(), args.metric, work_dir / "trials.csv")
        result = record.error or f"{args.metric} = {record.score:.2f}"
        print(f"trial {record.number}: {result}", flush=True)

    found.run(args.trials, trainer, args.jobs, report)
    save_trials(found.records(), args.metric, work_dir / "trials.csv")
    plot_search(found.records(), settings).savefig(work_dir / "search.png", dpi=120)
    return found


def show_best(args: argparse.Namespace, found: Search) -> int:
    """Print and write the best setting; 1 if there is none, as all trials failed."""
    best = found.best()
    if best is None:
        sys.stderr.write(f"error: all trials failed; see {found.work_dir}/trials.csv\n")
        return 1
    options, path = args.cfg_options, found.work_dir / "best.py"
    save_config(args.config, options, best.values, path)
    save_best(best, args.metric, path.with_suffix(".json"))
    print(f"best: trial {best.number}, {args.metric} = {best.score:.2f} on val")
    print(
        f"--seed {args.seed} --cfg-options {format_options({**options, **best.values})}"
    )
    print(f"the same as a config: {path}")
    return 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code: 0, 1 if all trials failed, 2 for an error of the user.
    """
    args = parse_args(argv)
    codes = [0]

    def command() -> None:
        codes[0] = show_best(args, search(args))

    return run_command(command) or codes[0]


if __name__ == "__main__":
    # A scheduler's signal ends the trials too, as an interrupt does.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
