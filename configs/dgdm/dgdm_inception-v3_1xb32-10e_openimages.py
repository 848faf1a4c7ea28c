_base_ = [
    "../cam/cam_inception-v3_1xb32-10e_openimages.py",
    "../_base_/methods/dgdm.py",
]

model = dict(stage_necks=[dict(_base_.dgdm.photos, after="gap_convs.1")])
default_hooks = _base_.drop_ramp
