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

from mmdgdm.cli.command_line import add_cfg_options, run_command
from mmdgdm.cli.progress import progress_bar
from mmdgdm.engine.setup.config_check import load_config
from mmdgdm.engine.setup.overrides import merge_cfg_options

try:
    from optuna.trial import FrozenTrial
except ImportError:
    sys.exit('error: A search needs Optuna: `pip install "mmdgdm[search]"`.')

from mmdgdm.search.check import check_searchable, check_space
from mmdgdm.search.plot import save_plots
from mmdgdm.search.report import format_options, save_best, save_trials
from mmdgdm.search.space import read_space
from mmdgdm.search.study import CHOICES, Search
from mmdgdm.search.trial import TrainingTrials

TRAIN = Path(__file__).resolve().with_name("train.py")


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Search settings of a config that score best on its validation "
        "set. The test set is never touched. Started again with the same arguments, "
        "a search goes on; started while it runs, it is helped."
    )
    add = parser.add_argument
    add("config", help="path or name of the config")
    add("--space", required=True, help="file of keys and ranges, in YAML or JSON")
    add("--trials", type=int, default=30, help="trials in all; default: 30")
    default = Search.metric
    add("--metric", default=default, help=f"val score that decides; default: {default}")
    for name, words in (
        ("sampler", "how settings are drawn"),
        ("direction", "of better scores"),
        ("at", "validation of a run that counts"),
    ):
        default = getattr(Search, name)
        text = f"{words}; default: {default}"
        add(f"--{name}", choices=CHOICES[name], default=default, help=text)
    add("--work-dir", help="default: ./work_dirs/search_<name of the config>")
    add("--seed", type=int, default=0, help="of draws and of training; default: 0")
    add("--jobs", type=int, default=1, help="trials at a time; default: 1")
    add("--timeout-per-trial", type=float, metavar="SECONDS", help="default: none")
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.timeout_per_trial is not None and args.timeout_per_trial <= 0:
        parser.error("argument --timeout-per-trial: expected seconds above 0")
    return args


def search(args: argparse.Namespace) -> int:
    """Search as the command line says; 1 if all trials failed."""
    cfg = load_config(args.config)
    options = merge_cfg_options(cfg, args.cfg_options)
    check_searchable(cfg)
    space = read_space(args.space)
    check_space(space, cfg, name=args.space)
    work_dir = args.work_dir or f"work_dirs/search_{Path(args.config).stem}"
    settings = {name: getattr(args, name) for name in ("metric", *CHOICES, "seed")}
    found = Search(cfg, space, Path(work_dir), **settings)
    trainer = TrainingTrials(cfg, TRAIN, seed=args.seed, timeout=args.timeout_per_trial)

    with progress_bar("trials") as progress:

        def report(trial: FrozenTrial) -> None:
            save_trials(found)
            result = trial.user_attrs["error"] or f"{args.metric} = {trial.value:.2f}"
            print(f"trial {trial.number}: {result}", flush=True)
            progress(len(found.finished()), args.trials)

        progress(len(found.finished()), args.trials)
        found.run(args.trials, trainer, jobs=args.jobs, on_trial=report)
    save_trials(found)
    save_plots(found)
    best = found.best()
    if best is None:
        sys.stderr.write(f"error: all trials failed; see {work_dir}/trials.csv\n")
        return 1
    print(f"best: trial {best.number}, {args.metric} = {best.value:.2f} on val")
    chosen = format_options(save_best(found, best, config=args.config, options=options))
    print(f"--seed {args.seed} --cfg-options {chosen}")
    print(f"the same as a config: {work_dir}/best.py")
    return 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code: 0, 1 if all trials failed, 2 for an error of the user.
    """
    args = parse_args(argv)
    # A scheduler's signal ends the trials too, as an interrupt does.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    codes = [0]

    def command() -> None:
        codes[0] = search(args)

    return run_command(command) or codes[0]


if __name__ == "__main__":
    sys.exit(main())
