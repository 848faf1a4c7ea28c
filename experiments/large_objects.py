"""How methods do on the test images whose objects are large.

Tests the checkpoints that ``experiments/methods.py`` left on the images whose box
covers more than a share of the image, at the threshold that each run chose on all of
val.

    python experiments/large_objects.py stamps --methods cam dgdm \
        --page docs/research/methods.md

What came out stands in ``experiments/results/<data>_large/<method>.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from methods import DATA, METHODS, ROOT, Records, config_of, trivial_scores
from methods_table import table
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from page import insert_table
from retest import retest


def large_images(config: str, share: float) -> list[int]:
    """Places in the test set of the images whose largest box covers more."""
    cfg = Config.fromfile(ROOT / config)
    init_default_scope(cfg.default_scope)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    found = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        width, height = info["image_size"]
        x0, y0, x1, y1 = info["ori_gt_bboxes"].T
        if ((x1 - x0 + 1) * (y1 - y0 + 1)).max() > share * width * height:
            found.append(index)
    return found


def test(
    args: argparse.Namespace, method: str, seed: int, places: list[int]
) -> dict[str, float]:
    """Scores of one run on some images."""
    indices = ",".join(map(str, places))
    options = [f"test_dataloader.dataset.indices=[{indices}]"]
    folder = args.work_dir / f"{method}_seed{seed}"
    return retest(args.data, method, folder, "large", options, "test")


def main() -> None:
    """Test what is missing, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=sorted(DATA), help="data set")
    parser.add_argument("--methods", nargs="+", default=["cam", "dgdm"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--share", type=float, default=0.3, help="of the image")
    parser.add_argument("--work-dir", type=Path, help="work_dirs/methods_<data>")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    args = parser.parse_args()
    unknown = sorted(set(args.methods) - set(METHODS))
    if unknown:
        raise SystemExit(f"error: unknown methods {', '.join(unknown)}")
    default = ROOT / "work_dirs" / f"methods_{args.data}"
    args.work_dir = (args.work_dir or default).resolve()
    records = Records(ROOT / "experiments" / "results" / f"{args.data}_large")
    places = large_images(config_of(args.data, args.methods[0]), args.share)
    print(f"{len(places)} images with boxes above {args.share} of the image")
    for method in args.methods:
        for seed in args.seeds:
            known = records.read(method)["runs"].get(str(seed))
            if known is not None and known["share"] != args.share:
                raise SystemExit(
                    f"error: {records.folder / method}.json holds a run with the "
                    f"share {known['share']}: remove it"
                )
            if known is None:
                scores = test(args, method, seed, places)
                run = {"test": scores, "torch": torch.__version__, "share": args.share}
                records.add_run(method, seed, run)
    every = {method: records.read(method)["runs"] for method in args.methods}
    others = ("cam", records.read("cam")["runs"])
    trivial = trivial_scores(args.data, args.methods[0], places)
    columns = DATA[args.data].columns
    text = table(every, others, args.seeds, columns, trivial=trivial)
    print(text)
    if args.page is not None:
        insert_table(args.page, f"{args.data}_large", text)


if __name__ == "__main__":
    main()
