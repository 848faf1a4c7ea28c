_base_ = "../cam/cam_repvgg_1xb32-12e_toy.py"

# The layer of the ResNet-18, at the same size of map.
model = dict(
    stage_necks=[
        dict(
            type="mmdgdm.DGDM",
            after="stage_1",
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
