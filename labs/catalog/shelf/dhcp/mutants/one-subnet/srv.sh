#!/bin/sh -e
cat > /etc/dhcp/dhcpd.conf <<END
default-lease-time 600;
max-lease-time 3600;
option domain-name-servers ((near.2));
subnet ((near.network)) netmask 255.255.255.0 {
    range ((near.100)) ((near.150));
    option routers ((near.1));
}
host pc2 {
    hardware ethernet 02:00:00:00:00:50;
    fixed-address ((near.50));
}
END
echo 'INTERFACESv4="eth0"' > /etc/default/isc-dhcp-server
systemctl enable isc-dhcp-server
systemctl start isc-dhcp-server
