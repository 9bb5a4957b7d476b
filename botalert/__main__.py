"""``python -m botalert``, which 0.5a's cron job runs."""

import sys

from botalert.cli import main

if __name__ == "__main__":
    sys.exit(main())
