# SPDX-License-Identifier: MIT
"""The stoa command, run as its users do. STOA_BINARY names the command; arguments choose tests as unittest's do."""

import unittest

from test_commands import *  # noqa: F401,F403 - the test cases
from test_data import *  # noqa: F401,F403
from test_doctor import *  # noqa: F401,F403
from test_hostile import *  # noqa: F401,F403
from test_ranges import *  # noqa: F401,F403
from test_refused import *  # noqa: F401,F403

if __name__ == "__main__":
    unittest.main()
