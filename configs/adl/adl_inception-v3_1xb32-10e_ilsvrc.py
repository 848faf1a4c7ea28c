_base_ = ["../cam/cam_inception-v3_1xb32-10e_ilsvrc.py", "../_base_/methods/adl.py"]

model = _base_.adl.inception_v3
