#!/bin/sh -e
cat > /etc/suricata/rules/local.rules <<'EOF'
alert http any any -> ((lan.80)) any (msg:"panel asked for"; flow:to_server,established; http.uri; content:"/panel/((word))"; sid:((sid-request)); rev:1;)
alert tcp any any -> ((lan.80)) ![22,80] (msg:"port scan"; flags:S,12; threshold:type both, track by_src, count 20, seconds 10; sid:((sid-scan)); rev:1;)
EOF
sed -i 's#^default-rule-path:.*#default-rule-path: /etc/suricata/rules#; s#^  - suricata.rules#  - local.rules#' /etc/suricata/suricata.yaml
sed -i 's/^RUN=.*/RUN=yes/; s/^LISTENMODE=.*/LISTENMODE=af-packet/' /etc/default/suricata
suricata -T
systemctl enable suricata
systemctl start suricata
n=0
until grep -q 'Engine started' /var/log/suricata/suricata.log || [ $n -ge 100 ]; do sleep 0.2; n=$(expr $n + 1); done
