_base_ = "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py"

# Settings searched on val, rounded (configs/_search_/stamps/has.yaml).
train_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(184, 184)),
    dict(type="RandomCrop", crop_size={{_base_.input_size}}),
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(
        type="mmdgdm.HideAndSeek",
        # The mean of the data preprocessor.
        fill=(127, 127, 127),
        # The paper's sizes, for 160 pixels instead of 224.
        grid_sizes=(0, 11, 23, 31, 40),
        drop_prob=0.1,
    ),
    dict(type="mmdgdm.PackWSOLInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
