_base_ = [
    "../cam/cam_efficientnet-lite0_1xb32-4e_cub10.py",
    "../_base_/methods/dropblock.py",
]

model = _base_.dropblock.efficientnet_lite
