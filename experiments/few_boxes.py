"""How to choose the threshold from few boxes, and how many boxes are enough.

Of each run the images of val and test are pooled. Many times a few of them are drawn,
each rule chooses a threshold by these, and what it loses is read off all others: the
best GT-known there (MaxBoxAcc, where maps are not the true class's) less that at the
threshold chosen.

    python experiments/few_boxes.py work_dirs/methods_toy/*_seed0 \
        work_dirs/methods_stamps/*_seed0 --picture docs/pictures/few_boxes.png \
        --page docs/research/threshold_rule.md

A run is a folder that ``experiments/methods.py`` left, ``methods_<data>/<run>``, with a
config and ``last_checkpoint``; it is tested if it has no ``few_boxes/val.records.npz``
and ``test.records.npz``. What came out stands in
``experiments/results/few_boxes/<data>.json``; runs that are there are not studied
again. Without runs, table and picture are made of what is there.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from few_boxes_page import picture, table
from methods import ROOT, call
from numpy.typing import NDArray
from page import insert_table

from mmdgdm.evaluation.functional.calibration import OverlapSums, plausible_median
from mmdgdm.evaluation.functional.max_box_acc import CALIBRATION_IOUS, LOC_IOU_THRESHOLD
from mmdgdm.evaluation.functional.records import read_box_records
from mmdgdm.evaluation.functional.scoremaps import make_thresholds, threshold_levels
from mmdgdm.evaluation.stored.record_files import read_records

SIZES = (10, 25, 50, 100, 200)
REPEATS = 100
RESAMPLES = 100
THRESHOLDS = make_thresholds(0.005)
_HALF = CALIBRATION_IOUS.index(LOC_IOU_THRESHOLD)
#: The hits of some images, (N, K, T) bool, K for ``CALIBRATION_IOUS``.
Hits = NDArray[np.bool_]
#: From hits, and a source of chance, to the place of a threshold.
Rule = Callable[[Hits, np.random.Generator], int]


def at_half(hits: Hits) -> NDArray[np.float64]:
    """Whether each image is localized at IoU 0.5, (N, T)."""
    return hits[:, _HALF].astype(np.float64)


def over_ious(hits: Hits) -> NDArray[np.float64]:
    """The share of the IoUs that each image reaches, (N, T)."""
    return hits.mean(axis=1)


def best_of(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the mean over images is highest, (T,); rounding does not part equals."""
    means = values.mean(axis=0)
    return means >= means.max() - 1e-9


def argmax(values: NDArray[np.float64]) -> int:
    """The first best threshold."""
    return int(best_of(values).argmax())


def plateau(values: NDArray[np.float64]) -> int:
    """The middle of the longest run of best thresholds."""
    edges = np.flatnonzero(np.diff(np.r_[False, best_of(values), False].astype(int)))
    starts, ends = edges[::2], edges[1::2]
    longest = int((ends - starts).argmax())
    return int(starts[longest] + ends[longest] - 1) // 2


