optim_wrapper = dict(
    optimizer=dict(type="SGD", lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
)
param_scheduler = [
    dict(type="CosineAnnealingLR", T_max=12, by_epoch=True, convert_to_iter_based=True)
]
train_cfg = dict(by_epoch=True, max_epochs=12, val_interval=3)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=32)
