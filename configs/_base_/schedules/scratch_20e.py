# The toy's schedule for any length: one without a length of its own ends with the
# training, so that `train_cfg.max_epochs` alone decides. Val after every epoch.
_base_ = "toy_12e.py"

param_scheduler = [
    dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True)
]
train_cfg = dict(max_epochs=20, val_interval=1)