def one_se(values: NDArray[np.float64]) -> int:
    """The median of all thresholds within one standard error of the best."""
    means, best = values.mean(axis=0), argmax(values)
    error = values[:, best].std() / np.sqrt(len(values))
    places = np.flatnonzero(means >= means[best] - error - 1e-9)
    return int(places[(len(places) - 1) // 2])


def smooth(values: NDArray[np.float64], width: float) -> int:
    """The best place of the curve smoothed by a Gaussian of a standard deviation."""
    distances = THRESHOLDS[:, None] - THRESHOLDS
    kernel = np.exp(-0.5 * (distances / width) ** 2)
    return int((kernel @ values.mean(axis=0) / kernel.sum(axis=1)).argmax())


def bootstrap(
    values: NDArray[np.float64],
    rng: np.random.Generator,
    mean: Callable[[list[float]], float],
) -> int:
    """The mean or median of resamples' best places, each the middle of its own."""
    number = len(values)
    counts = rng.multinomial(number, np.full(number, 1 / number), size=RESAMPLES)
    curves = counts @ values
    best = curves >= curves.max(axis=1, keepdims=True) - 1e-9
    return round(mean([float(np.flatnonzero(row).mean()) for row in best]))


def weighted_median(hits: Hits) -> int:
    """The rule ``median`` of the evaluation, on the IoUs given."""
    reached = hits.sum(axis=1, dtype=np.int64)
    sums = OverlapSums(reached.sum(axis=0), (reached**2).sum(axis=0))
    found = plausible_median(sums, num_images=len(hits), thresholds=THRESHOLDS)
    return int(np.searchsorted(THRESHOLDS, found))


def _rules() -> dict[str, Rule]:
    mean, median = statistics.fmean, statistics.median
    rules: dict[str, Rule] = {}
    for name, of in (("", at_half), ("IoUs, ", over_ious)):
        rules |= {
            f"{name}argmax": lambda h, rng, of=of: argmax(of(h)),
            f"{name}plateau": lambda h, rng, of=of: plateau(of(h)),
            f"{name}one SE": lambda h, rng, of=of: one_se(of(h)),
            f"{name}bootstrap mean": lambda h, rng, of=of: bootstrap(of(h), rng, mean),
            f"{name}bootstrap median": lambda h, rng, of=of: bootstrap(
                of(h), rng, median
            ),
        }
        for width in (0.02, 0.05, 0.1):
            rules[f"{name}smooth {width:g}"] = lambda h, rng, of=of, width=width: (
                smooth(of(h), width)
            )
    rules["weighted median"] = lambda h, rng: weighted_median(h[:, [_HALF]])
    rules["IoUs, weighted median"] = lambda h, rng: weighted_median(h)
    return rules


#: "IoUs" are means over 0.3, 0.5 and 0.7; without, 0.5 alone.
RULES = _rules()


def hits_of(folder: Path) -> Hits:
    """The hits of all images of a run, val and test; tests what is missing."""
    found = []
    for split in ("val", "test"):
        result = folder / "few_boxes" / f"{split}.json"
        stored = result.with_suffix(".records.npz")
        if not stored.is_file():
            (config,) = folder.glob("*.py")
            checkpoint = (folder / "last_checkpoint").read_text().strip()
            command = ["tools/test.py", config, checkpoint, "--split", split]
            command += ["--work-dir", result.parent / split, "--out", result]
            call(command, folder / "few_boxes" / "log.txt")
        records = read_box_records(list(read_records(stored).values()))
        if records.single.shape[1] != len(CALIBRATION_IOUS):
            raise SystemExit(f"error: {stored} has other overlaps: remove it")
        hits = np.unpackbits(records.single, axis=2).view(np.bool_)
        levels = [threshold_levels(THRESHOLDS, int(top)) for top in records.maxima]
        found.append(np.take_along_axis(hits, np.array(levels)[:, None], axis=2))
    return np.concatenate(found)


def study(hits: Hits) -> dict[str, Any]:
    """What each rule loses at each number of boxes, in points.

    Args:
        hits: Of all images of a run.

    Returns:
        The number of images, the best score of all and its threshold, and ``losses``
        by rule and number of boxes: mean, and the ninth of ten draws.
    """
    rng = np.random.default_rng(0)
    whole = hits[:, _HALF].sum(axis=0)
    losses: dict[str, dict[str, dict[str, float]]] = {rule: {} for rule in RULES}
    for size in [size for size in SIZES if 2 * size <= len(hits)]:
        found: dict[str, list[float]] = {rule: [] for rule in RULES}
        for _ in range(REPEATS):
            few = hits[rng.choice(len(hits), size, replace=False)]
            others = (whole - few[:, _HALF].sum(axis=0)) * 100 / (len(hits) - size)
            for rule, choose in RULES.items():
                found[rule].append(float(others.max() - others[choose(few, rng)]))
        for rule, lost in found.items():
            numbers = {"mean": np.mean(lost), "ninth_of_ten": np.quantile(lost, 0.9)}
            losses[rule][str(size)] = {
                k: round(float(v), 4) for k, v in numbers.items()
            }
    return {
        "images": len(hits),
        "best": round(float(whole.max()) * 100 / len(hits), 4),
        "threshold": float(THRESHOLDS[whole.argmax()]),
        "curve": [round(float(count) * 100 / len(hits), 3) for count in whole],
        "losses": losses,
    }


def add_runs(folders: list[Path], results: Path) -> None:
    """Study the runs that have no results yet."""
    for folder in folders:
        data = folder.resolve().parent.name.removeprefix("methods_")
        path = results / f"{data}.json"
        known = json.loads(path.read_text()) if path.is_file() else {}
        if folder.name not in known:
            print(f"{data}/{folder.name}", flush=True)
            found = study(hits_of(folder))
            # Another study may have written meanwhile.
            known = json.loads(path.read_text()) if path.is_file() else {}
            known[folder.name] = found
            results.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(known, sort_keys=True) + "\n")


def read_results(results: Path) -> dict[str, Mapping[str, Any]]:
    """The runs of each data set, by name."""
    found = {path.stem: json.loads(path.read_text()) for path in results.glob("*.json")}
    if not found:
        raise SystemExit(f"error: {results} holds no results: name runs to study")
    return dict(sorted(found.items()))


def main() -> None:
    """Study what is missing; print the table, write it and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, help="folders of trainings")
    default = ROOT / "experiments" / "results" / "few_boxes"
    parser.add_argument("--results", type=Path, default=default)
    parser.add_argument("--picture", type=Path, help="draw the losses here")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    args = parser.parse_args()
    add_runs(args.runs, args.results)
    found = read_results(args.results)
    text = table(found, THRESHOLDS)
    print(text)
    if args.picture is not None:
        picture(found).savefig(args.picture, dpi=110)
    if args.page is not None:
        insert_table(args.page, "few_boxes", text)


if __name__ == "__main__":
    main()
