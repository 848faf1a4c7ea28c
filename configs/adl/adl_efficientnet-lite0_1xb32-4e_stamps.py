_base_ = "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py"

# Settings searched on val, rounded (configs/_search_/stamps/adl.yaml).
model = dict(
    stage_necks=[
        dict(type="mmdgdm.ADL", after="layers.6", drop_rate=0.1, drop_threshold=0.79)
    ]
)
