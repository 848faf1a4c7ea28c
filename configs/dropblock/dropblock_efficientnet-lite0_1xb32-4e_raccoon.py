_base_ = "../cam/cam_efficientnet-lite0_1xb32-4e_raccoon.py"

# Rate, probability and block are those of a search on val, rounded
# (configs/_search_/raccoon/dropblock.yaml).
optim_wrapper = dict(optimizer=dict(lr=0.026))
model = dict(
    stage_necks=[
        dict(type="mmdgdm.DropBlock", after="layers.6", drop_prob=0.02, block_size=5)
    ]
)
