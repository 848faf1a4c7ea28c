_base_ = ["cam_efficientnet-lite0_1xb32-4e_raccoon.py", "../_base_/methods/bgloss.py"]

# With the rate that was searched for the loss beside DGDM.
model = _base_.bgloss.raccoon
optim_wrapper = dict(optimizer=dict(lr=0.026))
