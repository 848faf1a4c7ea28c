# CutMix. The data preprocessor must know the classes:
#   model = dict(_base_.cutmix, data_preprocessor=dict(num_classes=200))
cutmix = dict(
    head=dict(loss=dict(use_soft=True)),
    train_cfg=dict(augments=dict(type="CutMix", alpha=1.0)),
)
