_base_ = [
    "../_base_/models/mobilenet_v2.py",
    "../_base_/datasets/cub.py",
    "../_base_/schedules/cub_50e.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(num_classes=200))
# The schedule means the last stage of ResNets; here it is one of the middle.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={"layer4": dict(lr_mult=1.0)}))
