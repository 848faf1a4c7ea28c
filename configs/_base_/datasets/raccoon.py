# Natural photographs of what the classifier does not know: one image of each ImageNet
# class to train on; raccoons, none of the 1000 classes, to localize by the map of the
# class that scores best. The raccoons have no val split: every other one is val.
train_root = "../shared/data/imagenet_sample"
test_root = "../shared/data/raccoon"
input_size = 176

train_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(200, 200)),
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
        type="ImageNet",
        data_root=train_root,
        ann_file="labels.txt",
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
        data_root=test_root,
        ann_file="metadata/test",
        indices=list(range(0, 200, 2)),
        num_classes=1000,
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
        type="mmdgdm.WSOLDataset",
        data_root=test_root,
        ann_file="metadata/test",
        indices=list(range(1, 200, 2)),
        num_classes=1000,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)

# Labels of raccoons do not exist among the classes: nothing is said of them.
val_evaluator = dict(type="mmdgdm.WSOLMetric", topk=(), cam_target="top1")
test_evaluator = val_evaluator
