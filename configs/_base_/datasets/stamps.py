# A small real-photo set in the layout of CUB-200-2011 (train, test), with its val
# split in the benchmark's metadata form. It shows how any set of that layout is
# read: point `data_root` at yours.
data_root = "../shared/data/stamps"
input_size = 160

train_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(184, 184)),
    dict(type="RandomCrop", crop_size=input_size),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(type="mmdgdm.PackWSOLInputs"),
]
test_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(input_size, input_size)),
    dict(type="mmdgdm.PackWSOLInputs"),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="mmdgdm.CUB",
        data_root=data_root + "/CUB_200_2011",
        split="train",
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="mmdgdm.WSOLDataset",
        data_root=data_root,
        ann_file="metadata/val",
        num_classes=12,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="mmdgdm.CUB",
        data_root=data_root + "/CUB_200_2011",
        split="test",
        test_mode=True,
        pipeline=test_pipeline,
    ),
)

val_evaluator = dict(type="mmdgdm.WSOLMetric")
test_evaluator = val_evaluator
