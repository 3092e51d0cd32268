#!/bin/bash
# First boot of one instance of a fleet: start the engine, tell the group when it answers, then report its load.
# Words between two at signs each side are filled in by spillway.adapters.drivers.fleet.user_data, quoted for the shell.
set -euo pipefail
exec > >(tee -a /var/log/spillway.log) 2>&1

export AWS_DEFAULT_REGION=@@REGION@@
DEPLOYMENT=@@DEPLOYMENT@@
GROUP=@@GROUP@@
HOOK=@@HOOK@@
IMAGE=@@IMAGE@@
PROXY_IMAGE=@@PROXY_IMAGE@@
CHAT_TEMPLATE=@@CHAT_TEMPLATE@@
TOKEN_SECRET=@@TOKEN_SECRET@@
READY_WITHIN_SECONDS=@@READY_WITHIN_SECONDS@@
SHUTDOWN_SECONDS=@@SHUTDOWN_SECONDS@@

retry() {
  local try
  for try in 1 2 3 4 5; do
    "$@" && return 0
    sleep $((try * 5))
  done
  return 1
}

imds() {
  local token
  token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' http://169.254.169.254/latest/api/token)
  curl -sf -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"
}
INSTANCE=$(retry imds instance-id)

# The group holds the instance in Pending:Wait until it hears from here. CONTINUE lets it take traffic; ABANDON has it
# replaced now rather than when the hook's time is up. An answer that comes too late finds no hook: no harm.
finish() {
  retry aws autoscaling complete-lifecycle-action --auto-scaling-group-name "$GROUP" --lifecycle-hook-name "$HOOK" \
    --instance-id "$INSTANCE" --lifecycle-action-result "$1" || true
}
trap 'finish ABANDON' ERR

# The token is read at boot and stays in memory, in a file of root's that the engine finds by its path: it is never in
# user data, in a process list, or in what Docker writes to disk about a container.
install -d -m 700 /run/spillway
if [ -n "$TOKEN_SECRET" ]; then
  (umask 077 && retry aws secretsmanager get-secret-value --secret-id "$TOKEN_SECRET" --query SecretString \
    --output text > /run/spillway/hugging-face-token)
fi

# The engine ends without a template that it was told to use.
case "$CHAT_TEMPLATE" in
  s3:*) retry aws s3 cp --only-show-errors "$CHAT_TEMPLATE" @@TEMPLATE_FILE@@ ;;
  https:*)
    retry curl -sSfL --proto '=https' --max-time 60 --max-filesize 1000000 -o @@TEMPLATE_FILE@@ "$CHAT_TEMPLATE" ;;
esac

# One engine over all GPUs. Words of its own are filled in from spillway.domain.engines.
ARGS=(@@ARGUMENTS@@)

systemctl enable --now docker
retry docker pull --quiet "$IMAGE"
install -d /var/lib/spillway/cache
# Peers' proxies reach the engine at 8001. The load balancer comes to 8000: to the proxy, or where there is none, here too.
PORTS=(--publish 8001:@@ENGINE_PORT@@)
if [ -z "$PROXY_IMAGE" ]; then
  PORTS+=(--publish 8000:@@ENGINE_PORT@@)
fi
# The engine is the container's first process: a stop reaches it, requests in flight may end, the time-outs below hold.
docker run --detach --name engine --entrypoint @@ENTRYPOINT@@ --restart always --gpus all --ipc host "${PORTS[@]}" \
  --env AWS_REGION="$AWS_DEFAULT_REGION" --env AWS_DEFAULT_REGION @@ENVIRONMENT@@ \
  --env HF_TOKEN_PATH=/run/spillway/hugging-face-token --volume /run/spillway:/run/spillway:ro \
  --volume /var/lib/spillway/cache:/root/.cache \
  --stop-timeout $((SHUTDOWN_SECONDS + 10)) --log-opt max-size=50m --log-opt max-file=3 "$IMAGE" "${ARGS[@]}"

@@PROXY@@
cat > /usr/local/bin/spillway-agent <<'AGENT'
#!/bin/bash
# Once a minute: requests running and waiting, and the KV cache's share in use, under the instance's id, where the check
# reads them, five minutes to an item. Soon after the minute's beginning, so that every minute has one word of each.
# A gauge that was renamed is read by all its names. Engines of one server are added up, their fullest cache counts.
set -uo pipefail
read_metrics() {
  curl -sf --max-time 5 http://localhost:8000@@METRICS_PATH@@ | awk '
    /^#/ { next }
    { name = $1; sub(/[{].*/, "", name); value = $NF }
    @@IS_RUNNING@@ { running += value; seen = 1 }
    @@IS_WAITING@@ { waiting += value }
    @@IS_CACHE_USE@@ { if (value > cache) cache = value }
    END { if (seen) printf "%s %s %s\n", running + 0, waiting + 0, cache + 0; else exit 1 }'
}
while sleep $((60 - $(date +%s) % 60)); do
  read -r running waiting cache < <(read_metrics) || continue
  now=$(date +%s)
  aws dynamodb update-item --table-name @@LOADS_TABLE@@ \
    --key "{\"id\":{\"S\":\"$1#engines#$((now / 300))\"}}" \
    --update-expression 'SET #instance = :gauges, expires_at = :expires' \
    --expression-attribute-names "{\"#instance\":\"$2\"}" \
    --expression-attribute-values "{\":expires\":{\"N\":\"$((now + 86400))\"},\":gauges\":{\"M\":{
      \"at\":{\"N\":\"$now\"},\"running\":{\"N\":\"$running\"},\"waiting\":{\"N\":\"$waiting\"},\"cache\":{\"N\":\"$cache\"}}}}"
done
AGENT
chmod 755 /usr/local/bin/spillway-agent

cat > /etc/systemd/system/spillway-agent.service <<UNIT
[Unit]
Description=Report the engine's load
After=docker.service
[Service]
Environment=AWS_DEFAULT_REGION=$AWS_DEFAULT_REGION
ExecStart=/usr/local/bin/spillway-agent $DEPLOYMENT $INSTANCE
Restart=always
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now spillway-agent

# A model that does not load fails the same way every time: three restarts are enough to know.
while ! curl -sf --max-time 5 -o /dev/null http://localhost:8000@@HEALTH_PATH@@; do
  if [ "$SECONDS" -gt "$READY_WITHIN_SECONDS" ] || [ "$(docker inspect -f '{{.RestartCount}}' engine)" -ge 3 ]; then
    docker logs --tail 100 engine || true
    finish ABANDON
    exit 1
  fi
  sleep 2
done
finish CONTINUE
