_base_ = ["../cam/cam_resnet50_1xb32-50e_cub.py", "../_base_/methods/spg.py"]

model = _base_.spg.resnet50
optim_wrapper = _base_.spg_rates.resnet50
