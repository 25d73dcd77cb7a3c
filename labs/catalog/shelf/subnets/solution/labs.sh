#!/bin/sh -e
ip link set eth0 up
ip addr add ((site.766))/24 dev eth0
ip route add default via ((site.513))
