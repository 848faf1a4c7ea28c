"""Score stored maps of any method against a data set's boxes or masks.

Maps are SCOREMAP_ROOT/<image id>.npy (or the id without its extension): 2-D, floating
point, in [0, 1]. METADATA_DIR holds a split in the text form of the WSOL benchmark.
Needs neither torch nor mmengine.

Example:
    python tools/eval_scoremaps.py maps/val metadata/CUB/val --json val.json
    python tools/eval_scoremaps.py maps/test metadata/CUB/test --threshold val.json

Maps that know nothing of the images, to be beaten: --baseline NAME METADATA_DIR.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from mmdgdm.cli.commands import run_command
from mmdgdm.cli.progress import progress_bar
from mmdgdm.cli.report import format_classes, format_metrics, save_metrics
from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.baselines import BASELINES
from mmdgdm.evaluation.functional.calibration import DEFAULT_RULE, RULES
from mmdgdm.evaluation.functional.names import PREFIX, THRESHOLD, VAL_CHOSE
from mmdgdm.evaluation.functional.scoremaps import DEFAULT_INTERVAL
from mmdgdm.evaluation.stored.evaluate import EvaluationSettings, evaluate_scoremaps
from mmdgdm.evaluation.stored.record_files import record_path
from mmdgdm.evaluation.stored.results import make_result
from mmdgdm.utils.argument_checks import check_output_file

#: Names of images left out that are printed.
_NUM_SHOWN = 5


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Score stored maps against a data set's boxes or masks."
    )
    parser.add_argument(
        "scoremap_root", nargs="?", help="folder of the maps, <image id>.npy"
    )
    parser.add_argument("metadata_dir", help="folder of the split's metadata")
    parser.add_argument(
        "--baseline",
        choices=BASELINES,
        help="in place of maps: a centred box, the whole image or a centred Gaussian",
    )
    parser.add_argument(
        "--mask-root", metavar="DIR", help="folder that mask paths start from"
    )
    _add_settings(parser)
    parser.add_argument(
        "--by-class", action="store_true", help="print the scores of each class too"
    )
    parser.add_argument(
        "--classes",
        metavar="FILE",
        help="names of the classes, a line '<id> <name>' each in the order of the "
        "labels; default: classes.txt in METADATA_DIR or the folder above",
    )
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="leave out images without a map, and list them in the result",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="number of processes; default: one per core",
    )
    parser.add_argument(
        "--json",
        metavar="OUT.json",
        help="write the result here, and each image's record to OUT.records.npz",
    )
    parser.add_argument("--plot", metavar="OUT.png", help="draw the curves here")
    # Options may stand between the two folders, the first of which may be left out.
    return parser.parse_intermixed_args(argv)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is computed."""
    parser.add_argument(
        "--interval",
        type=float,
        default=DEFAULT_INTERVAL,
        help="distance between thresholds; default: %(default)s",
    )
    parser.add_argument(
        "--iou",
        type=float,
        nargs="+",
        default=[30, 50, 70],
        metavar="PERCENT",
        help="overlaps of MaxBoxAccV2; default: 30 50 70",
    )
    parser.add_argument(
        "--scores", metavar="FILE.npz", help="class scores, for Top-1 and Top-5 Loc"
    )
    parser.add_argument(
        "--topk",
        type=int,
        nargs="+",
        default=[1, 5],
        metavar="K",
        help="numbers of best classes, with --scores; default: 1 5",
    )
    parser.add_argument(
        "--threshold",
        metavar="T",
        help="a threshold chosen on val: a number, or the .json result of val",
    )
    parser.add_argument(
        "--calibration",
        choices=RULES,
        default=DEFAULT_RULE,
        help="the rule that chooses the threshold for test, and by which --threshold "
        "takes it from val's .json; default: %(default)s",
    )


def describe_threshold(facts: Mapping[str, Any], calibration: str) -> str:
    """Say which rule chose a threshold that was read from the result of val."""
    rule = facts["threshold_rule"]
    if rule is None:
        return ""
    known = rule == calibration or facts["mask_root"] is not None
    other = "" if known else f", whose file holds none by {calibration}"
    return f"The threshold {facts['threshold']:g} was chosen by {rule} on val{other}.\n"


def describe_missing(missing: Sequence[str], num_scored: int) -> str:
    """Say what was left out, since scores of the rest can be higher for it."""
    if not missing:
        return ""
    names = ", ".join(missing[:_NUM_SHOWN])
    others = len(missing) - _NUM_SHOWN
    more = f" and {others} more" if others > 0 else ""
    return (
        f"{len(missing)} of {len(missing) + num_scored} images have no map and are "
        f"left out, which can raise the scores: {names}{more}.\n"
    )


def describe_sides(sides: Mapping[str, float]) -> str:
    """Say how large the centred box is, of the baseline that has one."""
    said = ""
    for kind, which in ((THRESHOLD, "The best"), (VAL_CHOSE, "Val's")):
        if f"{PREFIX}/{kind}max_box_acc" in sides:
            side = sides[f"{PREFIX}/{kind}max_box_acc"]
            said += f"{which} centred box has {side:.3f} of the image's sides.\n"
    return said


def evaluate(args: argparse.Namespace) -> None:
    """Evaluate as the command line says."""
    check_output_file("--json", args.json, endings=["json"])
    if args.plot is not None:
        # Here, since it takes a second to load matplotlib.
        from mmdgdm.visualization import plots

        check_output_file("--plot", args.plot, endings=plots.PLOT_ENDINGS)
    if min(args.iou) < 1:
        raise ConfigError(
            f"Expected `--iou` in percent, such as 50, but got {args.iou}."
        )
    settings = EvaluationSettings(
        interval=args.interval,
        iou_thresholds=tuple(percent / 100 for percent in args.iou),
        topk=tuple(args.topk),
        calibration=args.calibration,
    )
    with progress_bar("score maps") as progress:
        result = evaluate_scoremaps(
            args.scoremap_root,
            args.metadata_dir,
            baseline=args.baseline,
            settings=settings,
            threshold=args.threshold,
            mask_root=args.mask_root,
            scores=args.scores,
            allow_missing=args.allow_missing,
            workers=args.workers,
            progress=progress,
            record_file=None if args.json is None else record_path(args.json),
            class_file=args.classes,
        )
    report(args, result)
    if args.json is not None:
        save_metrics(result, args.json)
    if args.plot is not None:
        name = str(args.baseline or Path(args.scoremap_root).name)
        figure = plots.plot_thresholds([make_result(result, name)])
        plots.save_figure(figure, args.plot)


def report(args: argparse.Namespace, result: dict[str, Any]) -> None:
    """Print the scores, and how they came about."""
    facts = result["evaluated"]
    print(describe_threshold(facts, args.calibration), end="")
    print(describe_missing(facts["missing"], facts["images"]), end="")
    print(format_metrics(result["metrics"]))
    if args.by_class and "by_class" in result:
        print(f"\n{format_classes(result['by_class'])}\n")
    print(describe_sides(facts.get("sides", {})), end="")
    print(
        f"{facts['images']} images: {facts['resized']} maps enlarged, "
        f"{facts['constant']} constant, which tell no place."
    )


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return run_command(lambda: evaluate(args))


if __name__ == "__main__":
    sys.exit(main())
