_base_ = ["cam_efficientnet-lite0_1xb32-4e_stamps.py", "../_base_/methods/bgloss.py"]

model = _base_.bgloss.stamps
