_base_ = [
    "../cam/cam_efficientnet-lite0_1xb32-2e_tiny-imagenet-128.py",
    "../_base_/methods/acol.py",
]

model = _base_.acol.efficientnet_lite
