#!/bin/sh -e
cat > /etc/default/isc-dhcp-relay <<END
SERVERS="((near.2))"
INTERFACES="eth0 eth1"
OPTIONS=""
END
systemctl enable isc-dhcp-relay
systemctl start isc-dhcp-relay
