# Images of your own, as `mmdgdm prepare folder photos prepared` makes a data set of
# them. `mmdgdm init prepared` writes a config that sets the folders.
train_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(256, 256)),
    dict(type="RandomCrop", crop_size=224),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(type="mmdgdm.PackWSOLInputs"),
]
test_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(224, 224)),
    dict(type="mmdgdm.PackWSOLInputs"),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="mmdgdm.WSOLDataset",
        data_root="photos",
        ann_file="../prepared/train",
        class_file="../prepared/classes.txt",
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="mmdgdm.WSOLDataset",
        data_root="photos",
        ann_file="../prepared/val",
        class_file="../prepared/classes.txt",
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="mmdgdm.WSOLDataset",
        data_root="photos",
        ann_file="../prepared/test",
        class_file="../prepared/classes.txt",
        test_mode=True,
        pipeline=test_pipeline,
    ),
)

val_evaluator = dict(type="mmdgdm.WSOLMetric")
test_evaluator = val_evaluator
