# MobileNetV2 with ImageNet weights; its last map is 14 x 14 for 224 x 224 images.
# torchvision's own weights serve as well, as a local file:
#   python tools/convert.py torchvision mobilenet_v2 SRC \
#       pretrained/mobilenet_v2.pth
model = dict(
    type="mmdgdm.WSOLClassifier",
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
    ),
    backbone=dict(
        type="mmdgdm.MobileNetV2",
        output_stride=16,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://download.openmmlab.com/mmclassification/v0/mobilenet_v2/"
            "mobilenet_v2_batch256_imagenet_20200708-3b2dc3af.pth",
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
