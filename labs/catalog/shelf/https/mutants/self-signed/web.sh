#!/bin/sh -e
mkdir -p -m 700 /root/ca
cd /root/ca
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
  -keyout ca.key -out ca.crt -subj "/CN=((bird))-((number)) CA" 2>/dev/null
for site in portal shop; do
  name=$site.((bird))-((number)).lab
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout $site.key -out $site.csr -subj "/CN=$name" 2>/dev/null
  echo "subjectAltName = DNS:$name" > $site.ext
  openssl x509 -req -in $site.csr -CA ca.crt -CAkey ca.key -CAcreateserial \
    -days 90 -extfile $site.ext -out $site.crt
done
openssl req -x509 -key portal.key -days 90 -out portal.crt -subj "/CN=portal.((bird))-((number)).lab" -addext "subjectAltName = DNS:portal.((bird))-((number)).lab"
cp portal.key portal.crt shop.key shop.crt /etc/nginx/
cat > /etc/nginx/sites-enabled/portal <<'EOF'
server {
    listen 80;
    server_name portal.((bird))-((number)).lab;
    location / { return 301 https://$host$request_uri; }
    location = /status { return 200 "portal is up\n"; }
}
server {
    listen 443 ssl;
    server_name portal.((bird))-((number)).lab;
    root /srv/portal;
    ssl_certificate portal.crt;
    ssl_certificate_key portal.key;
    location = /login { return 200 "Welcome, ada.\n"; }
}
EOF
cat > /etc/nginx/sites-enabled/shop <<'EOF'
server {
    listen 80;
    listen 443 ssl;
    server_name shop.((bird))-((number)).lab;
    root /srv/shop;
    ssl_certificate shop.crt;
    ssl_certificate_key shop.key;
}
EOF
cp ca.crt /srv/shop/
nginx -t
nginx -s reload
