"""The swarm edge runtime. Another Python than those it is tested on is refused in a sentence, not with a traceback."""

import sys

if not (3, 10) <= sys.version_info[:2] <= (3, 13):
    sys.stderr.write("swarm: Python {}.{}: the swarm edge runtime needs 3.10 to 3.13\n".format(*sys.version_info))
    sys.exit(2)
