# A fleet that may have several instances has a proxy in front of each engine. Who the engines are, it learns from a
# file that is written anew when the group's instances in service change.
install -d /var/lib/spillway/proxy
cat > /var/lib/spillway/proxy/base.cfg <<'CONFIG'
@@CONFIG@@
CONFIG
cat > /usr/local/bin/spillway-peers <<'PEERS'
#!/bin/bash
# Usage: spillway-peers <group> <own address> <engine port> <folder>. One round: look who is in service, write the
# proxy's configuration, reload it if that changed anything. A look-up that fails changes nothing.
set -uo pipefail
in_service() {
  local ids
  ids=$(aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$1" --output text \
    --query "AutoScalingGroups[].Instances[?LifecycleState=='InService'].InstanceId[]") || return 1
  [ -z "$ids" ] && return 0
  # As a filter, an instance that has just gone is no error.
  aws ec2 describe-instances --output text --query 'Reservations[].Instances[].PrivateIpAddress' \
    --filters "Name=instance-id,Values=$(tr -s '[:space:]' , <<< "$ids" | sed 's/,$//')" \
    Name=instance-state-name,Values=running
}
found=$(in_service "$1") || exit 1
# Nobody is in service while the first instance starts: the engine of this one is all there is.
{
  cat "$4/base.cfg"
  for address in $(tr -s '[:space:]' '\n' <<< "${found:-$2}" | sort -u); do
    IFS=. read -r a b c d <<< "$address"
    # HAProxy takes ids of 28 bits, which no two addresses of one VPC share.
    echo "  server $address $address:$3 id $(((a % 16) << 24 | b << 16 | c << 8 | d))"
  done
} > "$4/new.cfg"
cmp -s "$4/new.cfg" "$4/haproxy.cfg" && exit 0
mv "$4/new.cfg" "$4/haproxy.cfg"
# There is nothing to reload before the proxy runs; from then on it reads the file whenever it starts.
docker kill --signal USR2 proxy > /dev/null 2>&1 || true
PEERS
chmod 755 /usr/local/bin/spillway-peers

ADDRESS=$(retry imds local-ipv4)
retry /usr/local/bin/spillway-peers "$GROUP" "$ADDRESS" 8001 /var/lib/spillway/proxy
retry docker pull --quiet "$PROXY_IMAGE"
# On the host's network: it reaches the own engine like any other, by the instance's address. It is stopped with USR1,
# which the image asks for: new connections are refused, and those that are open may end, as the engine's may.
docker run --detach --name proxy --restart always --network host --ulimit nofile=16384:16384 \
  --env BIND=:8000 --env OWN_ENGINE="$ADDRESS:8001" \
  --volume /var/lib/spillway/proxy:/usr/local/etc/haproxy:ro --stop-timeout $((SHUTDOWN_SECONDS + 10)) \
  --log-opt max-size=50m --log-opt max-file=3 "$PROXY_IMAGE"

cat > /etc/systemd/system/spillway-peers.service <<UNIT
[Unit]
Description=Tell the proxy which engines are in service
After=docker.service
[Service]
Environment=AWS_DEFAULT_REGION=$AWS_DEFAULT_REGION
ExecStart=/bin/bash -c 'while sleep 20; do /usr/local/bin/spillway-peers $GROUP $ADDRESS 8001 /var/lib/spillway/proxy; done'
Restart=always
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now spillway-peers
