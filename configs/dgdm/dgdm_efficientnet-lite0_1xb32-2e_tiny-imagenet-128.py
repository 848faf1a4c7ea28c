_base_ = [
    "../cam/cam_efficientnet-lite0_1xb32-2e_tiny-imagenet-128.py",
    "../_base_/methods/dgdm.py",
]

model = dict(stage_necks=[dict(_base_.dgdm.photos, after="layers.6")])
default_hooks = _base_.drop_ramp
