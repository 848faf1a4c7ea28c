_base_ = "dgdm_efficientnet-lite0_1xb32-4e_stamps.py"

# The loss alone: nothing is erased.
model = dict(stage_necks=[])
