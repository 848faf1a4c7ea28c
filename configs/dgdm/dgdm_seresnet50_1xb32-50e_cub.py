_base_ = "../cam/cam_seresnet50_1xb32-50e_cub.py"

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
