# VGG16-GAP with ImageNet weights up to conv5_3 (the added convolution starts
# untrained); its last map is 14 x 14 for 224 x 224 images.
# torchvision's own weights serve as well, as a local file:
#   python tools/convert.py torchvision vgg16 SRC \
#       pretrained/vgg16.pth
model = dict(
    type="mmdgdm.WSOLClassifier",
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
    ),
    backbone=dict(
        type="mmdgdm.VGGGAP",
        depth=16,
        output_stride=16,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://download.openmmlab.com/mmclassification/v0/vgg/"
            "vgg16_batch256_imagenet_20210208-db26f1a5.pth",
            prefix="backbone",
        ),
    ),
    head=dict(
        type="mmdgdm.WSOLHead",
        num_classes=1000,
        in_channels=1024,
        loss=dict(type="CrossEntropyLoss", loss_weight=1.0),
    ),
)
