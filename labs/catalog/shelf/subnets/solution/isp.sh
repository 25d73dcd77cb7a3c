#!/bin/sh -e
ip link set eth0 up
ip addr add ((site.834))/30 dev eth0
ip route add ((site)) via ((site.833))
