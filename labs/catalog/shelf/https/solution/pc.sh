#!/bin/sh -e
for i in 1 2 3 4 5 6 7 8 9 10; do
  curl -sf -m 5 -o /usr/local/share/ca-certificates/lab.crt http://shop.((bird))-((number)).lab/ca.crt && break
  sleep 1
done
update-ca-certificates
echo https://portal.((bird))-((number)).lab/login > /root/bookmark
