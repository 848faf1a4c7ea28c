_base_ = "dgdm_resnet18_1xb32-12e_toy.py"

model = dict(
    stage_necks=[
        dict(
            type="mmdgdm.DGDM",
            after="layer1.1",
            cagd=None,
            sagd=dict(
                drop_prob=0.37,
                drop_threshold=0.73,
                block_size=2,
                scale="mean",
                detach=True,
            ),
        )
    ]
)
