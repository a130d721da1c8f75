#!/bin/sh
# Makes what the hosts of a cluster know and nobody else: certificates, passwords, the token of Ray.
#     sh secrets.sh czar db1 db2            # names by which the hosts reach each other, or their addresses
# writes secrets/czar, secrets/db1, ...: each becomes /etc/skyshard of its host. The first is the czar's.
# Run again for another host later: the authority (secrets/ca.key: keep it apart), passwords and token stay.
# Needs openssl 1.1.1 or later. DAYS: how long certificates are good for.
set -eu
umask 077
DAYS=${DAYS:-825}
mkdir -p secrets/passwords
cd secrets

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
name() { case $1 in *[!0-9.]*) echo "DNS:$1" ;; *) echo "IP:$1" ;; esac; }
once() { [ -e "$1" ] || openssl rand -hex 32 >"$1"; }

if [ ! -e ca.key ]; then
    key ca.key
    openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj "/CN=skyshard" \
        -addext keyUsage=critical,keyCertSign,cRLSign -out ca.crt
fi
once auth_token
for account in admin loader carrier reader writer; do once "passwords/$account"; done

for host in "$@"; do
    mkdir -p "$host/tls"
    key "$host/tls/tls.key"
    openssl req -new -key "$host/tls/tls.key" -subj "/CN=$host" -out request
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$(name "$host")" >extensions
    openssl x509 -req -in request -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days "$DAYS" \
        -extfile extensions -out "$host/tls/tls.crt" 2>errors || { cat errors >&2; exit 1; }
    cp -R ca.crt "$host/tls/"
    cp -R passwords auth_token "$host/"
    rm request extensions errors
done
