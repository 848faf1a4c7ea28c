_base_ = "../cam/cam_resnet50_1xb32-10e_openimages.py"

# Why here, and why so: README.md.
model = dict(
    head=dict(background_loss=dict(type="mmdgdm.BackgroundLoss")),
    stage_necks=[
        dict(
            type="mmdgdm.DGDM",
            after="layer4.2",
            sagd=dict(block_size=0.2, bg_threshold=1.0, bg_rule="mean"),
        )
    ],
)
default_hooks = dict(drop_ramp=dict(type="mmdgdm.DropRampHook"))
