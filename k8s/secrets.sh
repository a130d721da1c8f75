#!/bin/sh
# Prints the three Secrets of a new cluster: passwords, the token of Ray, and certificates of an authority that is
# thrown away. Made once, before the nodes start for the first time:
#     sh k8s/secrets.sh | kubectl create -f -
# `create` refuses to replace secrets that are there; servers of an older authority would not be believed any more.
# Needs openssl 1.1.1 or later. DAYS: how long the certificates are good for.
set -eu
umask 077
NAMESPACE=${NAMESPACE:-skyshard}
DAYS=${DAYS:-3650}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
word() { openssl rand -hex 32; }
indented() { sed 's/^/    /' "$1"; }

key ca.key
openssl req -x509 -new -key ca.key -sha256 -days "$DAYS" -subj "/CN=skyshard $NAMESPACE" \
    -addext keyUsage=critical,keyCertSign,cRLSign -out ca.crt
key tls.key
openssl req -new -key tls.key -subj "/CN=skyshard-node" -out tls.csr
cat >extensions <<END
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName=DNS:*.skyshard-node.$NAMESPACE.svc,DNS:localhost,IP:127.0.0.1
END
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days "$DAYS" -extfile extensions \
    -out tls.crt 2>errors || { cat errors >&2; exit 1; }

admin=$(word) loader=$(word) carrier=$(word) reader=$(word) writer=$(word) token=$(word)

cat <<END
apiVersion: v1
kind: Secret
metadata:
  name: skyshard-passwords
  namespace: $NAMESPACE
stringData:
  admin: "$admin"
  loader: "$loader"
  carrier: "$carrier"
  reader: "$reader"
  writer: "$writer"
---
apiVersion: v1
kind: Secret
metadata:
  name: skyshard-ray
  namespace: $NAMESPACE
stringData:
  auth_token: "$token"
---
apiVersion: v1
kind: Secret
metadata:
  name: skyshard-tls
  namespace: $NAMESPACE
stringData:
  ca.crt: |
$(indented ca.crt)
  tls.crt: |
$(indented tls.crt)
  tls.key: |
$(indented tls.key)
END
