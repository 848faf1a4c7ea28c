# CUB-200-2011 as downloaded (train, test), and CUBV2 with the benchmark's metadata
# as val:
#   data/CUB_200_2011/{images.txt, ..., images/}
#   data/CUBV2/                      images
#   data/metadata/CUB/val/           image_ids.txt, class_labels.txt, ...
data_root = "data/CUB_200_2011"
val_root = "data"

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
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="mmdgdm.CUB", data_root=data_root, split="train", pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="mmdgdm.WSOLDataset",
        data_root=val_root,
        ann_file="metadata/CUB/val",
        data_prefix="CUBV2",
        num_classes=200,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="mmdgdm.CUB",
        data_root=data_root,
        split="test",
        test_mode=True,
        pipeline=test_pipeline,
    ),
)

val_evaluator = dict(type="mmdgdm.WSOLMetric")
test_evaluator = val_evaluator
