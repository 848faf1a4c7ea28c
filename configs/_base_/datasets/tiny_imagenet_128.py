# Tiny ImageNet at twice its size, for networks with ImageNet weights: their maps would
# be 4 x 4 otherwise.
_base_ = "tiny_imagenet.py"

input_size = 128

train_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(146, 146)),
    dict(type="RandomCrop", crop_size=input_size),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(type="mmdgdm.PackWSOLInputs"),
]
test_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(input_size, input_size)),
    dict(type="mmdgdm.PackWSOLInputs"),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
