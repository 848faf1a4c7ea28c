_base_ = "dgdm_efficientnet-lite0_1xb32-4e_stamps.py"

model = dict(
    stage_necks=[
        dict(
            type="mmdgdm.DGDM",
            after="layers.6",
            cagd=None,
            sagd=dict(
                drop_prob=0.45,
                drop_threshold=0.89,
                block_size=2,
                bg_threshold=1.0,
                bg_rule="mean",
                scale="mean",
                detach=True,
            ),
        )
    ]
)
