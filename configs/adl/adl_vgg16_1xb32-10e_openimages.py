_base_ = ["../cam/cam_vgg16_1xb32-10e_openimages.py", "../_base_/methods/adl.py"]

model = _base_.adl.vgg16
