_base_ = "../cam/cam_inception-v3_1xb32-10e_ilsvrc.py"

train_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(256, 256)),
    dict(type="RandomCrop", crop_size=224),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    # The mean of the data preprocessor, in the order of the loaded image (BGR).
    dict(type="mmdgdm.HideAndSeek", fill=(103.53, 116.28, 123.675)),
    dict(type="mmdgdm.PackWSOLInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
