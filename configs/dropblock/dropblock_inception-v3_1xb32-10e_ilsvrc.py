_base_ = "../cam/cam_inception-v3_1xb32-10e_ilsvrc.py"

model = dict(
    stage_necks=[
        dict(type="mmdgdm.DropBlock", after="Mixed_5d"),
        dict(type="mmdgdm.DropBlock", after="Mixed_6e"),
        dict(type="mmdgdm.DropBlock", after="gap_convs.1"),
    ],
)
