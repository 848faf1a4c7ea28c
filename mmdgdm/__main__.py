"""``python -m mmdgdm``: the console command."""

from __future__ import annotations

import sys

from mmdgdm.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
