_base_ = ["../cam/cam_resnet50_1xb32-10e_ilsvrc.py", "../_base_/methods/spg.py"]

model = _base_.spg.resnet50
optim_wrapper = _base_.spg_rates.resnet50
