#!/bin/sh -e
ip link set eth0 up
ip addr add ((site.510))/23 dev eth0
ip route add default via ((site.1))
