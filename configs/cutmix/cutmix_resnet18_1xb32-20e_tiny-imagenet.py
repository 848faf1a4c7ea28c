_base_ = [
    "../cam/cam_resnet18_1xb32-20e_tiny-imagenet.py",
    "../_base_/methods/cutmix.py",
]

model = dict(_base_.cutmix, data_preprocessor=dict(num_classes=40))
