_base_ = [
    "../_base_/models/resnet18_toy.py",
    "../_base_/datasets/toy.py",
    "../_base_/schedules/toy_12e.py",
    "../_base_/default_runtime.py",
]

# After an early stage whose attention lies on the heads: what is erased there no later
# stage sees. Each sample's mean activation stays as it is, and erasing grows with
# training. The values are those of a search on val, rounded
# (configs/_search_/toy/dgdm.yaml).
model = dict(
    stage_necks=[
        dict(
            type="mmdgdm.DGDM",
            after="layer1.1",
            cagd=dict(drop_prob=0.56, scale="mean"),
            sagd=dict(
                drop_prob=0.37,
                drop_threshold=0.73,
                block_size=2,
                bg_rule="mean",
                scale="mean",
                detach=True,
            ),
        )
    ]
)
custom_hooks = [
    dict(type="mmdgdm.NumClassesCheckHook"),
    dict(type="mmdgdm.CalibrationHook"),
    dict(type="mmdgdm.DropRampHook"),
]
