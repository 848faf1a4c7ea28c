# DropBlock by backbone, at the places of ADL:
#   model = _base_.dropblock.resnet50
dropblock = {
    backbone: dict(stage_necks=[dict(type="mmdgdm.DropBlock", after=x) for x in places])
    for backbone, places in dict(
        vgg16=("features.9", "features.12", "features.16"),
        resnet50=("layer3.0", "layer4.0", "layer4.2"),
        inception_v3=("Mixed_5d", "Mixed_6e", "gap_convs.1"),
        efficientnet_lite=("layers.6",),
    ).items()
}
# Searched on val of the toy, rounded (configs/_search_/toy/dropblock.yaml).
dropblock["resnet18_toy"] = dict(
    stage_necks=[dict(type="mmdgdm.DropBlock", after="layer1.1", drop_prob=0.044)]
)
