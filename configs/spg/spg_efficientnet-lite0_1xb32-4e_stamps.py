_base_ = "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py"

# Settings searched on val, rounded (configs/_search_/stamps/spg.yaml).
model = dict(
    backbone=dict(out_indices=(4, 6)),
    head=dict(
        type="mmdgdm.SPGHead",
        in_channels=(112, 1280),
        # A quarter of the usual width, to suit the small backbone.
        mid_channels=128,
    ),
)
optim_wrapper = dict(optimizer=dict(lr=0.004))
