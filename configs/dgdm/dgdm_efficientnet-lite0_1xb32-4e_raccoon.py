_base_ = [
    "../cam/cam_efficientnet-lite0_1xb32-4e_raccoon.py",
    "../_base_/methods/dgdm.py",
]

# The rate is that of a search on val with the loss of the background, rounded
# (configs/_search_/raccoon/dgdm-bgloss.yaml).
model = dict(stage_necks=[dict(_base_.dgdm.raccoon, after="layers.6")])
optim_wrapper = dict(optimizer=dict(lr=0.026))
default_hooks = _base_.drop_ramp
