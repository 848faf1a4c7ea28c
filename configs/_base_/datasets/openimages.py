# OpenImages30k, the benchmark's choice of 100 classes of OpenImages V5, scored by
# pixels. All splits are in the benchmark's metadata form:
#   data/OpenImages/{train, val, test}/<class>/<image>.jpg
#   data/OpenImages_masks/{val, test}/<class>/<image>_*.png       masks
#   data/metadata/OpenImages/{train, val, test}/            image_ids.txt, ...
# Set `mask_root` to "OpenImages" where the masks lie among the images.
data_root = "data"
mask_root = "OpenImages_masks"

train_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(256, 256)),
    dict(type="RandomCrop", crop_size=224),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(type="mmdgdm.PackWSOLInputs"),
]
test_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="mmdgdm.LoadWSOLMask"),
    dict(type="Resize", scale=(224, 224)),
    dict(type="mmdgdm.PackWSOLInputs"),
]

dataset = dict(
    type="mmdgdm.WSOLDataset",
    data_root=data_root,
    data_prefix="OpenImages",
    num_classes=100,
)
test_dataset = dict(
    mask_root=mask_root, test_mode=True, pipeline=test_pipeline, **dataset
)
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        ann_file="metadata/OpenImages/train", pipeline=train_pipeline, **dataset
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(ann_file="metadata/OpenImages/val", **test_dataset),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(ann_file="metadata/OpenImages/test", **test_dataset),
)

val_evaluator = [dict(type="mmdgdm.PxAP"), dict(type="Accuracy", topk=(1, 5))]
test_evaluator = val_evaluator
