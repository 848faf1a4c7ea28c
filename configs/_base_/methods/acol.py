# ACoL by backbone, and what `optim_wrapper` must be told. VGG16 has the benchmark's
# poolings.
#   model = _base_.acol.resnet50
#   optim_wrapper = _base_.acol_rates.resnet50
acol = dict(
    vgg16=dict(
        backbone=dict(out_indices=(4,), pool_sizes=(3, 3, 3, 3), last_pools=True),
        head=dict(type="mmdgdm.ACoLHead", in_channels=512),
    ),
    resnet50=dict(
        backbone=dict(out_indices=(3,)),
        head=dict(type="mmdgdm.ACoLHead", in_channels=2048),
    ),
    inception_v3=dict(
        backbone=dict(out_indices=(3,)),
        head=dict(type="mmdgdm.ACoLHead", in_channels=768),
    ),
    # An eighth of the usual width: with 1,024 channels the head alone costs many times
    # what this small backbone does.
    efficientnet_lite=dict(head=dict(type="mmdgdm.ACoLHead", mid_channels=128)),
    resnet18_toy=dict(head=dict(type="mmdgdm.ACoLHead", mid_channels=192)),
)
acol_rates = dict(
    # The benchmark's rule for ResNet-50 names the classifier `fc`, which ACoL has not:
    # its branches learn at the rate of the first stages.
    resnet50=dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=1.0)))),
)
