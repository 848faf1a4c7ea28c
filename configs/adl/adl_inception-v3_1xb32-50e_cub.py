_base_ = ["../cam/cam_inception-v3_1xb32-50e_cub.py", "../_base_/methods/adl.py"]

model = _base_.adl.inception_v3
