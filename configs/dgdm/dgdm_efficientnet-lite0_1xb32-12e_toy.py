_base_ = ["../cam/cam_efficientnet-lite0_1xb32-12e_toy.py", "../_base_/methods/dgdm.py"]

# The layer of the ResNet-18, at the same size of map. The outputs of this backbone's
# blocks are linear; what expands them at the entry of the third one is not.
model = dict(stage_necks=[dict(_base_.dgdm.toy, after="layers.3.0.expand_conv")])
default_hooks = _base_.drop_ramp
