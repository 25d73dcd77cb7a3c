#!/bin/sh -e
ip addr del ((block.100))/23 dev eth0
