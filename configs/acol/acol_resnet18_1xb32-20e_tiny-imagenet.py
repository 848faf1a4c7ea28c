_base_ = ["../cam/cam_resnet18_1xb32-20e_tiny-imagenet.py", "../_base_/methods/acol.py"]

model = _base_.acol.resnet18_toy
