_base_ = ["cam_efficientnet-lite0_1xb32-4e_cub10.py", "../_base_/methods/bgloss.py"]

model = _base_.bgloss.photos
