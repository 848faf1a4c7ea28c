_base_ = "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py"

# Settings searched on val, rounded (configs/_search_/stamps/cutmix.yaml).
model = dict(
    data_preprocessor=dict(num_classes=12),
    head=dict(loss=dict(use_soft=True)),
    train_cfg=dict(augments=dict(type="CutMix", alpha=0.1)),
)
