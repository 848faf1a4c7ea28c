"""Turn checkpoints of the WSOL benchmark's code into checkpoints of this package.

The code (github.com/clovaai/wsolevaluation; Choe et al., CVPR 2020) writes each
network once for each method, so that the names in a file tell which method it is of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from torch import Tensor

from mmdgdm.converters.names import Conversion, convert_names
from mmdgdm.converters.torchvision import VGG16_CONVS, VGG16_TARGETS
from mmdgdm.errors import CheckpointError
from mmdgdm.utils.argument_checks import check_choice

#: The networks of the benchmark.
BENCHMARK_ARCHS = ("inception_v3", "resnet50", "vgg16")

# Where the convolutions of conv4 and conv5 stand in `features` of the VGG16: ADL's
# layers, and pool4 at an output stride of 16, take numbers of their own.
_VGG16_CONV4_5 = {
    ("cam", 16): (17, 19, 21, 24, 26, 28),
    ("cam", 8): (17, 19, 21, 23, 25, 27),
    ("adl", 16): (18, 20, 22, 26, 28, 30),
    ("adl", 8): (18, 20, 22, 25, 27, 29),
}
# The same for blocks of the ResNet-50, where ADL follows layer3.0, layer4.0, layer4.2.
_RESNET50_ADL = {"layer3": (0, 2, 3, 4, 5, 6), "layer4": (0, 2, 3)}
# These branches of SPG act in training only.
_SPG_GUIDES = ("SPG_B_", "SPG_C.")


class _Layout(NamedTuple):
    """How a file names things: patterns of names with what replaces them."""

    method: str
    backbone: dict[str, Any]
    in_channels: int
    rules: list[tuple[str, str]]
    last_layer: str = "fc"


def _numbered(places: Iterable[int], targets: Iterable[int], pattern: str) -> list:
    """Rules that renumber; ``{}`` in the pattern stands for the number."""
    source, target = pattern.split(" -> ")
    return [
        ("^" + re.escape(source.replace("{}", str(a))), target.replace("{}", str(b)))
        for a, b in zip(places, targets)
    ]


def _method(names: Iterable[str]) -> str:
    """The method by its own branches; ``""`` for CAM and ADL, which have none."""
    starts = {"classifier_A.": "acol", "SPG_B_": "spg", "SPG_C.": "spg"}
    found = {m for n in names for start, m in starts.items() if n.startswith(start)}
    return found.pop() if found else ""


def _vgg16(names: Iterable[str], method: str) -> _Layout:
    features = "features.{}. -> backbone.features.{}.conv."
    gap = "gap_convs.{}.conv."
    if method == "acol":
        acol = {"type": "mmdgdm.VGGGAP", "out_indices": [4], "last_pools": True}
        rules = _numbered(VGG16_CONVS, VGG16_TARGETS, features)
        return _Layout(method, {**acol, "pool_sizes": [3, 3, 3, 3]}, 512, rules)
    if method == "spg":
        rules = _numbered(VGG16_CONVS[:7], VGG16_TARGETS[:7], features)
        for branch, targets in (("1", (10, 11, 12)), ("2", (14, 15, 16))):
            source = f"SPG_A_{branch}.{{}}. -> backbone.features.{{}}.conv."
            rules += _numbered((0, 2, 4), targets, source)
        rules += _numbered((0, 2), (0, 1), f"SPG_A_3.{{}}. -> backbone.{gap}")
        spg = {"type": "mmdgdm.VGGGAP", "gap_channels": [512, 512]}
        return _Layout(method, spg, 512, rules, "SPG_A_4")
    numbers = {int(m[1]) for n in names if (m := re.match(r"features\.(\d+)\.", n))}
    for (plain, stride), tail in _VGG16_CONV4_5.items():
        if numbers - set(VGG16_CONVS[:7]) == set(tail):
            places = (*VGG16_CONVS[:7], *tail)
            rules = _numbered(places, VGG16_TARGETS, features)
            rules.append((r"^conv6\.", "backbone." + gap.format(0)))
            backbone = {"type": "mmdgdm.VGGGAP", "output_stride": stride}
            return _Layout(plain, backbone, 1024, rules)
    raise CheckpointError(
        "Expected the convolutions of a VGG16 of the WSOL benchmark in `features`, but "
        f"got the numbers {sorted(numbers)}."
    )


def _resnet50(names: Iterable[str], method: str) -> _Layout:
    rules, last_layer = [], "fc"
    if method == "spg":
        rules = [(r"^SPG_A1\.0\.", "backbone.layer3.0.")]
        rules += _numbered(range(5), range(1, 6), "SPG_A2.{}. -> backbone.layer3.{}.")
        last_layer = "SPG_A4"
    elif not method:
        is_adl = not any(name.startswith("layer3.1.") for name in names)
        method = "adl" if is_adl else "cam"
        for layer, places in _RESNET50_ADL.items() if is_adl else ():
            pattern = f"{layer}.{{}}. -> backbone.{layer}.{{}}."
            rules += _numbered(places, range(6), pattern)
    backbone: dict[str, Any] = {"type": "mmdgdm.ResNet", "depth": 50}
    backbone["output_stride"] = 16
    kept = r"^(?=(conv1|bn1|layer[1234])\.)"
    # The renumbered layers must not pass by their old numbers as well.
    if method == "adl":
        kept = r"^(?=(conv1|bn1|layer[12])\.)"
    return _Layout(method, backbone, 2048, [*rules, (kept, "backbone.")], last_layer)


def _inception_v3(names: Iterable[str], method: str) -> _Layout:
    rules = [(r"^(?=(Conv2d_|Mixed_))", "backbone.")]
    backbone: dict[str, Any] = {"type": "mmdgdm.InceptionV3"}
    if method == "acol":
        return _Layout(method, {**backbone, "out_indices": [3]}, 768, rules)
    for number in (0, 1):
        source = rf"^SPG_A3_{number + 1}b\.0\."
        rules.append((source, f"backbone.gap_convs.{number}.conv."))
    return _Layout(method or "cam or adl", backbone, 1024, rules, "SPG_A4")


_LAYOUTS = {"vgg16": _vgg16, "resnet50": _resnet50, "inception_v3": _inception_v3}


def convert_wsol_benchmark(arch: str, state_dict: Mapping[str, Tensor]) -> Conversion:
    """Rename the weights of a WSOL benchmark network for a classifier of this package.

    The method is read from the names: CAM, ADL and SPG become a backbone and a
    :class:`WSOLHead`, ACoL a backbone and an :class:`ACoLHead`. Left out, and listed
    in the result: the branches ``SPG_B_*`` and ``SPG_C`` of SPG, which act in training
    only. What the names do not tell stands in the result as its default and is to be
    set as in training: the ``output_stride`` (8 for a "large feature map") of all but
    CAM and ADL on VGG16, and pool4 of SPG on VGG16 at 16, ``pool_sizes=(2, 2, 2, 3)``.

    The maps here are sums over channels without the bias; the benchmark's are means
    over channels (VGG16 and ResNet-50) or hold the bias (InceptionV3). Both are the
    same after the min-max normalisation.

    Args:
        arch: One of :data:`BENCHMARK_ARCHS`.
        state_dict: The weights under the benchmark's names.

    Returns:
        The weights under ``backbone.*`` and ``head.*``, with the configs that take
        them.

    Raises:
        ConfigError: If ``arch`` is unknown.
        CheckpointError: If a name is unknown, missing or of another shape.
    """
    check_choice("arch", arch, choices=BENCHMARK_ARCHS)
    layout = _LAYOUTS[arch](list(state_dict), _method(state_dict))
    bias, head_type = f"{layout.last_layer}.bias", "mmdgdm.WSOLHead"
    rules = [(rf"^{layout.last_layer}\.", "head.fc."), *layout.rules]
    if layout.method == "acol":
        bias, head_type = "classifier_A.4.bias", "mmdgdm.ACoLHead"
        rules = [
            (r"^classifier_A\.", "head.branch_a."),
            (r"^classifier_B\.", "head.branch_b."),
            *layout.rules,
        ]

    def rename(name: str) -> Optional[str]:
        if layout.method == "spg" and name.startswith(_SPG_GUIDES):
            return None
        for pattern, replacement in rules:
            renamed, count = re.subn(pattern, replacement, name)
            if count:
                return renamed
        return ""

    what = f"the WSOL benchmark's {arch} ({layout.method.upper()})"
    return convert_names(
        state_dict,
        rename,
        backbone=layout.backbone,
        head={"type": head_type, "in_channels": layout.in_channels},
        bias=bias,
        what=what,
    )
