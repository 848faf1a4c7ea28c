# SPG by backbone, and what `optim_wrapper` must be told:
#   model = _base_.spg.resnet50
#   optim_wrapper = _base_.spg_rates.resnet50
spg = dict(
    vgg16=dict(
        backbone=dict(out_indices=(3, 4), pool_sizes=(2, 2, 2, 3)),
        head=dict(type="mmdgdm.SPGHead", in_channels=(512, 512)),
    ),
    resnet50=dict(
        backbone=dict(out_indices=(2, 3)),
        head=dict(type="mmdgdm.SPGHead", in_channels=(1024, 2048)),
    ),
    inception_v3=dict(
        backbone=dict(out_indices=(2, 3)),
        head=dict(type="mmdgdm.SPGHead", in_channels=(288, 768)),
    ),
    # A quarter of the usual width, to suit the small backbone.
    efficientnet_lite=dict(
        backbone=dict(out_indices=(4, 6)),
        head=dict(type="mmdgdm.SPGHead", in_channels=(112, 1280), mid_channels=128),
    ),
    resnet18_toy=dict(
        backbone=dict(out_indices=(2, 3)),
        head=dict(type="mmdgdm.SPGHead", in_channels=(96, 192), mid_channels=192),
    ),
)
spg_rates = dict(
    # The benchmark's SPG takes conv4 and conv5 out of the `features` that learn slowly.
    vgg16=dict(
        paramwise_cfg=dict(
            custom_keys={
                f"features.{index}": dict(lr_mult=10.0)
                for index in (10, 11, 12, 14, 15, 16)
            }
        )
    ),
    # Its rule for ResNet-50 names the classifier `fc`, which SPG has not: all that is
    # added learns at the rate of the first stages.
    resnet50=dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=1.0)))),
)
