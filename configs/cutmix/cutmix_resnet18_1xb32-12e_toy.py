_base_ = "../cam/cam_resnet18_1xb32-12e_toy.py"

model = dict(
    data_preprocessor=dict(num_classes=8),
    head=dict(loss=dict(use_soft=True)),
    train_cfg=dict(augments=dict(type="CutMix", alpha=1.0)),
)
