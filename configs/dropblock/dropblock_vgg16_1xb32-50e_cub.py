_base_ = ["../cam/cam_vgg16_1xb32-50e_cub.py", "../_base_/methods/dropblock.py"]

model = _base_.dropblock.vgg16
