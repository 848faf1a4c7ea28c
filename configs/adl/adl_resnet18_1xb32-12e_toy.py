_base_ = ["../cam/cam_resnet18_1xb32-12e_toy.py", "../_base_/methods/adl.py"]

model = _base_.adl.resnet18_toy
