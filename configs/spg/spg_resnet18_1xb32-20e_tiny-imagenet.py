_base_ = ["../cam/cam_resnet18_1xb32-20e_tiny-imagenet.py", "../_base_/methods/spg.py"]

model = _base_.spg.resnet18_toy
