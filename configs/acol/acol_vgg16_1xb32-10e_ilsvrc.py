_base_ = ["../cam/cam_vgg16_1xb32-10e_ilsvrc.py", "../_base_/methods/acol.py"]

model = _base_.acol.vgg16
