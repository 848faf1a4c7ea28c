_base_ = "../cam/cam_efficientnet-lite0_1xb32-4e_raccoon.py"

# Rate and drop rate are those of a search on val, rounded
# (configs/_search_/raccoon/adl.yaml).
optim_wrapper = dict(optimizer=dict(lr=0.026))
model = dict(stage_necks=[dict(type="mmdgdm.ADL", after="layers.6", drop_rate=0.5)])
