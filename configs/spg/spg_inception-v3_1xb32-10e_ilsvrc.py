_base_ = ["../cam/cam_inception-v3_1xb32-10e_ilsvrc.py", "../_base_/methods/spg.py"]

model = _base_.spg.inception_v3
