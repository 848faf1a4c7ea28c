# A narrow ResNet-18 for 64 x 64 images; its last map is 8 x 8.
model = dict(
    type="mmdgdm.WSOLClassifier",
    channels_last=True,
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], to_rgb=True
    ),
    backbone=dict(
        type="ResNet",
        depth=18,
        stem_channels=24,
        base_channels=24,
        strides=(1, 2, 1, 1),
        out_indices=(3,),
    ),
    head=dict(
        type="mmdgdm.WSOLHead",
        num_classes=8,
        in_channels=192,
        loss=dict(type="CrossEntropyLoss", loss_weight=1.0),
    ),
)
