#!/bin/bash
# Lambda Web Adapter starts this and passes requests to the port. The runtime's own directories follow ours on the
# path: boto3 and botocore come with it. API Gateway lets 10 KB of headers through, and the adapter adds two more with
# what it knows of the request: httptools takes heads of any size, and nobody but the adapter reaches this port.
export PYTHONPATH="/opt/python:${PYTHONPATH:+$PYTHONPATH:}${LAMBDA_RUNTIME_DIR:-/var/runtime}"
exec python -m uvicorn app:app --host 127.0.0.1 --port "${AWS_LWA_PORT:-8080}" \
  --loop uvloop --http httptools --no-access-log --no-server-header --log-level warning
