# Forty classes of Tiny ImageNet, ILSVRC's photographs at 64 x 64 pixels. All splits are
# in the benchmark's metadata form.
_base_ = "ilsvrc.py"

data_root = "../shared/data/tiny_imagenet"
input_size = 64

train_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(73, 73)),
    dict(type="RandomCrop", crop_size=input_size),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(type="mmdgdm.PackWSOLInputs"),
]
test_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(input_size, input_size)),
    dict(type="mmdgdm.PackWSOLInputs"),
]

dataset = dict(
    _delete_=True,
    type="mmdgdm.WSOLDataset",
    data_root=data_root,
    class_file="classes.txt",
    num_classes=40,
)
test_dataset = dict(test_mode=True, pipeline=test_pipeline, **dataset)
train_dataloader = dict(
    num_workers=1,
    dataset=dict(ann_file="metadata/train", pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    num_workers=1, dataset=dict(ann_file="metadata/val", **test_dataset)
)
test_dataloader = dict(
    num_workers=1, dataset=dict(ann_file="metadata/test", **test_dataset)
)
