"""Maps of the gradient family: Grad-CAM and its kin, by pytorch-grad-cam."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmdgdm.errors import ConfigError
from mmdgdm.utils.argument_checks import check_choice
from mmdgdm.utils.cam_methods import CAM_METHODS, GRADIENT_METHODS

_LIBRARY = "pytorch_grad_cam"


def check_cam_method(cam_method: str) -> str:
    """Return the name of a way to make maps, if it is known and can be used.

    Args:
        cam_method: One of :data:`mmdgdm.utils.cam_methods.CAM_METHODS`.

    Returns:
        The same.

    Raises:
        ConfigError: If it is none, or needs the library and that is not installed.
    """
    check_choice("cam_method", cam_method, choices=CAM_METHODS)
    if cam_method != "cam" and importlib.util.find_spec(_LIBRARY) is None:
        raise ConfigError(
            f"cam_method={cam_method!r} needs pytorch-grad-cam, but it is not "
            'installed: install it with `pip install "mmdgdm[cam]"`.'
        )
    return cam_method


def gradient_maps(
    cam_method: str,
    scorer: nn.Module,
    *,
    layer: nn.Module,
    inputs: Tensor,
    labels: Tensor,
) -> Tensor:
    """Make maps of classes.

    The maps are the library's: the activations of ``layer`` weighted by gradients
    or, for Score-CAM, by scores of the input seen through them; negative places
    become 0, and each map is stretched to [0, 1]. Nothing of the scorer changes, its
    gradients included.

    Args:
        cam_method: One of :data:`mmdgdm.utils.cam_methods.GRADIENT_METHODS`.
        scorer: Takes ``inputs`` and gives class scores (N, C); in evaluation mode.
        layer: A module of it whose output, (N, c, h, w), is weighted.
        inputs: (N, c', H, W).
        labels: The classes to map, (N, K).

    Returns:
        (N, K, H, W) float32 in [0, 1], on the device of the inputs.
    """
    library = importlib.import_module(_LIBRARY)
    targets = importlib.import_module(f"{_LIBRARY}.utils.model_targets")
    make = getattr(library, GRADIENT_METHODS[cam_method])(scorer, [layer])
    # Score-CAM weights by a pass for each channel: all of an image are enough at once.
    count = 1 if cam_method == "scorecam" else len(inputs)
    rows = []
    try:
        # Score-CAM draws a progress bar for each image.
        quiet = contextlib.redirect_stderr(io.StringIO())
        with torch.enable_grad(), _untouched(scorer), quiet:
            for images, classes in zip(inputs.split(count), labels.split(count)):
                leaf = images.detach().requires_grad_()
                columns = [
                    make(leaf, [targets.ClassifierOutputTarget(k) for k in column])
                    for column in classes.t().tolist()
                ]
                rows.append(torch.stack(list(map(torch.from_numpy, columns)), dim=1))
    finally:
        make.activations_and_grads.release()
    return torch.cat(rows).to(inputs.device)


@contextlib.contextmanager
def _untouched(module: nn.Module) -> Iterator[None]:
    """Let gradients pass through parameters, and leave theirs as they were."""
    known = [(p, p.requires_grad, p.grad) for p in module.parameters()]
    for parameter, _, _ in known:
        parameter.requires_grad_(False)
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, requires_grad, grad in known:
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad


class HeadScorer(nn.Module):
    """Scores as a function of the last feature map.

    Args:
        head: A :class:`~mmdgdm.models.heads.base.CAMHead`.
        feats: The features that it is given; the last one is replaced.

    Attributes:
        place: A module whose output is the last feature map.
    """

    def __init__(self, head: Any, feats: Sequence[Tensor]) -> None:
        super().__init__()
        self.head = head
        self.others = tuple(feats[:-1])
        self.place = nn.Identity()

    def forward(self, feat: Tensor) -> Tensor:
        """Class scores (N, C) of the last feature map."""
        embedded = self.head.embed((*self.others, self.place(feat)))
        scores: Tensor = self.head.scores(embedded)
        return scores


class ImageScorer(nn.Module):
    """Scores as a function of the image, with a module where the last map passes.

    Args:
        classifier: A :class:`~mmdgdm.models.classifiers.WSOLClassifier`.

    Attributes:
        place: A module whose output is the last feature map.
    """

    def __init__(self, classifier: Any) -> None:
        super().__init__()
        self.classifier = classifier
        self.place = nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        """Class scores (N, C) of images."""
        *others, feat = self.classifier.extract_feat(inputs)
        # Passes that only score, of which Score-CAM has many, leave no map behind.
        feat = self.place(feat) if inputs.requires_grad else feat
        head = self.classifier.head
        scores: Tensor = head.scores(head.embed((*others, feat)))
        return scores


def classifier_maps(
    classifier: Any, inputs: Tensor, *, feats: Sequence[Tensor], labels: Tensor
) -> Tensor:
    """Make maps of the last feature map of a classifier, as its ``cam_method`` says.

    Args:
        classifier: A :class:`~mmdgdm.models.classifiers.WSOLClassifier`.
        inputs: Images, (N, C, H, W).
        feats: Their features, as :meth:`WSOLClassifier.extract_feat` gives them.
        labels: The classes to map, (N, K).

    Returns:
        (N, K, h, w) float32 in [0, 1], of the size of the last feature map; of
        Score-CAM, which sees the image through maps, of the image's size.
    """
    method = classifier.cam_method
    if method == "scorecam":
        scorer: Any = ImageScorer(classifier)
        source = inputs
    else:
        # Gradients need not pass the backbone.
        scorer, source = HeadScorer(classifier.head, feats), feats[-1]
    return gradient_maps(
        method, scorer, layer=scorer.place, inputs=source, labels=labels
    )
