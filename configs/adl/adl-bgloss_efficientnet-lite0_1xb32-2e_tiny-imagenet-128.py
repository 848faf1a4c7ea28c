_base_ = [
    "adl_efficientnet-lite0_1xb32-2e_tiny-imagenet-128.py",
    "../_base_/methods/bgloss.py",
]

model = _base_.bgloss.photos
