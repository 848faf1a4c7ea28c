default_scope = "mmpretrain"

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=10),
    param_scheduler=dict(type="ParamSchedulerHook"),
    # The best on val is kept too: by the metric's first score, wsol/gt_known for boxes.
    checkpoint=dict(
        type="mmdgdm.SafeCheckpointHook",
        interval=1,
        max_keep_ckpts=2,
        save_best="auto",
        rule="greater",
    ),
    sampler_seed=dict(type="DistSamplerSeedHook"),
)
custom_hooks = [
    dict(type="mmdgdm.NumClassesCheckHook"),
    dict(type="mmdgdm.CalibrationHook"),
]

log_processor = dict(type="mmdgdm.WSOLLogProcessor")

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
)

vis_backends = [dict(type="LocalVisBackend")]
visualizer = dict(type="mmdgdm.WSOLVisualizer", vis_backends=vis_backends)

log_level = "INFO"
load_from = None
resume = False
randomness = dict(seed=0, deterministic=False)
