#!/bin/sh -e
ip addr add ((block.100))/23 dev eth0
