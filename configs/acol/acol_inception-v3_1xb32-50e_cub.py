_base_ = ["../cam/cam_inception-v3_1xb32-50e_cub.py", "../_base_/methods/acol.py"]

model = _base_.acol.inception_v3
