# The stamps set with all three splits in the benchmark's metadata form.
_base_ = "stamps.py"

data_root = "../shared/data/stamps"

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="mmdgdm.WSOLDataset",
        data_root=data_root,
        ann_file="metadata/train",
        num_classes=12,
        pipeline={{_base_.train_pipeline}},
    )
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="mmdgdm.WSOLDataset",
        data_root=data_root,
        ann_file="metadata/test",
        num_classes=12,
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
    )
)
