_base_ = ["cam_efficientnet-lite2_1xb32-50e_cub.py", "../_base_/methods/bgloss.py"]

model = _base_.bgloss.photos
