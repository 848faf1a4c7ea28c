_base_ = ["../cam/cam_seresnet50_1xb32-10e_ilsvrc.py", "../_base_/methods/adl.py"]

model = _base_.adl.resnet50
