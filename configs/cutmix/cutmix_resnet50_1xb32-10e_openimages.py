_base_ = "../cam/cam_resnet50_1xb32-10e_openimages.py"

model = dict(
    data_preprocessor=dict(num_classes=100),
    head=dict(loss=dict(use_soft=True)),
    train_cfg=dict(augments=dict(type="CutMix", alpha=1.0)),
)
