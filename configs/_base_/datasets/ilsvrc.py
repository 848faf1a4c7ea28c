# ILSVRC CLS-LOC as downloaded, plain or Kaggle's (train; its val, with boxes, is the
# benchmark's test), and ImageNetV2 with the benchmark's metadata as val:
#   data/ILSVRC/{train, val, Annotations/CLS-LOC/val}      plain, or
#   data/ILSVRC/{LOC_synset_mapping.txt, LOC_val_solution.csv, ILSVRC}      Kaggle's
#   data/ILSVRC/val2/{0, ..., 999}/     images of ImageNetV2 (threshold 0.7)
#   data/metadata/ILSVRC/val/           image_ids.txt, class_labels.txt, ...
data_root = "data/ILSVRC"
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
        type="mmdgdm.ILSVRC",
        data_root=data_root,
        split="train",
        pipeline=train_pipeline,
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
        ann_file="metadata/ILSVRC/val",
        data_prefix="ILSVRC",
        num_classes=1000,
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
        type="mmdgdm.ILSVRC",
        data_root=data_root,
        split="val",
        test_mode=True,
        pipeline=test_pipeline,
    ),
)

val_evaluator = dict(type="mmdgdm.WSOLMetric")
test_evaluator = val_evaluator
