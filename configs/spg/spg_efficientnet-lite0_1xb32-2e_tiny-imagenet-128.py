_base_ = [
    "../cam/cam_efficientnet-lite0_1xb32-2e_tiny-imagenet-128.py",
    "../_base_/methods/spg.py",
]

model = _base_.spg.efficientnet_lite
