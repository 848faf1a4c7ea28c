_base_ = ["../cam/cam_vgg16_1xb32-50e_cub.py", "../_base_/methods/adl.py"]

model = _base_.adl.vgg16
