# ConvNeXt-tiny with ImageNet weights; its last map is 14 x 14 for 224 x 224 images.
# torchvision's own weights serve as well, as a local file:
#   python tools/convert.py torchvision convnext_tiny SRC \
#       pretrained/convnext_tiny.pth
model = dict(
    type="mmdgdm.WSOLClassifier",
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
    ),
    backbone=dict(
        type="mmdgdm.ConvNeXt",
        arch="tiny",
        output_stride=16,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://download.openmmlab.com/mmclassification/v0/convnext/"
            "convnext-tiny_32xb128_in1k_20221207-998cf3e9.pth",
            prefix="backbone",
        ),
    ),
    head=dict(
        type="mmdgdm.WSOLHead",
        num_classes=1000,
        in_channels=768,
        loss=dict(type="CrossEntropyLoss", loss_weight=1.0),
    ),
)
