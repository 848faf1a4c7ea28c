_base_ = ["../cam/cam_efficientnet-lite0_1xb32-50e_cub.py", "../_base_/methods/adl.py"]

model = _base_.adl.efficientnet_lite
