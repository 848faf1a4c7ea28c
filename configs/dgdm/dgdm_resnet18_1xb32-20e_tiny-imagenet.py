_base_ = ["../cam/cam_resnet18_1xb32-20e_tiny-imagenet.py", "../_base_/methods/dgdm.py"]

model = dict(stage_necks=[dict(_base_.dgdm.toy, after="layer1.1")])
default_hooks = _base_.drop_ramp
