# EfficientNet-Lite0 from scratch for 64 x 64 pictures; its last map is 8 x 8. A short
# training needs statistics that follow faster than the backbone's own momentum of 0.01.
model = dict(
    type="mmdgdm.WSOLClassifier",
    channels_last=True,
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], to_rgb=True
    ),
    backbone=dict(
        type="mmdgdm.EfficientNetLite",
        arch="lite0",
        output_stride=8,
        norm_cfg=dict(type="BN", momentum=0.1, eps=1e-3),
    ),
    head=dict(
        type="mmdgdm.WSOLHead",
        num_classes=8,
        in_channels=1280,
        loss=dict(type="CrossEntropyLoss", loss_weight=1.0),
    ),
)
