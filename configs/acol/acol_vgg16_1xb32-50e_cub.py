_base_ = ["../cam/cam_vgg16_1xb32-50e_cub.py", "../_base_/methods/acol.py"]

model = _base_.acol.vgg16
