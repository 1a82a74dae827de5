"""Whether the long form of the drills was asked for (`make drills`)."""

from __future__ import annotations

import os

IS_LONG = os.environ.get("DRILLS") == "long"
