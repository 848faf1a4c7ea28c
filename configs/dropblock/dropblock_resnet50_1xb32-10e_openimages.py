_base_ = [
    "../cam/cam_resnet50_1xb32-10e_openimages.py",
    "../_base_/methods/dropblock.py",
]

model = _base_.dropblock.resnet50
