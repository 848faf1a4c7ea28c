_base_ = ["../cam/cam_seresnet50_1xb32-10e_openimages.py", "../_base_/methods/dgdm.py"]

model = dict(stage_necks=[dict(_base_.dgdm.photos, after="layer4.2")])
default_hooks = _base_.drop_ramp
