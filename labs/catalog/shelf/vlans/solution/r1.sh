#!/bin/sh -e
ip link set eth0 up
ip link add link eth0 name eth0.10 type vlan id 10
ip link add link eth0 name eth0.20 type vlan id 20
ip addr add ((vlan10.1))/24 dev eth0.10
ip addr add ((vlan20.1))/24 dev eth0.20
ip link set eth0.10 up
ip link set eth0.20 up
cat > /etc/network/interfaces.d/vlans <<END
auto eth0.10
iface eth0.10 inet static
    address ((vlan10.1))/24

auto eth0.20
iface eth0.20 inet static
    address ((vlan20.1))/24
END
systemctl enable networking
