_base_ = ["adl_efficientnet-lite0_1xb32-4e_stamps.py", "../_base_/methods/bgloss.py"]

# With the weight that was searched beside DGDM.
model = _base_.bgloss.stamps
