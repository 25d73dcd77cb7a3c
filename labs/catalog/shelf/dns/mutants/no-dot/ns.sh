#!/bin/sh -e
cat > /etc/bind/named.conf <<EOF
options {
    directory "/var/cache/bind";
    recursion no;
    listen-on-v6 { none; };
    dnssec-validation no;
};
zone "((bird))-((number)).lab" {
    type primary;
    file "/etc/bind/zone.mine";
};
EOF
cat > /etc/bind/zone.mine <<'EOF'
$TTL 600
@     SOA  ns1 hostmaster 2 3600 600 86400 30
@     NS   ns1
@     MX   10 mail.((bird))-((number)).lab
ns1   A    ((net.3))
mail  A    ((net.25))
www   ((ttl))  A  ((net.81))
shop  CNAME www
EOF
named-checkconf -z
systemctl enable named
systemctl start named
