"""What is known of a data set while it is checked: splits, images, problems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Optional

from mmdgdm.datasets.functional.images import Images
from mmdgdm.datasets.prepare.report import Report, first_names
from mmdgdm.datasets.prepare.sources import PUBLISHED, SOURCES
from mmdgdm.evaluation.stored.metadata import SplitMetadata, read_split

#: Ids by which the folder that they start from is found.
_SAMPLE = 200


class Check:
    """What is known of a data set while it is checked.

    Attributes:
        root: The folder of the data set.
        images: Opens the image files.
        report: What was found.
        splits: What the readers found, by split, for writing.
        paths: Path of each image by id, by split.
        left_out: Whether images of val are left out of CUB's train.
    """

    def __init__(
        self, dataset: str, root: Path, *, images: Images, left_out: bool = False
    ) -> None:
        self.root = root
        self.images = images
        self.left_out = left_out
        self.report = Report(dataset, str(root))
        self.splits: dict[str, SplitMetadata] = {}
        self.paths: dict[str, dict[str, Path]] = {}
        self._sources = SOURCES.get(dataset, {})

    def add_split(self, name: str, split: SplitMetadata, *, folder: Path) -> None:
        """Open the images of a split and compare their sizes with the stated ones."""
        paths = {image_id: folder / image_id for image_id in split.image_ids}
        sizes = self.images.read_sizes(paths, self.report)
        for image_id, stated in split.image_sizes.items():
            size = sizes.get(image_id, stated)
            if size != stated:
                message = (
                    f"has {size[0]} x {size[1]} pixels, but its annotation says "
                    f"{stated[0]} x {stated[1]}"
                )
                self.report.add(
                    "wrong size", paths[image_id], message=message, image_id=image_id
                )
        if split.clipped:
            self.report.notes.append(
                f"boxes of {len(split.clipped)} images of {name} reach past the last "
                "pixel, since their ends count as theirs, and are clipped when read: "
                f"{first_names(split.clipped)}"
            )
        split.image_sizes = sizes
        self.splits[name], self.paths[name] = split, paths
        counts = {"images": len(paths), "boxes": sum(map(len, split.boxes.values()))}
        self.report.counts[name] = {k: v for k, v in counts.items() if v}

    def add_metadata(
        self,
        name: str,
        folders: Iterable[Path],
        *,
        image_folders: Sequence[Path],
        num_classes: Optional[int] = None,
        with_boxes: bool = True,
    ) -> Optional[SplitMetadata]:
        """Read a split in the text form, if it is there, and open its images."""
        folder = next((path for path in folders if path.is_dir()), None)
        if folder is None:
            return None
        split = read_split(
            folder, num_classes, with_boxes=with_boxes, faults=self.report
        )
        self.add_split(name, split, folder=find_root(split.image_ids, image_folders))
        return split

    def leave_out_val(self) -> None:
        """Take the images of val from train, and say so."""
        gone = set(self.paths["val"].values())
        every = self.paths["train"]
        kept = {name: path for name, path in every.items() if path not in gone}
        split, self.paths["train"] = self.splits["train"], kept
        split.image_ids = list(kept)
        split.labels = {n: label for n, label in split.labels.items() if n in kept}
        split.boxes = {n: boxes for n, boxes in split.boxes.items() if n in kept}
        counts = self.report.counts["train"]
        counts["images"], counts["boxes"] = (
            len(kept),
            sum(map(len, split.boxes.values())),
        )
        self.report.notes.append(
            f"{len(every) - len(kept)} images of val are left out of train; train with "
            "`left_out` of mmdgdm.CUB"
        )

    def tell_missing(self, part: str, where: Path) -> None:
        """Report a part that is missing, and where it comes from."""
        message = f"there is no part {part!r}; get {self._sources[part]}"
        self.report.add("missing part", where, message=message)

    def note_missing_val(self) -> None:
        """Note that there is no val split."""
        self.report.notes.append(
            f"there is no val split; for it get {self._sources['val images']}, and "
            f"{self._sources['val metadata']}"
        )

    def compare_counts(self, split: str, what: str, *, number: int) -> None:
        """Compare a number of the real set with the published one."""
        wanted = PUBLISHED[self.report.dataset][
            "classes" if what == "classes" else split
        ]
        if number != wanted:
            message = f"Expected {wanted:,} {what} of {split}, but got {number:,}"
            self.report.add("wrong count", self.root, message=message)

    def check_overlap(self) -> None:
        """Report files that two splits share, and note those of the same content."""
        owner: dict[Path, str] = {}
        contents: dict[bytes, tuple[str, str]] = {}
        same: list[str] = []
        shared: set[tuple[str, str]] = set()
        for split, paths in self.paths.items():
            for name, path in paths.items():
                other = owner.setdefault(path, split)
                if other != split:
                    shared.add((other, split))
                    message = f"is in {other} and in {split}"
                    self.report.add(
                        "image in two splits", path, message=message, image_id=name
                    )
                    continue
                facts = self.images.facts.get(str(path))
                if facts is None or facts.digest is None:
                    continue
                other, twin = contents.setdefault(facts.digest, (split, name))
                if other != split:
                    same.append(f"{twin} ({other}) = {name} ({split})")
        if self.report.dataset == "cub" and ("train", "val") in shared:
            self.report.notes.append(
                "val holds images that are train's too by the files of CUB: "
                "`--left-out` takes them from train, as `left_out` of mmdgdm.CUB does"
            )
        if same:
            self.report.notes.append(
                f"{len(same)} images have the same bytes as one of another split: "
                f"{first_names(same)}"
            )


def find_root(names: Sequence[str], candidates: Sequence[Path]) -> Path:
    """The folder that paths start from: the first of those that hold most of them."""
    sample = names[:: max(1, len(names) // _SAMPLE)]
    return max(candidates, key=lambda root: sum((root / n).is_file() for n in sample))
