#!/bin/sh -e
ip link set eth0 up
ip addr add ((vlan10.11))/24 dev eth0
ip route add default via ((vlan10.1))
