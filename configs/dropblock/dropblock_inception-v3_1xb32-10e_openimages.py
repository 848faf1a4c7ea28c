_base_ = [
    "../cam/cam_inception-v3_1xb32-10e_openimages.py",
    "../_base_/methods/dropblock.py",
]

model = _base_.dropblock.inception_v3
