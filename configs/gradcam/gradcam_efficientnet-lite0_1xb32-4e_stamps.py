_base_ = ["../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py"]

# Trained as CAM; the maps differ.
model = dict(cam_method="gradcam")
