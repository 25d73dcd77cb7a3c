#!/bin/sh -e
cat > /etc/network/interfaces.d/br0 <<END
auto br0
iface br0 inet manual
    bridge_ports eth0 eth1 eth2
    bridge_stp on
    bridge_bridgeprio 32768
    bridge_hello 1
    bridge_fd 4
    bridge_maxage 6
    bridge_maxwait 0
END
systemctl enable networking
systemctl restart networking
