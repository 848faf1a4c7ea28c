_base_ = [
    "../cam/cam_efficientnet-lite0_1xb32-2e_tiny-imagenet-128.py",
    "../_base_/methods/cutmix.py",
]

model = dict(_base_.cutmix, data_preprocessor=dict(num_classes=40))
