"""How long data sets of ILSVRC's size take to load, and how much memory they need.

Writes annotations of full size with made-up names into a temporary folder and loads
each form in a process of its own. Prints the time of the constructor, the peak memory
of the process, what of it the imports alone need, and the size of the buffer that
the workers of a data loader share. No image is read or written: the folder form has
empty files, and fewer of them, since each costs the disk a block.

    python benchmarks/annotations.py [--images 1281167] [--files 100000]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

TRAIN_IMAGES = 1281167
VAL_IMAGES = 50000
CLASSES = 1000

WNIDS = [f"n{1440764 + 13007 * k:08d}" for k in range(CLASSES)]
#: What is measured, by the name of the form.
FORMS = {
    "metadata": "WSOLDataset, train, metadata form",
    "list": "ILSVRC, train, list with running numbers",
    "labels": "ILSVRC, train, list with labels",
    "folders": "ILSVRC, train, folders of the classes",
    "xml": "ILSVRC, val, XML files with boxes",
}


def image_names(count: int) -> Iterator[tuple[int, str]]:
    """Yield label and path without ending of each training image, by class."""
    for label, wnid in enumerate(WNIDS):
        for k in range(count * label // CLASSES, count * (label + 1) // CLASSES):
            yield label, f"{wnid}/{wnid}_{k}"


def write_texts(root: Path, count: int) -> None:
    """Write the metadata and the lists of ``count`` training images."""
    names = list(image_names(count))
    metadata = root / "metadata" / "train"
    metadata.mkdir(parents=True)
    (root / "train").mkdir()
    texts = {
        metadata / "image_ids.txt": (f"train/{n}.JPEG" for _, n in names),
        metadata / "class_labels.txt": (f"train/{n}.JPEG,{k}" for k, n in names),
        metadata / "image_sizes.txt": (f"train/{n}.JPEG,500,375" for _, n in names),
        root / "list.txt": (f"{n} {i}" for i, (_, n) in enumerate(names, start=1)),
        root / "labels.txt": (f"{n}.JPEG {k}" for k, n in names),
        root / "LOC_synset_mapping.txt": (f"{w} name of {w}" for w in WNIDS),
    }
    for path, lines in texts.items():
        path.write_text("\n".join(lines))


def write_files(root: Path, count: int) -> None:
    """Write empty training images into folders, and val with its XML files."""
    for wnid in WNIDS:
        (root / "train" / wnid).mkdir(exist_ok=True)
    for _, name in image_names(count):
        (root / "train" / f"{name}.JPEG").touch()
    folder = root / "Annotations" / "CLS-LOC" / "val"
    folder.mkdir(parents=True)
    (root / "val").mkdir()
    box = "<xmin>85</xmin><ymin>1</ymin><xmax>499</xmax><ymax>272</ymax>"
    for k in range(min(count, VAL_IMAGES)):
        stem = f"ILSVRC2012_val_{k + 1:08d}"
        (root / "val" / f"{stem}.JPEG").touch()
        (folder / f"{stem}.xml").write_text(
            f"<annotation><filename>{stem}</filename><size><width>500</width>"
            f"<height>375</height></size><object><name>{WNIDS[k % CLASSES]}</name>"
            f"<bndbox>{box}</bndbox></object></annotation>"
        )


def peak_mib() -> float:
    """Return the peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def load(root: Path, form: str) -> None:
    """Load one form and print its figures as JSON."""
    from mmdgdm.datasets import ILSVRC, WSOLDataset

    imports = peak_mib()
    start = time.perf_counter()
    if form == "metadata":
        dataset = WSOLDataset(root, "metadata/train", num_classes=CLASSES)
    elif form == "xml":
        dataset = ILSVRC(root, split="val", test_mode=True)
    else:
        dataset = ILSVRC(root, ann_file="" if form == "folders" else f"{form}.txt")
    seconds = time.perf_counter() - start
    buffer = (dataset.data_bytes.nbytes + dataset.data_address.nbytes) / 2**20
    print(json.dumps([len(dataset), seconds, peak_mib(), imports, buffer]))


def measure(root: Path, form: str) -> None:
    """Load one form in a process of its own and print its line of the table."""
    command = [sys.executable, __file__, "--load", form, str(root)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    number, *figures = json.loads(done.stdout.splitlines()[-1])
    print(
        "| {} | {} | {:.1f} | {:.0f} | {:.0f} | {:.0f} |".format(
            FORMS[form], number, *figures
        )
    )


def main() -> None:
    """Parse the arguments, write the data sets and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--images", type=int, default=TRAIN_IMAGES, help="images of the lists"
    )
    parser.add_argument(
        "--files", type=int, default=100000, help="images of the folders; val: <= 50000"
    )
    parser.add_argument("--load", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.load:
        load(Path(args.load[1]), args.load[0])
        return
    if min(args.images, args.files) < CLASSES:
        parser.error(f"Expected at least {CLASSES} images, one a class.")
    print("| form | images | s | peak MiB | of it imports | shared buffer MiB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_texts(root, args.images)
        for form in ("metadata", "list", "labels"):
            measure(root, form)
        write_files(root, args.files)
        for form in ("folders", "xml"):
            measure(root, form)


if __name__ == "__main__":
    main()
