_base_ = ["../cam/cam_vgg16_1xb32-50e_cub.py", "../_base_/methods/spg.py"]

model = _base_.spg.vgg16
optim_wrapper = _base_.spg_rates.vgg16
