_base_ = ["../cam/cam_repvgg_1xb32-12e_toy.py", "../_base_/methods/dgdm.py"]

# The layer of the ResNet-18, at the same size of map.
model = dict(stage_necks=[dict(_base_.dgdm.toy, after="stage_1")])
default_hooks = _base_.drop_ramp
