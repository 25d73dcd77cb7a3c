#!/bin/sh -e
ip addr add ((block.100))/23 dev eth0
arping -q -U -c 2 -I eth0 ((block.100))
