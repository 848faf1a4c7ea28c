_base_ = ["../cam/cam_resnet18_1xb32-12e_toy.py"]

# Trained as CAM; the maps differ.
model = dict(cam_method="scorecam")
