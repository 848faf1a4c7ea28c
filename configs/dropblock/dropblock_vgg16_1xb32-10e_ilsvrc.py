_base_ = ["../cam/cam_vgg16_1xb32-10e_ilsvrc.py", "../_base_/methods/dropblock.py"]

model = _base_.dropblock.vgg16
