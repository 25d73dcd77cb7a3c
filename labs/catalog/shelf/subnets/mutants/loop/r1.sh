#!/bin/sh -e
cat > /etc/network/interfaces.d/site <<END
auto eth0
iface eth0 inet static
    address ((site.1))/23

auto eth1
iface eth1 inet static
    address ((site.513))/24

auto eth2
iface eth2 inet static
    address ((site.769))/26

auto eth3
iface eth3 inet static
    address ((site.833))/30
    gateway ((site.834))
END
systemctl enable networking
systemctl restart networking
