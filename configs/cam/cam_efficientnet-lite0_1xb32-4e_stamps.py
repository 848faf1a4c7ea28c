_base_ = [
    "../_base_/models/efficientnet_lite0.py",
    "../_base_/datasets/stamps.py",
    "../_base_/schedules/finetune_4e.py",
    "../_base_/default_runtime.py",
]

# Settings searched on val, rounded (configs/_search_/stamps/cam.yaml).
model = dict(head=dict(num_classes=12))
optim_wrapper = dict(optimizer=dict(lr=0.009))
