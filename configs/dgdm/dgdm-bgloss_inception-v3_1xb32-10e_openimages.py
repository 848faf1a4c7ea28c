_base_ = ["dgdm_inception-v3_1xb32-10e_openimages.py", "../_base_/methods/bgloss.py"]

model = _base_.bgloss.photos
