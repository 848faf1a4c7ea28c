_base_ = "../cam/cam_repvgg_1xb32-12e_toy.py"

# The layer of the ResNet-18, at the same size of map.
model = dict(
    stage_necks=[
        dict(
            type="mmdgdm.DGDM",
            after="stage_1",
            cagd=dict(drop_prob=0.56),
            sagd=dict(drop_prob=0.37, drop_threshold=0.73, block_size=2),
        )
    ]
)
default_hooks = dict(drop_ramp=dict(type="mmdgdm.DropRampHook"))
