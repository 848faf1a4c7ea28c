_base_ = [
    "../_base_/models/efficientnet_lite0.py",
    "../_base_/datasets/cub10.py",
    "../_base_/schedules/finetune_4e.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(num_classes=10))
train_cfg = dict(val_interval=1)
# A schedule without a length of its own ends with the training, however long that is.
param_scheduler = [
    dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True)
]
