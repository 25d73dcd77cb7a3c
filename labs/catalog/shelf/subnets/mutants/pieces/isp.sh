#!/bin/sh -e
ip link set eth0 up
ip addr add ((site.834))/30 dev eth0
ip route add ((site.network))/23 via ((site.833))
ip route add ((site.512))/24 via ((site.833))
ip route add ((site.768))/26 via ((site.833))
