_base_ = ["dgdm_resnet18_1xb32-20e_tiny-imagenet.py", "../_base_/methods/bgloss.py"]

model = _base_.bgloss.photos
