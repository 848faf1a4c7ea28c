_base_ = ["../cam/cam_resnet50_1xb32-10e_openimages.py", "../_base_/methods/acol.py"]

model = _base_.acol.resnet50
optim_wrapper = _base_.acol_rates.resnet50
