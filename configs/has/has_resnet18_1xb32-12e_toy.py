_base_ = "../cam/cam_resnet18_1xb32-12e_toy.py"

train_pipeline = [
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(
        type="mmdgdm.HideAndSeek",
        # The mean of the data preprocessor.
        fill=(127.5, 127.5, 127.5),
        # The paper's sizes, for 64 pixels instead of 224.
        grid_sizes=(0, 5, 9, 13, 16),
    ),
    dict(type="mmdgdm.PackWSOLInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
