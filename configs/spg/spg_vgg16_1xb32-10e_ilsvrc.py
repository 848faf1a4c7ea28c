_base_ = ["../cam/cam_vgg16_1xb32-10e_ilsvrc.py", "../_base_/methods/spg.py"]

model = _base_.spg.vgg16
optim_wrapper = _base_.spg_rates.vgg16
