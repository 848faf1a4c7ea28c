# ADL by backbone, at the benchmark's places where it has the backbone:
#   model = _base_.adl.resnet50
adl = {
    backbone: dict(stage_necks=[dict(type="mmdgdm.ADL", after=x) for x in places])
    for backbone, places in dict(
        vgg16=("features.9", "features.12", "features.16"),
        resnet50=("layer3.0", "layer4.0", "layer4.2"),
        inception_v3=("Mixed_5d", "Mixed_6e", "gap_convs.1"),
        # Before its last stage the attention is not on the object.
        efficientnet_lite=("layers.6",),
    ).items()
}
# Searched on val of the toy, rounded (configs/_search_/toy/adl.yaml).
adl["resnet18_toy"] = dict(
    stage_necks=[
        dict(type="mmdgdm.ADL", after="layer1.1", drop_rate=0.54, drop_threshold=0.85)
    ]
)
