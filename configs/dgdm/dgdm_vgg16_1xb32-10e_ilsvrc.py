_base_ = ["../cam/cam_vgg16_1xb32-10e_ilsvrc.py", "../_base_/methods/dgdm.py"]

model = dict(stage_necks=[dict(_base_.dgdm.photos, after="features.16")])
default_hooks = _base_.drop_ramp
