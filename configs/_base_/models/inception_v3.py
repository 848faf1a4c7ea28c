# InceptionV3 with ImageNet weights up to Mixed_6e (the two added convolutions start
# untrained); its last map is 14 x 14 for 224 x 224 images.
# torchvision's own weights serve as well, as a local file:
#   python tools/convert.py torchvision inception_v3 SRC \
#       pretrained/inception_v3.pth
# They want images scaled to [-1, 1]: mean and std of 127.5 for every channel.
model = dict(
    type="mmdgdm.WSOLClassifier",
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
    ),
    backbone=dict(
        type="mmdgdm.InceptionV3",
        output_stride=16,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://download.openmmlab.com/mmclassification/v0/inception-v3/"
            "inception-v3_3rdparty_8xb32_in1k_20220615-dcd4d910.pth",
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
