_base_ = ["../cam/cam_inception-v3_1xb32-50e_cub.py", "../_base_/methods/spg.py"]

model = _base_.spg.inception_v3
