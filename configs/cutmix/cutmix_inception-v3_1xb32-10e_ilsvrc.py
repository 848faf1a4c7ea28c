_base_ = "../cam/cam_inception-v3_1xb32-10e_ilsvrc.py"

model = dict(
    data_preprocessor=dict(num_classes=1000),
    head=dict(loss=dict(use_soft=True)),
    train_cfg=dict(augments=dict(type="CutMix", alpha=1.0)),
)
