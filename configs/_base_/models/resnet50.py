# ResNet-50 with ImageNet weights; its last map is 14 x 14 for 224 x 224 images.
# torchvision's own weights serve as well, as a local file:
#   python tools/convert.py torchvision resnet50 SRC \
#       pretrained/resnet50.pth
model = dict(
    type="mmdgdm.WSOLClassifier",
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
    ),
    backbone=dict(
        type="mmdgdm.ResNet",
        depth=50,
        output_stride=16,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://download.openmmlab.com/mmclassification/v0/resnet/"
            "resnet50_8xb32_in1k_20210831-ea4938fc.pth",
            prefix="backbone",
        ),
    ),
    head=dict(
        type="mmdgdm.WSOLHead",
        num_classes=1000,
        in_channels=2048,
        loss=dict(type="CrossEntropyLoss", loss_weight=1.0),
    ),
)
