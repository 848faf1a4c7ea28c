_base_ = [
    "../cam/cam_resnet18_1xb32-20e_tiny-imagenet.py",
    "../_base_/methods/dropblock.py",
]

model = _base_.dropblock.resnet18_toy
