"""What an exported model says of itself; needs neither torch nor mmengine."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Optional

from mmdgdm.errors import DataError
from mmdgdm.utils.json_files import parse_json

#: Under which name the facts stand in the metadata of an ONNX file, and as which extra
#: file in a program of torch.export.
FACTS_KEY = "mmdgdm"
FACTS_FILE = "mmdgdm.json"
#: Names of the graph's input and outputs.
INPUT = "images"
OUTPUTS = ("scores", "maps")
_FORM = 1


@dataclass(frozen=True)
class ModelFacts:
    """What a program needs to use an exported model.

    Images are read upright, resized to ``input_size`` with nothing cut off, normalised
    by ``mean`` and ``std`` and given as float32 (N, 3, H, W).

    Attributes:
        classes: Names of the classes; where none are known, their indices.
        input_size: (width, height) in pixels.
        is_size_free: Whether the graph takes images of other sizes too.
        mean: Of the channels, in the order of the input, for levels of 0 to 255.
        std: Likewise.
        to_rgb: Whether the channels are red, green and blue, or blue, green and red.
        interpolation: How images are resized, by mmcv's name.
        backend: What resizes them, ``"cv2"`` or ``"pillow"``.
        threshold: Share of a map's range above which its boxes lie, as validation chose
            it; ``None`` if none was calibrated.
    """

    classes: tuple[str, ...]
    input_size: tuple[int, int]
    is_size_free: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    to_rgb: bool
    interpolation: str = "bilinear"
    backend: str = "cv2"
    threshold: Optional[float] = None

    def to_json(self) -> str:
        """The facts as text."""
        return json.dumps({"form": _FORM, **asdict(self)})

    def _check(self) -> None:
        """Raise what :meth:`from_json` explains."""
        numbers = (*self.mean, *self.std, self.threshold or 0)
        texts = (*self.classes, self.interpolation, self.backend)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("names that are no texts")
        if not all(isinstance(n, (int, float)) and math.isfinite(n) for n in numbers):
            raise TypeError("mean, std or threshold that are no finite numbers")
        if not 0 <= (self.threshold or 0) < 1:
            raise ValueError(f"threshold {self.threshold}")
        if [type(side) for side in self.input_size] != [int, int]:
            raise TypeError(f"input_size {self.input_size}")
        if min(self.input_size) < 1 or len(self.mean) != len(self.std):
            raise ValueError(f"input_size {self.input_size}, mean {self.mean}")

    @classmethod
    def from_json(cls, text: str, *, source: str) -> ModelFacts:
        """Read what :meth:`to_json` wrote.

        Args:
            text: The text.
            source: The file, for the message.

        Returns:
            The facts.

        Raises:
            DataError: If it is no such text, or one of a later form.

        Example:
            >>> facts = ModelFacts(("cat",), (64, 64), True, (0.0,), (1.0,), True)
            >>> ModelFacts.from_json(facts.to_json(), source="a.onnx") == facts
            True
        """
        try:
            content: dict[str, Any] = parse_json(text)
            form = content.pop("form")
            names = ("classes", "input_size", "mean", "std")
            content.update({name: tuple(content[name]) for name in names})
            facts = cls(**content) if form == _FORM else None
            if facts is not None:
                facts._check()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"Expected the metadata {FACTS_KEY!r} of {source} to be as "
                f"`tools/export.py` writes it, but got: {error!r}."
            ) from error
        if facts is None:
            raise DataError(
                f"Expected the metadata {FACTS_KEY!r} of {source} to be of form "
                f"{_FORM}, but got {form}: a newer mmdgdm reads it."
            )
        return facts
