# The benchmark's rule for CUB: SGD with Nesterov momentum, a tenth of the rate every 15
# of 50 epochs. Ten times as fast learns what it does not count as features: on VGG16
# and InceptionV3 the added convolutions, on ResNets the last stage, and the head.
optim_wrapper = dict(
    optimizer=dict(
        type="SGD", lr=0.001, momentum=0.9, nesterov=True, weight_decay=1e-4
    ),
    paramwise_cfg=dict(
        custom_keys={
            "head": dict(lr_mult=10.0),
            "gap_convs": dict(lr_mult=10.0),
            "layer4": dict(lr_mult=10.0),
        }
    ),
)
param_scheduler = [dict(type="StepLR", step_size=15, gamma=0.1, by_epoch=True)]
train_cfg = dict(by_epoch=True, max_epochs=50, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=32)
