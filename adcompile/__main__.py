"""`python -m adcompile` is the `adcompile` command."""

import sys

from adcompile.cli import main

sys.exit(main())
