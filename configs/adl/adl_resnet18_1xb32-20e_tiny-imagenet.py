_base_ = ["../cam/cam_resnet18_1xb32-20e_tiny-imagenet.py", "../_base_/methods/adl.py"]

model = _base_.adl.resnet18_toy
