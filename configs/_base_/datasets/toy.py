# The embedded toy set: drawn in memory, nothing to download or load.
pipeline = [dict(type="mmdgdm.PackWSOLInputs")]
train_pipeline = [
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    dict(type="mmdgdm.PackWSOLInputs"),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(type="mmdgdm.Toy", split="train", pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type="mmdgdm.Toy", split="val", test_mode=True, pipeline=pipeline),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type="mmdgdm.Toy", split="test", test_mode=True, pipeline=pipeline),
)

val_evaluator = dict(type="mmdgdm.WSOLMetric")
test_evaluator = val_evaluator
