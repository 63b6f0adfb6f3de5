#!/bin/sh
# needs: sluice
# modules: tls gcm ghash-generic ctr chacha20poly1305 aesni-intel
# With tls.ko the kernel encrypts what goes to TLS clients, and `sluice probe` says so (user/tls tries it over loopback).
sluice probe > /tmp/probe
cat /tmp/probe
grep -Eq 'yes +ktls ' /tmp/probe
