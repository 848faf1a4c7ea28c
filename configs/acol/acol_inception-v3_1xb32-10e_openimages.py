_base_ = [
    "../cam/cam_inception-v3_1xb32-10e_openimages.py",
    "../_base_/methods/acol.py",
]

model = _base_.acol.inception_v3
