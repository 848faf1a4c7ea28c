_base_ = ["../cam/cam_efficientnet-lite0_1xb32-4e_cub10.py", "../_base_/methods/adl.py"]

model = _base_.adl.efficientnet_lite
