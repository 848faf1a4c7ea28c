# All three splits in the benchmark's metadata form, in place of CUB's layout.
_base_ = "dgdm_efficientnet-lite0_1xb32-4e_stamps.py"

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="mmdgdm.WSOLDataset",
        data_root={{_base_.data_root}},
        ann_file="metadata/train",
        num_classes=12,
        pipeline={{_base_.train_pipeline}},
    )
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="mmdgdm.WSOLDataset",
        data_root={{_base_.data_root}},
        ann_file="metadata/test",
        num_classes=12,
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
    )
)
