# The benchmark's rule for ILSVRC and OpenImages30k: that of CUB with a tenth of the
# rate every 3 of 10 epochs.
_base_ = "cub_50e.py"

param_scheduler = [dict(type="StepLR", step_size=3, gamma=0.1, by_epoch=True)]
train_cfg = dict(max_epochs=10)
