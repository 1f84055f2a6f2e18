# Run in namespaces of its own (spec/support/namespace.lua): makes the other one, `them`, and plays.
#   bash world.sh KERNEL_PEER COMMAND...
# 192.0.2.1 (2001:db8::1) is ours, 192.0.2.2 (2001:db8::2) theirs. With WORLD_VXLAN=4 or 6 they have the device vx0 with
# 10.99.0.2 and fd99::2, whose far end is our UDP port 4789.
set -e
export KERNEL_PEER=$1
shift
mount -t tmpfs none /run
mkdir -p /run/netns
ip netns add them
ip link add va type veth peer name vb netns them
ip addr add 192.0.2.1/24 dev va
ip addr add 2001:db8::1/64 dev va nodad
ip link set lo up
ip link set va up
ip -n them addr add 192.0.2.2/24 dev vb
ip -n them addr add 2001:db8::2/64 dev vb nodad
ip -n them link set lo up
ip -n them link set vb up
"$@" &
wait $!
