_base_ = [
    "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py",
    "../_base_/methods/cutmix.py",
]

# Searched on val, rounded (configs/_search_/stamps/cutmix.yaml).
model = dict(
    _base_.cutmix,
    data_preprocessor=dict(num_classes=12),
    train_cfg=dict(augments=dict(type="CutMix", alpha=0.1)),
)
