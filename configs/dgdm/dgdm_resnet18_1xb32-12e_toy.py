_base_ = ["../cam/cam_resnet18_1xb32-12e_toy.py", "../_base_/methods/dgdm.py"]

# After an early stage whose attention lies on the heads: what is erased there no later
# stage sees.
model = dict(stage_necks=[dict(_base_.dgdm.toy, after="layer1.1")])
default_hooks = _base_.drop_ramp
