#!/bin/sh -e
sysctl -q -w net.ipv6.conf.eth0.use_tempaddr=2
ip link set eth0 up
