# The toy's model with EfficientNet-Lite0, from scratch; its last map is 8 x 8 too. A
# short training needs statistics that follow faster than the backbone's own momentum of
# 0.01.
_base_ = "resnet18_toy.py"

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmdgdm.EfficientNetLite",
        arch="lite0",
        output_stride=8,
        norm_cfg=dict(type="BN", momentum=0.1, eps=1e-3),
    ),
    head=dict(in_channels=1280),
)
