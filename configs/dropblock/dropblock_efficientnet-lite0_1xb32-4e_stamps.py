_base_ = "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py"

# Settings searched on val, rounded (configs/_search_/stamps/dropblock.yaml).
model = dict(
    stage_necks=[
        dict(type="mmdgdm.DropBlock", after="layers.6", drop_prob=0.021, block_size=5)
    ]
)
