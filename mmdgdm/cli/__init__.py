"""What the tools share: options, how a tool ends, reports in the terminal."""

import warnings

# mmcv-lite says at each start that it lacks an operator that nothing here uses; here,
# since tools import this package before anything that imports mmcv.
warnings.filterwarnings(
    "ignore", "Fail to import ``MultiScaleDeformableAttention``", UserWarning
)
