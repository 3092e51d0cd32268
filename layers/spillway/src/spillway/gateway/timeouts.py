"""Every limit that the gateway itself sets to a wait, here alone because they hang together.

Two are others' to set: a stream's silence (``GATEWAY_IDLE_SECONDS``, settings.py), and how long a deployment's primary
may take to its first byte (its route). How long a target in trouble is left alone is failover/target_health.py's.

Seconds, unless they say otherwise. ``tests/template/test_timeouts.py`` holds them to their order, and to what the
template gives to Lambda and to API Gateway.
"""

from spillway.settings import IDLE_SECONDS

# The platform's own, which nothing here changes: the longest stream (Lambda's and API Gateway's), and how long API
# Gateway waits for a byte, be it an answer's first or a silent stream's next.
STREAM_SECONDS = 900.0
PLATFORM_SILENCE_SECONDS = 300.0

# A request's way in. A server of its own has clients that API Gateway would have kept away.
HEAD_SECONDS = 15.0
BODY_SECONDS = 30.0

# Waiting for a primary that is on its way, where nothing else may answer: a minute of a stream is left for the answer.
LONGEST_WAIT_SECONDS = 840.0
# Nothing can be said to the client of an unstreamed request before its answer.
LONGEST_SILENCE_SECONDS = 180.0
# What waits longer than this is counted as it comes: the check must not hear of it only after its wait is over.
COUNT_AT_ONCE_SECONDS = 30.0
# Signs of life in a stream that waits: an edge-optimised endpoint ends one after 30 seconds of silence.
COMMENT_EVERY_SECONDS = 15.0

# Waiting for what requests in flight have reserved of a key's budget and may not need: a stream is silent meanwhile,
# and until its first comment.
BUDGET_WAIT_SECONDS = 14.0
BUDGET_LOOK_SECONDS = 1.0

# Opening an answer; an unstreamed one's first byte is at its end.
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 280.0
# The rest of an error whose status is known already.
REFUSAL_SECONDS = 2.0
SMOKE_TEST_SECONDS = 120.0

# Passing an answer on: a client may leave it unread as long as an upstream may be silent; and what an upstream still
# has to say after the end mark.
UNREAD_SECONDS = IDLE_SECONDS
DRAIN_SECONDS = 0.2

# An answer's end waits so long for what is written of it; what is written later has until the process ends.
SETTLE_SECONDS = 1.0
LATE_SECONDS = 10.0
# From the moment on when requests that took too long are cancelled: to meter them, and to settle their budgets.
LAST_SECONDS = 5.0

# Tables and streams of ours. With the last value at hand nobody waits longer than ``PATIENCE_SECONDS`` for a new one.
ROUTE_AGE_SECONDS = 2.0
PATIENCE_SECONDS = 0.3
TABLE_SECONDS = 1.0
SCAN_SECONDS = 5.0
TEXTS_SECONDS = 0.5
# Where nobody waits for the texts' log.
TEXTS_LATER_SECONDS = 5.0
# What a client is told to wait when a table does not answer (whole seconds, as Retry-After wants them).
STORE_RETRY_SECONDS = 2
