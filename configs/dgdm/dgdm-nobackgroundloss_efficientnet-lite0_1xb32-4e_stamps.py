_base_ = "dgdm_efficientnet-lite0_1xb32-4e_stamps.py"

model = dict(head=dict(background_loss=None))
