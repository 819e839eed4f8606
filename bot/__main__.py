"""`python -m bot` is `autoheal`."""

import sys

from bot.cli import main

sys.exit(main())
