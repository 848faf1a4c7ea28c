# Short fine-tuning of pretrained features: the new classifier learns ten times as
# fast as the backbone.
optim_wrapper = dict(
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={"head": dict(lr_mult=10.0)}),
    # Without it single seeds of some methods never recover from an early step.
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type="CosineAnnealingLR", T_max=4, by_epoch=True, convert_to_iter_based=True)
]
train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=2)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=32)
