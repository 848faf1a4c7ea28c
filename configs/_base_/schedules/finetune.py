# Short fine-tuning of any length: a schedule without a length of its own ends with the
# training, so that `train_cfg.max_epochs` alone decides. Val after every epoch. At full
# rate from the first step on, single seeds never recovered.
_base_ = "finetune_4e.py"

param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, end=10),
    dict(type="CosineAnnealingLR", by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(val_interval=1)
