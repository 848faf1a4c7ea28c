# Short fine-tuning of any length: a schedule without a length of its own ends with the
# training, so that `train_cfg.max_epochs` alone decides. Val after every epoch.
_base_ = "finetune_4e.py"

param_scheduler = [
    dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True)
]
train_cfg = dict(val_interval=1)
